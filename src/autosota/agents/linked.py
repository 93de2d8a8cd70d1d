"""Repositories that a paper names only on its project page (paper section 3.2): the pages it links to, fetched within bounds.

What a page says is a stranger's word: only the addresses in its links are taken, and none that leads to this machine.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from autosota.downloads import Downloads, Refused
from autosota.records import Link, Paper

MOST_PAGES = 3
MOST_BYTES = 2 * 2**20
SECONDS = 20.0
_HOSTED = re.compile(r"\.(?:github|gitlab)\.io$|^sites\.google\.com$|\.(?:netlify|vercel|pages)\.(?:app|dev)$")
_CALLED = re.compile(r"\b(?:project|web|home|supplementary|demo)[ -]?(?:web)?(?:page|site)\b|\bwebsite\b", re.IGNORECASE)
_OTHER = re.compile(
    r"(?:^|\.)(?:arxiv\.org|doi\.org|orcid\.org|openreview\.net|twitter\.com|x\.com|youtube\.com|youtu\.be|linkedin\.com|acm\.org|"
    r"ieee\.org|springer\.com|wikipedia\.org|creativecommons\.org|semanticscholar\.org|huggingface\.co|kaggle\.com|zenodo\.org|"
    r"neurips\.cc|aclanthology\.org|mlr\.press)$"
)
_FILES = (".pdf", ".png", ".jpg", ".svg", ".zip", ".gz", ".tar", ".mp4", ".csv", ".json", ".git")
_ANCHOR = re.compile(r"<a\s[^<>]{1,4000}>", re.IGNORECASE)
_GOAL = re.compile(r"\bhref\s{0,9}=\s{0,9}[\"']?([^\"'\s<>]{1,1000})", re.IGNORECASE)
_CODE = re.compile(r"\b(?:code|github|implementation|repository|source)\b", re.IGNORECASE)


def pages(read: Paper) -> list[Link]:
    """Links that may lead to the paper's project page, most likely first."""
    found: list[tuple[int, int, Link]] = []
    for link in read.links:
        try:
            parts = urlsplit(link.url)
            host = (parts.hostname or "").removeprefix("www.")
        except ValueError:
            continue
        hosted, called = bool(_HOSTED.search(host)), bool(_CALLED.search(link.text))
        usable = parts.scheme in ("http", "https") and not _OTHER.search(host) and not parts.path.lower().endswith(_FILES)
        if usable and link.where in ("front", "footnote", "annotation") and (hosted or called or link.where == "front"):
            found.append((2 * (link.where != "front") - called - hosted, len(found), link))
    return [link for _, _, link in sorted(found, key=lambda entry: entry[:2])][:MOST_PAGES]


def follow(
    read: Paper, downloads: Downloads, repository: Callable[[str], str | None], notes: list[str]
) -> tuple[Paper, frozenset[str]]:
    """The paper with the repositories that its project pages link to, as if it named them where it names the page, and the
    addresses of these pages. `repository`: the address of a repository, or None for every other one."""
    more: list[Link] = []
    told: set[str] = set()
    for link in pages(read):
        if repository(link.url) is not None and not _HOSTED.search(urlsplit(link.url).hostname or ""):
            continue
        answer = downloads.page(link.url, most=MOST_BYTES, seconds=SECONDS)
        if isinstance(answer, Refused):
            notes.append(f"project page {link.url} was not read: {answer.reason}")
            continue
        named = list(_repositories(answer, repository))
        more += [_as_named(url, link) for url in named]
        notes.append(f"project page {link.url} links to {', '.join(named[:5]) or 'no repository'}")
        told |= {link.url} if named else set()
    kept = tuple(link for link in read.links if link.url not in told)
    return read.model_copy(update={"links": (*more, *kept)}), frozenset(told)


def _as_named(url: str, page: Link) -> Link:
    """A page in a footnote or behind a word of the text may be another work's: its repository is not called the code then."""
    own = page.where == "front" or _CALLED.search(page.text)
    words = f"{'code: ' if own else ''}linked from the page {page.url}"
    return Link(url=url, where=page.where, page=page.page, text=words)


def _repositories(text: str, repository: Callable[[str], str | None]) -> Iterator[str]:
    """Repositories that a page links to, each once; where links are called the code, only those."""
    found: dict[str, bool] = {}
    for anchor in _ANCHOR.finditer(text):
        goal = _GOAL.search(anchor[0])
        address = html.unescape(goal[1]) if goal else ""
        if not re.match(r"https?://", address) or _HOSTED.search(_host(address)):
            continue
        url = repository(address)
        if url is not None and not re.search(r"\.(?:github|gitlab)\.io$", url, re.IGNORECASE):
            words = re.split(r"</a\b", text[anchor.end() : anchor.end() + 600], maxsplit=1, flags=re.IGNORECASE)[0]
            found[url] = found.get(url, False) or bool(_CODE.search(re.sub(r"<[^<>]*>", " ", words)))
    called = [url for url, code in found.items() if code]
    yield from (called or list(found))[:10]


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
