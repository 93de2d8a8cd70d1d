"""Papers in Markdown (and plain text): headings, pipe tables, links, footnotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from autosota.paper import links
from autosota.paper.tables import CAPTION, build
from autosota.records import Link, Paper, Section, Table

_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_LINK = re.compile(r"\[([^\[\]]{0,200})\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)?)>?(?:\s+[\"'][^)]*)?\)")
_DEFINED = re.compile(r"^ {0,3}\[([^\]^]{1,80})\]:\s*<?(\S+?)>?(?:\s+[\"'(].*)?$")
_FOOTNOTE = re.compile(r"^ {0,3}\[\^[^\]]{1,40}\]:\s*(.*)$")
_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
_REFERENCES = re.compile(r"^(?:[\d.]*\s*)?(?:references|bibliography)$", re.IGNORECASE)
_ABSTRACT = re.compile(r"^\W{0,4}abstract\W{1,6}(.+)$", re.IGNORECASE)


def read(text: str, *, source: str, digest: str) -> Paper:
    """The paper that a Markdown text is."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    named, lines = _front_matter(lines)
    title, abstract, sections = _sections(lines)
    fallback = next((line.strip(" #*_=") for line in lines if line.strip(" #*_=-")), source)
    notes = () if abstract else ("no abstract found",)
    return Paper(
        source=source,
        digest=digest,
        title=(named or title or fallback)[:300],
        abstract=abstract[:6000],
        sections=sections,
        tables=tables(lines),
        links=_addresses(lines),
        notes=notes,
    )


def _front_matter(lines: list[str]) -> tuple[str, list[str]]:
    """The title a YAML head names, and the lines below the head."""
    if not lines or lines[0].strip() != "---":
        return "", lines
    end = next((index for index, line in enumerate(lines[1:200], start=1) if line.strip() in {"---", "..."}), 0)
    found = [re.match(r"title:\s*[\"']?(.+?)[\"']?\s*$", line) for line in lines[1:end]]
    return next((match[1] for match in found if match), ""), lines[end + 1 :] if end else lines


def _headings(lines: Sequence[str]) -> dict[int, tuple[int, str]]:
    """Line index → level and words of every heading; both marked (#) and underlined ones, none in code."""
    found: dict[int, tuple[int, str]] = {}
    fenced = False
    for index, line in enumerate(lines):
        if re.match(r"^\s*(```|~~~)", line):
            fenced = not fenced
        if fenced:
            continue
        match = _HEADING.match(line)
        if match:
            found[index] = (len(match[1]), plain(match[2]))
        elif index and re.fullmatch(r"=+\s*|-{3,}\s*", line) and index - 1 not in found and _alone(lines, index - 1):
            found[index - 1] = (1 if line[0] == "=" else 2, plain(lines[index - 1]))
    return found


def _alone(lines: Sequence[str], index: int) -> bool:
    """Is this line a paragraph of its own, as the words of an underlined heading are?"""
    return 0 < len(lines[index].strip()) < 150 and "|" not in lines[index] and (index == 0 or not lines[index - 1].strip())


def _sections(lines: Sequence[str]) -> tuple[str, str, tuple[Section, ...]]:
    headings = _headings(lines)
    starts = [*headings, len(lines)]
    title, abstract = "", ""
    found: list[Section] = []
    for start, stop in pairwise(starts):
        level, name = headings[start]
        body = [line for line in lines[start + 1 : stop] if not re.fullmatch(r"=+\s*|-{3,}\s*", line)]
        text = "\n".join(body).strip()
        bare = re.sub(r"^[\dIVX.]+\s+", "", name)
        if bare.lower() == "abstract":
            abstract = abstract or " ".join(text.split())
        elif level == 1 and not title and not found:
            title = name
            abstract = _inline_abstract(text)
            continue
        found.append(Section(title=bare or name, text=text, level=level))
    return title, plain(abstract or _inline_abstract("\n".join(lines[: starts[0]]))), tuple(found)


def _inline_abstract(text: str) -> str:
    """ "**Abstract.** We …" in a text without such a heading."""
    for paragraph in re.split(r"\n\s*\n", text):
        match = _ABSTRACT.match(" ".join(paragraph.split()))
        if match:
            return match[1]
    return ""


def plain(text: str) -> str:
    """Words without the marks of emphasis and links."""
    text = _LINK.sub(lambda match: match[1], text)
    return re.sub(r"(\*\*|__|`)", "", text).strip(" *_")


def tables(lines: Sequence[str]) -> tuple[Table, ...]:
    """Every table with bars, with the caption above or below it."""
    found = []
    index = 0
    while index + 1 < len(lines):
        if "|" in lines[index] and _RULE.match(lines[index + 1]) and "-" in lines[index + 1]:
            start, index = index, index + 2
            rows = [_cells(lines[start])]
            while index < len(lines) and "|" in lines[index] and lines[index].strip():
                rows.append(_cells(lines[index]))
                index += 1
            built = build(_caption(lines, start, index), rows, heads=1)
            if built:
                found.append(built)
        else:
            index += 1
    return tuple(found)


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner.removesuffix("|") if not inner.endswith("\\|") else inner
    cells = [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)]
    return [_LINK.sub(lambda match: match[1], cell).replace("__", "**").replace("$", "").replace("\\pm", "±") for cell in cells]


def _caption(lines: Sequence[str], start: int, stop: int) -> str:
    """The paragraph that says "Table N" beside the table, else the one or the heading above it."""
    above = _paragraph(lines, start - 1, -1)
    below = _paragraph(lines, stop, 1)
    for text in (above, below):
        if CAPTION.match(plain(text)):
            return plain(text)
    return plain(above.lstrip("# "))


def _paragraph(lines: Sequence[str], index: int, step: int) -> str:
    while 0 <= index < len(lines) and not lines[index].strip():
        index += step
    found: list[str] = []
    while 0 <= index < len(lines) and lines[index].strip() and "|" not in lines[index] and len(found) < 8:
        found.append(lines[index].strip())
        index += step
    return " ".join(found[::step])


def _addresses(lines: Sequence[str]) -> tuple[Link, ...]:
    headings = _headings(lines)
    later = [index for index, (_, name) in headings.items() if index and not re.search(r"abstract", name, re.IGNORECASE)]
    top = min((index for index, (level, _) in headings.items() if level == 1), default=-1)
    first = min((index for index in later if index != top), default=len(lines))
    cited = min((index for index, (_, name) in headings.items() if _REFERENCES.match(name)), default=len(lines))
    found: list[Link] = []

    def where(index: int) -> links.Where:
        if _FOOTNOTE.match(lines[index]):
            return "footnote"
        return "front" if index < first else "references" if index >= cited else "body"

    for index, line in enumerate(lines):
        for match in _LINK.finditer(line):
            if not match[2].startswith(("#", "mailto:")) and not line[: match.start()].endswith("!"):
                found.append(Link(url=links.tidy(match[2]), where=where(index), text=match[1][:200]))
        defined = _DEFINED.match(line)
        if defined and not defined[2].startswith("#"):
            found.append(Link(url=links.tidy(defined[2]), where=where(index), text=defined[1][:200]))
    bare = [_LINK.sub(" ", line) for line in lines]
    for index, url in links.in_lines(bare):
        found.append(Link(url=url, where=where(index), text=plain(lines[index])[:200]))
    return links.unique(found)
