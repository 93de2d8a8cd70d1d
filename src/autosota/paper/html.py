"""Papers in HTML: headings, tables, links."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from autosota.paper import links
from autosota.paper.tables import build
from autosota.records import Link, Paper, Section, Table

_SILENT = frozenset(("script", "style", "noscript", "template", "svg", "nav", "math"))
_BLOCKS = frozenset(("p", "div", "li", "br", "tr", "section", "article", "figcaption", "caption", "blockquote"))
_REFERENCES = re.compile(r"^(?:[\d.]*\s*)?(?:references|bibliography)$", re.IGNORECASE)


def read(text: str, *, source: str, digest: str) -> Paper:
    """The paper that an HTML page is."""
    reader = _Reader()
    reader.feed(_closed(text[: 16 * 2**20]))
    reader.close()
    reader.end_section()
    abstract = next((section.text for section in reader.sections if section.title.lower().strip(" .:") == "abstract"), "")
    title = reader.heading or reader.title or next((section.title for section in reader.sections), source)
    plain = [line for section in reader.sections for line in section.text.splitlines()]
    found = [*reader.links, *(Link(url=url, where="body", text=plain[index][:200]) for index, url in links.in_lines(plain))]
    return Paper(
        source=source,
        digest=digest,
        title=" ".join(title.split())[:300],
        abstract=" ".join((abstract or reader.abstract).split())[:6000],
        sections=tuple(reader.sections),
        tables=tuple(reader.tables),
        links=links.unique(found),
        notes=() if abstract or reader.abstract else ("no abstract found",),
    )


def _closed(text: str) -> str:
    """Without comments, and with every "<" that no ">" closes as a letter: open tags make the parser's work quadratic."""
    parts, position = [], 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[position:start])
        position = end + 3
    return re.sub(r"<(?=[^<>]{0,5000}(?:<|\Z)|[^<>]{5000})", "&lt;", "".join([*parts, text[position:]]))


@dataclass
class _TableParts:
    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    heads: int = 0
    pending: dict[tuple[int, int], str] = field(default_factory=dict)
    """Cells that reach down from an earlier row: (row, column) → text."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = self.heading = self.abstract = ""
        self.sections: list[Section] = []
        self.tables: list[Table] = []
        self.links: list[Link] = []
        self._silent = 0
        self._name, self._level, self._text = "", 1, ""
        self._collect: str | None = None
        self._buffer = ""
        self._table: _TableParts | None = None
        self._cell: tuple[int, int, bool] | None = None
        self._abstract_depth = 0
        self._href: str | None = None
        self._anchor = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag in _SILENT:
            self._silent += 1
            if tag == "math":
                self._add(attributes.get("alttext", "").replace("\\pm", "±"))
            return
        if self._silent:
            return
        if self._abstract_depth or "abstract" in (attributes.get("class", "") + attributes.get("id", "")).lower().split():
            self._abstract_depth += tag not in {"br", "img", "hr", "meta", "link", "input"}
        if tag == "title" or re.fullmatch(r"h[1-6]", tag) or tag in {"caption", "figcaption"}:
            self._collect, self._buffer = tag, ""
        elif tag == "table" and self._table is None:
            self._table = _TableParts()
        elif tag == "tr" and self._table is not None:
            self._table.rows.append([])
        elif tag in {"td", "th"} and self._table is not None and self._table.rows:
            spans = [attributes.get(key, "1") for key in ("colspan", "rowspan")]
            columns, rows = (min(int(span), 50) if span.isdigit() else 1 for span in spans)
            self._cell, self._buffer = (max(columns, 1), max(rows, 1), tag == "th"), ""
        elif tag == "a":
            self._href, self._anchor = attributes.get("href"), ""
        elif tag in {"b", "strong"} and self._cell:
            self._buffer += "**"
        if tag in _BLOCKS:
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
            return
        if self._silent:
            return
        self._abstract_depth = max(0, self._abstract_depth - 1)
        if tag == self._collect:
            self._collected(tag, " ".join(self._buffer.split()))
            self._collect = None
        elif tag in {"td", "th"} and self._cell and self._table is not None:
            self._place(*self._cell, " ".join(self._buffer.split()))
            self._cell = None
        elif tag == "table" and self._table is not None:
            built = build(self._table.caption, self._table.rows, heads=self._table.heads or None)
            self.tables += [built] if built else []
            self._table = None
        elif tag == "a" and self._href:
            self._link(self._href, " ".join(self._anchor.split()))
            self._href = None
        elif tag in {"b", "strong"} and self._cell:
            self._buffer += "**"

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._add(data)

    def _add(self, data: str) -> None:
        if self._href is not None:
            self._anchor += data
        if self._collect or self._cell:
            self._buffer += data
        elif self._table is None:
            self._text += data
            if self._abstract_depth:
                self.abstract += data

    def _collected(self, tag: str, text: str) -> None:
        if tag == "title":
            self.title = text
        elif tag in {"caption", "figcaption"}:
            if self._table is not None:
                self._table.caption = text
            elif self.tables and not self.tables[-1].caption:
                self.tables[-1] = self.tables[-1].model_copy(update={"caption": text})
        elif tag == "h1" and not self.heading:
            self.heading = text
        else:
            self.end_section()
            self._name, self._level = re.sub(r"^[\dIVX.]+\s+", "", text), int(tag[1])

    def end_section(self) -> None:
        """Keep the section that ends here."""
        text = "\n".join(" ".join(line.split()) for line in self._text.splitlines() if line.strip())
        if self._name:
            self.sections.append(Section(title=self._name, text=text, level=self._level))
        self._name, self._text = "", ""

    def _place(self, columns: int, rows: int, head: bool, text: str) -> None:
        table = self._table
        assert table is not None
        row = table.rows[-1]
        number = len(table.rows) - 1
        if head and len(row) and table.heads == number:
            table.heads = number + 1
        for _ in range(columns):
            while (number, len(row)) in table.pending and len(row) < 200:
                row.append(table.pending[number, len(row)])
            for below in range(1, min(rows, 50)):
                table.pending[number + below, len(row)] = text
            row.append(text)

    def _link(self, url: str, text: str) -> None:
        if url.startswith(("#", "mailto:", "javascript:", "data:")):
            return
        cited = bool(_REFERENCES.match(self._name))
        opening = not self.sections and self._name.lower() in {"", "abstract"}
        where: links.Where = "references" if cited else "front" if opening else "body"
        self.links.append(Link(url=links.tidy(url), where=where, text=text[:200]))
