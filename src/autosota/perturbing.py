"""Data files with one thing changed, for probes (validity.md 3.6): a column permuted, rows shuffled, values moved by a hair.

Pure: bytes to bytes. Tables (CSV, TSV), JSON lines and NumPy arrays; everything else is left alone. Nothing is unpickled.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from autosota import rows

_LARGEST = 64 * 2**20
_FEWEST = 12
"""Rows below which nothing can be told."""
_NAMED = (
    "label", "labels", "target", "targets", "y", "class", "classes", "truth", "gold", "answer", "answers", "ytrue", "ytest",
    "relevant", "outcome", "response",
)  # fmt: skip
_ENDINGS = ("label", "labels", "target", "targets", "answer", "answers")


@dataclass(frozen=True)
class Table:
    """The columns of one file; a column is a list of texts or values, or an array with one entry a row."""

    name: str
    count: int
    columns: Mapping[str, Any]
    form: Mapping[str, Any] = field(default_factory=dict)
    """What is needed to write the file back."""


def read(name: str, content: bytes | None) -> Table | None:
    """The columns of a file; None where it has none that we can tell apart."""
    if content is None or len(content) > _LARGEST:
        return None
    suffix = PurePosixPath(name).suffix.lower()
    try:
        if suffix in (".npy", ".npz"):
            return _arrays(name, content)
        if suffix in (".jsonl", ".ndjson"):
            return _objects(name, content.decode())
        if suffix in (".csv", ".tsv", ".txt", ".dat", ".data"):
            return _text(name, content.decode("utf-8-sig"), "\t" if suffix == ".tsv" else None)
    except (rows.Malformed, UnicodeDecodeError, ValueError, RecursionError, csv.Error):
        return None
    return None


def write(table: Table, columns: Mapping[str, Any]) -> bytes:
    """The file with other values in its columns; the number of rows may differ from the table's, equally in all columns."""
    kind = table.form["kind"]
    if kind == "arrays":
        return _packed({**table.form["rest"], **columns}, single=table.form["single"])
    values = list(columns.values())
    if kind == "objects":
        lines = [json.dumps({**other, **dict(zip(columns, row, strict=True))})
                 for other, row in zip(table.form["rest"], zip(*values, strict=True), strict=True)]  # fmt: skip
        return ("\n".join(lines) + "\n").encode()
    separator = table.form["separator"]
    body = [separator.join(row) for row in zip(*values, strict=True)]
    return ("\n".join([*table.form["head"], *body]) + "\n").encode()


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _arrays(name: str, content: bytes) -> Table | None:
    found = rows.arrays(content)
    counts = [len(value) for value in found.values() if getattr(value, "ndim", 0)]
    if not counts:
        return None
    count = max(set(counts), key=counts.count)
    columns = {key: value for key, value in found.items() if getattr(value, "ndim", 0) and len(value) == count}
    rest = {key: value for key, value in found.items() if key not in columns}
    single = not content.startswith(b"PK")
    return Table(name, count, columns, {"kind": "arrays", "rest": rest, "single": single}) if count >= _FEWEST else None


def _packed(arrays: Mapping[str, Any], *, single: bool) -> bytes:
    import numpy

    stream = io.BytesIO()
    if single:
        numpy.save(stream, next(iter(arrays.values())), allow_pickle=False)
    else:
        numpy.savez(stream, **arrays)
    return stream.getvalue()


def _objects(name: str, text: str) -> Table | None:
    items = [json.loads(line) for line in text.splitlines() if line.strip()]
    if len(items) < _FEWEST or not all(isinstance(item, dict) for item in items):
        return None
    common = [key for key in items[0] if all(key in item for item in items)]
    columns = {key: [item[key] for item in items] for key in common}
    shared = set(common)
    rest = [{key: value for key, value in item.items() if key not in shared} for item in items]
    return Table(name, len(items), columns, {"kind": "objects", "rest": rest})


def _text(name: str, text: str, separator: str | None) -> Table | None:
    lines = [line for line in text.splitlines() if line.strip()]
    head = []
    while lines and lines[0].lstrip().startswith(("#", "%", "@")):
        head.append(lines.pop(0))
    if len(lines) < _FEWEST or any('"' in line for line in lines[1:]):
        return None
    separator = separator or next((mark for mark in (",", ";", "\t") if mark in lines[-1]), "\t")
    cells = [line.split(separator) for line in lines]
    titled = not any(_number(cell) is not None for cell in cells[0]) and (
        any(_number(cell) is not None for cell in cells[-1]) or len({*cells[0]} & {row[0] for row in cells[1:]}) == 0
    )
    if titled and (len(cells[0]) > 1 or _number(cells[-1][0]) is not None):
        head.append(lines[0])
        names, body = [cell.strip().strip('"') for cell in cells[0]], cells[1:]
    else:
        names, body = [f"column {index}" for index in range(len(cells[0]))], cells
    if len(body) < _FEWEST or any(len(row) != len(names) for row in body) or len(set(names)) < len(names):
        return None
    columns = {title: [row[index] for row in body] for index, title in enumerate(names)}
    return Table(name, len(body), columns, {"kind": "text", "separator": separator, "head": head})


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


# ── columns ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def numbers(column: Any) -> list[float] | None:
    """A column as numbers; None where one entry is none."""
    if hasattr(column, "ndim"):
        return [float(value) for value in column] if column.ndim == 1 and column.dtype.kind in "biuf" else None
    found = [_number(value) if not isinstance(value, bool) else float(value) for value in column]
    return [value for value in found if value is not None] if all(value is not None for value in found) else None


def steady(column: Any) -> bool:
    """Numbers that only rise, as row numbers and times do."""
    found = numbers(column)
    return found is not None and all(a < b for a, b in itertools.pairwise(found))


def equal(first: Any, second: Any) -> bool:
    """Do two columns hold the same values?"""
    a, b = numbers(first), numbers(second)
    if a is not None and b is not None:
        return len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(a, b, strict=True))
    return len(first) == len(second) and [str(x) for x in first] == [str(y) for y in second]


def likely_labels(table: Table, known: Sequence[Any] = ()) -> list[str]:
    """Columns that may hold the answers, the likeliest first. `known`: columns of results, some of which may repeat them."""
    ranked: list[tuple[int, int, str]] = []
    last = len(table.columns) - 1
    for index, (name, column) in enumerate(table.columns.items()):
        if getattr(column, "ndim", 1) != 1 or steady(column) or not _varies(column):
            continue
        if not hasattr(column, "ndim") and any(isinstance(value, (list, dict)) for value in column):
            continue
        plain = "".join(filter(str.isalnum, name.lower()))
        if any(equal(column, other) for other in known):
            rank = 0
        elif plain in _NAMED or plain.endswith(_ENDINGS):
            rank = 1
        elif len({str(value) for value in column}) <= max(2, table.count // 3):
            rank = 2 if index == last else 3
        else:
            rank = 4 if index == last else 5
        ranked.append((rank, -index, name))
    return [name for rank, _, name in sorted(ranked) if rank < 5]


def _varies(column: Any) -> bool:
    return len({str(value) for value in column}) > 1


# ── changes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def permuted(table: Table, name: str, seed: int) -> bytes:
    """One column in another order."""
    order = list(range(table.count))
    random.Random(seed).shuffle(order)
    return write(table, {**table.columns, name: _taken(table.columns[name], order)})


def shuffled(table: Table, order: Sequence[int]) -> Table:
    """The rows in another order, or some of them; row numbers and times stay in their places."""
    rest = table.form.get("rest")
    form = {**table.form, "rest": [rest[index] for index in order]} if isinstance(rest, list) else table.form
    places = range(len(order))
    columns = {
        name: _taken(column, places if steady(column) else order) for name, column in table.columns.items()
    }  # fmt: skip
    return Table(table.name, len(order), columns, form)


def jittered(table: Table, spare: Sequence[str], seed: int) -> Table:
    """Real numbers moved by the smallest step that their form can show, about one in 1e9; whole numbers stay."""
    draw = random.Random(seed)
    columns = {name: column if name in spare else _jittered(column, draw) for name, column in table.columns.items()}
    return Table(table.name, table.count, columns, table.form)


def _jittered(column: Any, draw: random.Random) -> Any:
    if hasattr(column, "ndim"):
        import numpy

        if column.dtype.kind != "f":
            return column
        toward = numpy.where(numpy.random.default_rng(draw.getrandbits(32)).random(column.shape) < 0.5, -numpy.inf, numpy.inf)
        return numpy.nextafter(column, toward.astype(column.dtype))
    found = numbers(column)
    if found is None or all(value.is_integer() for value in found):
        return column
    moved = [value * (1.0 + draw.choice((-1.0, 1.0)) * 1e-9) for value in found]
    return [repr(value) for value in moved] if isinstance(column[0], str) else moved


def disturbed(table: Table, start: int, stop: int, seed: int) -> bytes | None:
    """Real numbers of some rows replaced by those of rows elsewhere; None where there are none."""
    draw = random.Random(seed)
    order = list(range(table.count))
    order[start:stop] = [draw.randrange(max(1, start)) for _ in range(stop - start)]
    columns: dict[str, Any] = {}
    for name, column in table.columns.items():
        real = column.dtype.kind == "f" if hasattr(column, "ndim") else _real(column)
        columns[name] = _taken(column, order) if real and not steady(column) else column
    changed = any(columns[name] is not column for name, column in table.columns.items())
    return write(table, columns) if changed else None


def _real(column: Any) -> bool:
    found = numbers(column)
    return found is not None and not all(value.is_integer() for value in found)


def _taken(column: Any, order: Sequence[int]) -> Any:
    return column[list(order)] if hasattr(column, "ndim") else [column[index] for index in order]


# ── results ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def differing(first: Any, second: Any, tolerance: float = 1e-12) -> list[int]:
    """Rows in which two columns of equal length differ."""
    if hasattr(first, "ndim") and first.ndim > 1:
        import numpy

        apart = ~numpy.isclose(first, second, rtol=max(tolerance, 1e-12), atol=tolerance, equal_nan=True)
        return [int(index) for index in numpy.flatnonzero(apart.reshape(len(first), -1).any(axis=1))]
    a, b = numbers(first), numbers(second)
    if a is None or b is None:
        return [index for index, (x, y) in enumerate(zip(first, second, strict=True)) if str(x) != str(y)]
    return [
        index
        for index, (x, y) in enumerate(zip(a, b, strict=True))
        if not (math.isclose(x, y, rel_tol=max(tolerance, 1e-12), abs_tol=tolerance) or (math.isnan(x) and math.isnan(y)))
    ]
