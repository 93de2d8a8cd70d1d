"""Addresses in text: found, joined where a line break cut them, normalized, and told apart by where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from autosota.records import Link

Where = Literal["front", "footnote", "body", "references", "annotation"]
MOST = 2000
_HOSTS = (
    r"github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|huggingface\.co|zenodo\.org|gitee\.com|"
    r"anonymous\.4open\.science|osf\.io"
)
_URL = re.compile(
    rf"(?:(?:https?|file|git|ssh|ftp)://|git@[\w.-]+:|(?<![\w@/.-])(?:www\.)?(?:{_HOSTS})/)[^\s<>\"'`{{}}|\\^\[\]]+",
    re.IGNORECASE,
)
_ENDING = ".,;:!?)]}>*'\"’”"
_CUT = re.compile(r"(?:[-/_=&?%#~+]|://[^/\s]*\.)$")
_CONTINUED = re.compile(r"^[\w%~./?#&=+@-]+")
_RANK: dict[Where, int] = {"front": 0, "footnote": 1, "annotation": 2, "body": 3, "references": 4}


def tidy(url: str) -> str:
    """An address as it stands in text, without the sentence's punctuation; a bare host gets https://."""
    url = url.strip()
    while url and url[-1] in _ENDING:
        if url[-1] == ")" and url.count("(") >= url.count(")"):
            break
        url = url[:-1]
    if re.match(rf"(?:www\.)?(?:{_HOSTS})/", url, re.IGNORECASE):
        url = "https://" + url
    return url


def in_lines(lines: Iterable[str]) -> list[tuple[int, str]]:
    """(index of the line, address), one that goes on in the next line joined. "\\x02" is a hyphen at a line's end."""
    texts = [line.rstrip().replace("\x02", "-") for line in lines]
    found: list[tuple[int, str]] = []
    for index, text in enumerate(texts):
        for match in _URL.finditer(text):
            url, following = match[0], index + 1
            while match.end() == len(text) and following < len(texts) and following < index + 4:
                head = _CONTINUED.match(texts[following].lstrip())
                if not head or not _goes_on(url, head[0]) or _URL.match(texts[following].lstrip()):
                    break
                url += head[0]
                if head.end() < len(texts[following].lstrip()):
                    break
                following += 1
            found.append((index, tidy(url)))
            if len(found) >= MOST:
                return found
    return found


def _goes_on(url: str, following: str) -> bool:
    """Is `following`, at the beginning of the next line, the rest of an address that was cut at the line's end?"""
    if following.startswith(("/", "?")) or re.search(r"doi\.org/[\d.]*\.$", url):
        return True
    if url.endswith("/") and len(re.findall(r"[^/]+", url)) >= 4:
        # a complete address, as that of a repository, before a line's first word
        return bool(re.search(r"[-_./\d]", following.rstrip(".,;:")))
    return bool(_CUT.search(url))


def unique(links: Iterable[Link]) -> tuple[Link, ...]:
    """One link per address, at its most telling place; a shorter copy of an address that was cut off is dropped."""
    best: dict[str, Link] = {}
    for link in links:
        key = link.url.rstrip("/").casefold()
        known = best.get(key)
        if known is None or _RANK[link.where] < _RANK[known.where]:
            best[key] = link if known is None or link.text else link.model_copy(update={"text": known.text})
    cut = {
        key
        for key, link in best.items()
        if any(other != key and other.startswith(key) and best[other].page == link.page for other in best)
        and key.endswith(("-", "_"))
    }
    return tuple(link for key, link in list(best.items())[:MOST] if key not in cut)
