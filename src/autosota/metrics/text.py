"""Numbers with a name in lines of text: `name: value`, `name = value`, "epoch 3 | loss 0.3 | acc 0.9", rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from autosota.metrics.numbers import NUMBER, Number, Occurrence, number, parse
from autosota.metrics.vocabulary import normalize, normalize_lines

HEAD, TAIL = 1 * 2**20, 3 * 2**20
"""Bytes looked at from the beginning and the end of a longer output."""
LONGEST_LINE = 4000
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_RULE = re.compile(r"[\s|+\-=:_~─━═┄┅┈┉│┃║┌┐└┘├┤┬┴┼╞╡╪╤╧╠╣╦╩╬╔╗╚╝╭╮╰╯┏┓┗┛┡┩┠┨┳┻╇╈╂╋╟╢╫╥╨\\*]+")
_BARS = re.compile(r"[|│┃║┆┊]")
_SEGMENT = re.compile(r"[|│┃║;\t]|,(?!\d)|\s{2,}| [-–—•] |\s?[→>]\s")
_NO_NUMBER = re.compile(r"(?<=[:=])\s*(true|false|none|null|n/?a)(?!\w)", re.IGNORECASE)
_COUNTS = frozenset(("support", "count", "n", "samples", "nsamples", "num", "size", "total"))
_PARTIAL = re.compile(r"^(.*?)\b(?:of|on|for|in|at|over|across|after|with|using|is|was)\b|^(.*?)[(\[]", re.IGNORECASE)
_OTHER_SPLIT = re.compile(r"\b(train(?:ing)?|val(?:id(?:ation)?)?|dev|best|baseline|previous|old|before)\b", re.IGNORECASE)
_HARMLESS = frozenset(
    ("test", "testing", "eval", "evaluation", "final", "mean", "average", "avg", "overall", "the", "score", "result", "results",
     "set", "on", "is", "are", "was", "of", "value", "metric", "our")
)  # fmt: skip


@dataclass(frozen=True)
class Lines:
    """Output as a reader of the terminal sees it."""

    lines: tuple[str, ...]
    first: int = 1
    """Number of the first line."""
    cut: bool = False
    """The middle was too long to look at."""

    @cached_property
    def normalized(self) -> list[str]:
        """The lines in the form names are compared in."""
        return normalize_lines(self.lines)


def clean(text: str) -> Lines:
    """Lines without colors; of one rewritten by carriage returns what was left standing; the middle of a long text dropped."""
    cut = len(text) > HEAD + TAIL
    if cut:
        text = text[:HEAD] + "\n" + text[-TAIL:]
    text = _ANSI.sub("", text.replace("\r\n", "\n")).replace("\x00", "").replace("\u00a0", " ")
    lines = []
    for line in text.split("\n"):
        if "\r" in line:
            line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        if len(line) > LONGEST_LINE:
            line = line[: LONGEST_LINE // 2] + " … " + line[-LONGEST_LINE // 2 :]
        lines.append(re.sub(r"\.{3,}|…", "   ", line))
    return Lines(tuple(lines), cut=cut)


# ── name: value ───────────────────────────────────────────────────────────────────────────────────────────────────────

_EXPLICIT = re.compile(r"[:=]\s*[(\[]?\s*$|\b(?:is|was|of)\s*$", re.IGNORECASE)
_SPREAD = re.compile(r"(±|\+/-|\+-|\\pm)\s*$")
_TRAILING = " \t:=|│┃║~≈([{'\""


def named(lines: Lines, skip: frozenset[int] = frozenset(), wanted: frozenset[str] | None = None) -> list[Occurrence]:
    """Every number with a name left of it, line by line. Lines in `skip` belong to tables or objects; of `wanted`, normalized
    names or parts of them, one must stand in a line (None: any line)."""
    indexes: Iterable[int] = range(len(lines.lines))
    if wanted is not None:
        indexes = (index for index, line in enumerate(lines.normalized) if any(name in line for name in wanted))
    return [occurrence for index in indexes if index not in skip for occurrence in _pairs(lines.lines[index], index)]


def _pairs(line: str, index: int) -> Iterator[Occurrence]:
    end, taken, unclear = 0, "", False
    for match in sorted((*NUMBER.finditer(line), *_NO_NUMBER.finditer(line)), key=lambda match: match.start()):
        if match.start() < end:
            continue
        between = line[end : match.start()]
        has_name = any(character.isalpha() for character in between.rstrip(_TRAILING))
        if match.re is _NO_NUMBER:
            end = match.end()
            if has_name:
                yield _occurrence(line, index, match.start(), between, None, match[1])
            continue
        value = number(match)
        if value is None or _SPREAD.search(between):
            end = match.end()
            continue
        is_list = between.rstrip().endswith("[") and line[match.end() : match.end() + 1] != "]"
        end = match.end()
        if has_name and not is_list:
            value, end = _share(line, value, end)
            unclear = not _EXPLICIT.search(between)
            taken = between
            yield _occurrence(line, index, match.start(), between, value, value.text)
        elif taken and unclear and not between.strip():
            # "accuracy 0.90 0.95": no telling which
            yield _occurrence(line, index, match.start(), taken, value, value.text)


def _share(line: str, value: Number, end: int) -> tuple[Number, int]:
    """ "9912/10000" is a share of 0.9912."""
    whole = re.match(r"/(\d{1,15})(?![\w./])", line[end : end + 20])
    if not whole or not 0 <= value.value <= float(whole[1]) or float(whole[1]) == 0:
        return value, end
    return Number(value.value / float(whole[1]), value.text + whole[0]), end + whole.end()


def _occurrence(line: str, index: int, start: int, between: str, value: Number | None, text: str) -> Occurrence:
    """The number at `start`, named by `between`, by all of its segment of the line, and by what follows a colon in either."""
    segment = _SEGMENT.split(line[:start].rstrip(_TRAILING))[-1]
    own = _SEGMENT.split(between.rstrip(_TRAILING))[-1]
    forms: list[str] = []
    for label in (segment, own):
        parts = [part for part in re.split(r":\s*|(?<=[\])])\s*|\s*=\s*", label) if part.strip()]
        for first in range(len(parts)):
            forms.extend(_forms(" ".join(parts[first:])))
    return Occurrence(
        names=tuple(dict.fromkeys(form for form in forms if form)),
        label=own.strip(" -*#>'\"\t") or segment.strip(),
        number=value,
        text=text,
        where=f"line {index + 1}: {line.strip()[:80]!r}",
        line=index,
        column=start,
        sentence=segment if _EXPLICIT.search(between) else "",
    )


def _forms(label: str) -> list[str]:
    """Normalized forms of a label: as it is, and without what stands in brackets at its end ("RMSE (m)")."""
    bare = re.sub(r"\s*[(\[][^()\[\]]*[)\]]?\s*$", "", label)
    return [normalize(label), normalize(bare)] if bare and bare != label else [normalize(label)]


def loosely(name: str, occurrence: Occurrence) -> bool:
    """Does the label mean this name though it says more: "final accuracy", "Accuracy on the test set"? Never another split."""
    label = occurrence.label
    if _OTHER_SPLIT.search(re.sub(r"[\W_]+", " ", occurrence.sentence or label)) and not _OTHER_SPLIT.search(name):
        return False
    if _without_harmless(label) == _without_harmless(name) != "":
        return True
    partial = _PARTIAL.match(occurrence.sentence)
    head = next((part for part in partial.groups() if part), "") if partial else ""
    return bool(head) and _without_harmless(head) == _without_harmless(name) != ""


def core(name: str) -> str:
    """What of a name must stand in a line that may mean it, normalized."""
    return _without_harmless(name) or normalize(name)


def _without_harmless(label: str) -> str:
    parts = re.split(r"[\W_]+", label.casefold())
    return normalize("".join(part for part in parts if part not in _HARMLESS))


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


_MAYBE = re.compile(r"[\s*`†‡↑↓]*[-+−.\dniNI∞]")
_SPREAD_IN_CELL = re.compile(r"\s*(?:±|\+/-|\+-|\\pm)\s*")
_BRACKET_IN_CELL = re.compile(r"\s*\([^()]*\)$")


@dataclass(frozen=True)
class _Row:
    index: int
    cells: tuple[tuple[int, int, str], ...]
    """Start, end and text of each cell."""
    barred: bool

    @property
    def numbers(self) -> int:
        return sum(_MAYBE.match(text) is not None and parse(_value(text)) is not None for _, _, text in self.cells)


def tables(lines: Lines) -> tuple[list[Occurrence], frozenset[int]]:
    """Numbers in tables with bars or aligned columns, and the indexes of the lines the tables take up.

    A number answers to its column, to "row column" and, where it is the row's only one, to its row.
    """
    found: list[Occurrence] = []
    used: set[int] = set()
    header: _Row | None = None
    gap = 0
    for index, line in enumerate(lines.lines):
        row = _row(line, index)
        if row is None:
            gap += 0 if line.strip() else 1
            header = None if gap > 1 else header
            continue
        count = row.numbers
        if count == 0:
            header = row if len(row.cells) >= 2 else None
            gap = 0
        elif header is not None and row.barred == header.barred and _belongs(row, header):
            found.extend(_read_row(row, header))
            used.add(index)
            gap = 0
        else:
            header = None
    return found, frozenset(used)


def _row(line: str, index: int) -> _Row | None:
    """The cells of a line; None for blank lines and rules."""
    if not line.strip() or _RULE.fullmatch(line):
        return None
    barred = len(_BARS.findall(line)) > 0
    if barred:
        cells, position = [], 0
        for part in _BARS.split(line):
            cells.append((position, position + len(part), part.strip(" *`")))
            position += len(part) + 1
        if not cells[0][2]:
            cells = cells[1:]
        if cells and not cells[-1][2]:
            cells = cells[:-1]
        return _Row(index, tuple(cells), True)
    pattern = r"\S+(?: \S+)*" if re.search(r"\S\s{2,}\S", line.strip()) else r"\S+"
    return _Row(index, tuple((match.start(), match.end(), match[0]) for match in re.finditer(pattern, line)), False)


def _value(text: str) -> str:
    """A cell's value without its spread, stars and marks."""
    text = _SPREAD_IN_CELL.split(text.strip(), 1)[0]
    return _BRACKET_IN_CELL.sub("", text).strip(" *`†‡↑↓")


def _belongs(row: _Row, header: _Row) -> bool:
    """Can `header` head this row? Only cells that are numbers alone count: "loss 0.3 | acc 0.9" and "acc: 0.9" stand alone."""
    if row.barred:
        return len(row.cells) == len(header.cells) and row.numbers >= 1
    if row.numbers == 1 and len(row.cells) >= 2 and row.cells[-2][2].endswith((":", "=")):
        return False
    return row.numbers >= 1 and len(row.cells) <= len(header.cells) + 1 and len(header.cells) <= len(row.cells) + 4


def _read_row(row: _Row, header: _Row) -> Iterator[Occurrence]:
    columns = _columns(row, header)
    labels = [text for position, (_, _, text) in enumerate(row.cells) if parse(_value(text)) is None or columns[position] == ""]
    label = " ".join(dict.fromkeys(text for text in labels if text))
    values = []
    for position, (start, _, text) in enumerate(row.cells):
        value = parse(_value(text))
        column = columns[position]
        if value is not None and column and normalize(column) not in _COUNTS:
            values.append((start, column, value))
    for start, column, value in values:
        names = [f"{label} {column}", f"{column} {label}", column]
        if len(values) == 1:
            names.append(label)
        forms = [form for name in names for form in _forms(name)]
        if len(values) > 1:
            forms.append(normalize(label))
        yield Occurrence(
            tuple(dict.fromkeys(form for form in forms if form)),
            f"{label} {column}".strip(),
            value,
            value.text,
            f"line {row.index + 1}: {label or 'row'} / {column}",
            row.index,
            start,
            around=tuple(normalize(name) for name in (label, column, *labels) if name),
        )


def _columns(row: _Row, header: _Row) -> list[str]:
    """The header of each cell of a row: by position in the line where columns are aligned, else by number; "" for row labels."""
    heads = header.cells
    if row.barred:
        return [text for _, _, text in heads]
    if len(heads) == len(row.cells) and parse(_value(row.cells[0][2])) is None:
        return [text for _, _, text in heads]
    if len(heads) == len(row.cells) - 1:
        return ["", *(text for _, _, text in heads)]
    names = []
    for start, end, _ in row.cells:
        near = min(heads, key=lambda head: min(abs(head[1] - end), abs(head[0] - start)))
        names.append(near[2] if min(abs(near[1] - end), abs(near[0] - start)) <= 4 else "")
    return names
