"""Cells of tables, whatever the paper's format: bold kept as **…**, head rows joined, spans filled."""

from __future__ import annotations

import re
from collections.abc import Sequence

from autosota.metrics.numbers import parse
from autosota.records import Table

CAPTION = re.compile(r"^\W{0,4}(?:table|tab\.)\s*([\dIVX]+(?:\.\d+)?|[A-Z]\.?\d+)\s*[:.|—–-]?\W{0,3}(.*)$", re.IGNORECASE)
_SPREAD = re.compile(r"\s*\(?\s*(?:±|\+/-|\+-|\\pm)\s*")
_MARKS = re.compile(r"[*_`†‡§↑↓∗\s$]+")


def amount(cell: str) -> float | None:
    """The number in a cell, without bold, marks, a spread or a bracket behind it; None where it holds none."""
    text = _SPREAD.split(cell.replace("**", ""), 1)[0]
    text = re.sub(r"\s*[(\[][^()\[\]]*[)\]]\s*$", "", text)
    text = re.sub(r"(?<=\d)\s*[†‡§∗*↑↓a-d]{0,2}$", "", text.strip().strip("_`$†‡§↑↓∗* "))
    number = parse(text)
    return number.value if number else None


def spread(cell: str) -> float | None:
    """What stands behind ± in a cell, or in brackets behind its number; None where nothing does."""
    text = cell.replace("**", "").replace("$", "")
    parts = _SPREAD.split(text, 1)
    if len(parts) == 2:
        found = re.match(r"[\d.]+", parts[1].strip("() _"))
        number = parse(found[0]) if found else None
        return number.value if number else None
    bracket = re.fullmatch(r"\s*[-\d.]+\s*%?\s*\((\d*\.\d+)\)\s*", text)
    return float(bracket[1]) if bracket else None


def plain(cell: str) -> str:
    """A cell's words without bold and footnote marks."""
    return " ".join(_MARKS.sub(" ", cell).split())


def build(caption: str, rows: Sequence[Sequence[str]], page: int | None = None, heads: int | None = None) -> Table | None:
    """A table of rows of cells. Without `heads` the head is the rows before the first number; None where there is no body."""
    width = max((len(row) for row in rows), default=0)
    filled = [[*row, *[""] * (width - len(row))] for row in rows if any(cell.strip() for cell in row)]
    if heads is None:
        numeric = [index for index, row in enumerate(filled) if _is_body(row)]
        heads = max(1, numeric[0]) if numeric else 1
    if width < 2 or len(filled) <= heads or heads > 6:
        return None
    head = [
        " ".join(dict.fromkeys(row[column].strip() for row in filled[:heads] if row[column].strip())) for column in range(width)
    ]
    body = tuple(tuple(" ".join(cell.split()) for cell in row) for row in filled[heads:])
    return Table(caption=" ".join(caption.split())[:600], header=tuple(head), rows=body, page=page)


def _is_body(row: Sequence[str]) -> bool:
    values = [amount(cell) for cell in row[1:]]
    numbers = [value for value in values if value is not None]
    horizons = all(value == int(value) and 0 < value <= 2100 for value in numbers) and not row[0].strip()
    return bool(numbers) and not horizons
