"""Results tables: which numbers a paper reports for its own method, under which metric names, and where (paper section 3.3)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from autosota.metrics import vocabulary
from autosota.metrics.vocabulary import normalize
from autosota.paper.tables import amount, plain, spread
from autosota.records import Direction, Evidence, Paper, Table

_OWN = re.compile(r"\b(ours?|proposed|this (?:paper|work)|our (?:approach|method|model))\b", re.IGNORECASE)
_BETTER_UP = re.compile(r"\bhigher (?:is|are|=|means)?\s*better|\(\s*higher\s*\)", re.IGNORECASE)
_BETTER_DOWN = re.compile(r"\blower (?:is|are|=|means)?\s*better|\(\s*lower\s*\)", re.IGNORECASE)
_EACH = re.compile(r"\blower\s+([\w@ -]{2,30}?)\s+and\s+higher\s+([\w@ -]{2,30}?)\s+(?:is|are)\s+better", re.IGNORECASE)
_UNITS = re.compile(
    r"\s*[(\[]\s*(?:%|in %|per ?cent|s|ms|sec(?:onds)?|↑|↓|\s|×)*\s*[)\]]|[↑↓%*†‡]|\bin per ?cent\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Reported:
    """A number that a table reports for the paper's own method."""

    name: str
    """The metric as the paper writes it, without arrows and units."""
    direction: Direction | None
    """None where neither an arrow nor the name tells."""
    value: float
    spread: float | None
    setting: str
    """Label of the row or column that was taken for the paper's own."""
    certain: bool
    """The paper says that this row is its own; False where it is only the last or the bold one."""
    table: int
    dataset: str | None
    evidence: Evidence


def reported(paper: Paper, printed: Collection[str] = ()) -> list[Reported]:
    """Every number of the paper's own method, in the tables' order. `printed`: names the evaluation prints are metrics too."""
    known = frozenset(normalize(name) for name in printed)
    found = []
    for number, table in enumerate(paper.tables):
        by_name = [*_by_columns(paper, table, number, known)] or [*_by_rows(paper, table, number, known)]
        found += by_name or [*_by_caption(paper, table, number)]
    return found


def direction_in(table: Table, head: str) -> Direction | None:
    """Which way is better for a head: its arrow, the caption's words, the metric's name."""
    if "↑" in head or "↓" in head:
        return "max" if "↑" in head else "min"
    each = _EACH.search(table.caption)
    if each:
        lower, higher = normalize(each[1]), normalize(each[2])
        if normalize(clean(head)) in {lower, higher}:
            return "min" if normalize(clean(head)) == lower else "max"
    by_name = vocabulary.direction(clean(head))
    if by_name:
        return by_name
    up, down = _BETTER_UP.search(table.caption), _BETTER_DOWN.search(table.caption)
    return "max" if up and not down else "min" if down and not up else None


def clean(head: str) -> str:
    """A head without arrows, units and bold."""
    name = plain(_UNITS.sub(" ", head)).strip(" ,:-")
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]$", "", name)
    return bare if bare and vocabulary.direction(bare) else name


def _is_metric(table: Table, head: str, known: Collection[str]) -> bool:
    name = clean(head)
    if not name or len(name) > 60 or amount(name) is not None:
        return False
    return "↑" in head or "↓" in head or vocabulary.direction(name) is not None or normalize(name) in known


# ── three ways to lay out results ─────────────────────────────────────────────────────────────────────────────────────


def _by_columns(paper: Paper, table: Table, number: int, known: Collection[str]) -> Iterator[Reported]:
    """Methods in rows, metrics in columns."""
    columns = [index for index, head in enumerate(table.header) if index and _is_metric(table, head, known)]
    rows = [row for row in table.rows if any(amount(row[index]) is not None for index in columns)]
    if not columns or not rows:
        return
    labels = [plain(row[0]) for row in rows]
    own, certain = _own(paper, labels, [[row[index] for index in columns] for row in rows])
    for index in columns:
        value = amount(rows[own][index])
        if value is not None:
            yield _reported(table, number, table.header[index], rows[own][index], value, labels[own], certain)


def _by_rows(paper: Paper, table: Table, number: int, known: Collection[str]) -> Iterator[Reported]:
    """Metrics in rows, methods in columns."""
    rows = [row for row in table.rows if _is_metric(table, row[0], known)]
    columns = [index for index in range(1, len(table.header)) if any(amount(row[index]) is not None for row in rows)]
    if not rows or not columns or (len(columns) > 1 and all(amount(table.header[index]) is not None for index in columns)):
        return
    labels = [plain(table.header[index]) for index in columns]
    own, certain = _own(paper, labels, [[row[index] for row in rows] for index in columns])
    for row in rows:
        value = amount(row[columns[own]])
        if value is not None:
            yield _reported(table, number, row[0], row[columns[own]], value, labels[own], certain)


def _by_caption(paper: Paper, table: Table, number: int) -> Iterator[Reported]:
    """Methods in rows, data sets in columns, the metric named by the caption."""
    name = _metric_in(table.caption)
    rows = [row for row in table.rows if any(amount(cell) is not None for cell in row[1:])]
    if not name or not rows or any(amount(head) is not None for head in table.header[1:]):
        return
    labels = [plain(row[0]) for row in rows]
    own, certain = _own(paper, labels, [list(row[1:]) for row in rows])
    for head, cell in zip(table.header[1:], rows[own][1:], strict=False):
        value = amount(cell)
        if value is not None:
            yield _reported(table, number, name, cell, value, labels[own], certain, dataset=clean(head) or None)


def _metric_in(caption: str) -> str:
    """The first known metric that a caption names, with the word before it where that belongs to it ("macro F1")."""
    words = re.findall(r"[A-Za-z][\w@²-]*", re.sub(r"^\W*tab(?:le|\.)\s*\S+", "", caption, flags=re.IGNORECASE))
    for first, word in enumerate(words):
        if vocabulary.direction(word) and not re.fullmatch(
            r"(?:time|score|cost|match|success|map|return|parameters?|hours?|pass)", word
        ):
            qualified = first and words[first - 1].lower() in {
                "macro",
                "micro",
                "mean",
                "log",
                "error",
                "relative",
                "absolute",
                "squared",
            }
            return f"{words[first - 1]} {word}" if qualified else word
    return ""


def _reported(
    table: Table, number: int, head: str, cell: str, value: float, label: str, certain: bool, dataset: str | None = None
) -> Reported:
    quote = f"{table.caption[:120]} | {label} | {plain(head)}: {plain(cell)}"
    return Reported(
        name=clean(head),
        direction=direction_in(table, head),
        value=value,
        spread=spread(cell),
        setting=label,
        certain=certain,
        table=number,
        dataset=dataset,
        evidence=Evidence(page=table.page, quote=quote[:300]),
    )


# ── the paper's own row ───────────────────────────────────────────────────────────────────────────────────────────────


def _own(paper: Paper, labels: Sequence[str], cells: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """Which of several methods is the paper's own, and whether the paper says so of it alone."""
    methods = method_names(paper)
    scores = []
    for position, (label, values) in enumerate(zip(labels, cells, strict=True)):
        says = 4.0 * bool(_OWN.search(label)) + 3.0 * any(name in normalize(label) for name in methods)
        filled = [cell for cell in values if amount(cell) is not None]
        bold = sum("**" in cell for cell in filled) / len(filled) if filled else -1.0
        scores.append(says + 2.0 * bold + 0.5 * (position == len(labels) - 1))
    best = max(range(len(scores)), key=lambda position: (scores[position], position))
    alone = sum(normalize(label) == normalize(labels[best]) for label in labels) == 1
    return best, (scores[best] >= 3.0 or len(labels) == 1) and alone


def method_names(paper: Paper) -> list[str]:
    """What the paper calls its method: the word before the title's colon, capitals and camel case in the title, normalized."""
    head, colon, _ = paper.title.partition(":")
    names = [head] if colon and len(head.split()) <= 3 else []
    names += re.findall(r"\b(?:[A-Z][a-z0-9]*){2,}\b|\b[A-Z]{3,}[\w-]*\b", paper.title)
    names += re.findall(
        r"\b(?:called|named|dubbed|propose|introduce|present)\s+((?:[A-Z][\w-]*){1}(?:-[A-Z]\w*)*)", paper.abstract
    )
    forms = [normalize(name) for name in names]
    return [form for form in dict.fromkeys(forms) if len(form) >= 3 and form not in {"the", "this", "our", "new", "paper"}]
