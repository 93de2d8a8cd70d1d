"""Numbers in structured output: JSON, JSON lines, Python literals, CSV, notebooks."""

from __future__ import annotations

import ast
import csv
import io
import json
import math
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from autosota.metrics.numbers import Number, Occurrence, parse
from autosota.metrics.text import Lines
from autosota.metrics.vocabulary import normalize

MOST = 100_000
"""Numbers taken from one document."""
_LARGEST_LITERAL = 256 * 2**10
_NAMES = ("metric", "name", "measure", "key", "score_name")
_VALUES = ("value", "score", "result", "mean", "val")
_WRAPPED = re.compile(r"\b(?:(?:np|numpy|torch|jnp|tf)\.)?(?:float|int|uint|bfloat|tensor|array|Array|Tensor|Decimal)\d*_?\(")
_CLOSING = re.compile(r"\s*('?[-+]?[\w.]+(?:[-+]\d+)?'?)\s*(?:,\s*\w+=[^()]*)?\)")


class _Pairs(list[tuple[str, object]]):
    """A JSON object with every key as often as it was written."""


def parse_json(text: str) -> object | None:
    """The JSON value, objects as `_Pairs`; None where it is not JSON."""
    try:
        value: object = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None
    return value


def parse_literal(text: str) -> object | None:
    """A Python dict as printed, with `np.float64(0.93)` or `tensor(0.93)` and bare nan or inf in it; None where it is none."""
    if len(text) > _LARGEST_LITERAL:
        return None
    text = _unwrap(text)
    text = re.sub(r"(?<=[:,(\[{ ])([-+]?)(nan|inf)\b(?=\s*[,)\]}])", r"'\1\2'", text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return _as_pairs(value)


def _unwrap(text: str) -> str:
    """`np.float64(0.93)` → `0.93`."""
    parts, position = [], 0
    for match in _WRAPPED.finditer(text):
        closing = _CLOSING.match(text, match.end())
        if match.start() >= position and closing:
            parts += [text[position : match.start()], closing[1]]
            position = closing.end()
    return "".join([*parts, text[position:]])


def _as_pairs(value: object, depth: int = 0) -> object:
    if isinstance(value, dict) and depth < 50:
        return _Pairs((str(key), _as_pairs(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple)) and depth < 50:
        return [_as_pairs(item, depth + 1) for item in value]
    return value


def flatten(value: object, group: int = 0, line: int = 0) -> list[Occurrence]:
    """Every number, and every thing in a number's place, with its dotted path; the outer ones first, at most `MOST`."""
    found: list[Occurrence] = []
    queue: deque[tuple[tuple[str, ...], object]] = deque([((), value)])
    while queue and len(found) < MOST:
        path, item = queue.popleft()
        if isinstance(item, _Pairs):
            queue.extend(((*path, key), child) for key, child in islice(item, MOST))
            found.extend(_named_value(path, item, group, line))
        elif isinstance(item, list):
            queue.extend(((*path, str(index)), child) for index, child in enumerate(islice(item, MOST)))
            if path:
                found.append(_leaf(path, None, f"a list of {len(item)}", group, line))
        elif path:
            number = _number(item)
            text = number.text if number else str(item).lower() if item is None or isinstance(item, bool) else repr(item)[:60]
            found.append(_leaf(path, number, text, group, line))
    return found


def _number(item: object) -> Number | None:
    if isinstance(item, bool) or item is None:
        return None
    if isinstance(item, (int, float)):
        try:
            return Number(float(item), str(item)[:40])
        except OverflowError:
            return Number(math.inf, "a number too large")
    return parse(item) if isinstance(item, str) else None


def _leaf(path: tuple[str, ...], number: Number | None, text: str, group: int, line: int) -> Occurrence:
    names = tuple(dict.fromkeys(normalize("".join(path[first:])) for first in range(len(path))))
    around = tuple(normalize("".join(path[:last])) for last in range(1, len(path))) + tuple(normalize(part) for part in path[:-1])
    return Occurrence(names, ".".join(path), number, text, ".".join(path)[:80], line, 0, around, group)


def _named_value(path: tuple[str, ...], item: _Pairs, group: int, line: int) -> Iterator[Occurrence]:
    """{"metric": "accuracy", "value": 0.93} is accuracy = 0.93."""
    keys = {key.casefold(): value for key, value in item}
    name = next((keys[key] for key in _NAMES if isinstance(keys.get(key), str)), None)
    value = next((keys[key] for key in _VALUES if key in keys and _number(keys[key]) is not None), None)
    if isinstance(name, str) and value is not None:
        number = _number(value)
        yield _leaf((*path, name), number, number.text if number else "", group, line)


# ── whole files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read_json(text: str) -> list[Occurrence] | None:
    """A JSON document, or JSON lines, where the last line is the last word on each name. None where it is neither."""
    stripped = text.strip().removeprefix("\ufeff")
    if not stripped or stripped[0] not in "{[":
        return None
    value = parse_json(stripped)
    if value is None:
        value = parse_literal(stripped)
    if value is not None:
        return flatten(value)
    found: list[Occurrence] = []
    lines = [line for line in stripped.splitlines() if line.strip()][-10_000:]
    for index, line in enumerate(lines):
        value = parse_json(line)
        if value is not None:
            found.extend(flatten(value, group=index, line=index))
    return found or None


def read_table_file(text: str) -> list[Occurrence] | None:
    """CSV or TSV with a header: one row, or rows of name and value, or rows told apart by `section`. None where it is none."""
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        return None
    delimiter = max(",\t;", key=lambda mark: lines[0].count(mark))
    if not lines[0].count(delimiter):
        return None
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines[:MOST])), delimiter=delimiter)]
    except csv.Error:
        return None
    header = rows[0]
    if _is_name_value(rows):
        pairs = rows if parse(header[1]) is not None else rows[1:]
        return [_leaf((name,), parse(value), value, 0, index) for index, (name, value) in enumerate(pairs)]
    if any(parse(cell) is not None for cell in header):
        return None
    found: list[Occurrence] = []
    for index, row in enumerate(rows[1:], start=1):
        labels = [cell for cell in row if cell and parse(cell) is None]
        for name, cell in zip(header, row, strict=False):
            number = parse(cell)
            if name and (number is not None or not cell or cell.casefold() in {"none", "null", "na", "n/a", "true", "false"}):
                base = _leaf((name,), number, cell or "empty", 0, index)
                names = (*base.names, *(normalize(label + name) for label in labels))
                around = tuple(normalize(other) for other in row if other)
                found.append(replace(base, names=names, where=" ".join((f"row {index}:", *labels, name)), around=around))
    return found or None


def _is_name_value(rows: list[list[str]]) -> bool:
    """Two columns, a name and its value in each row, under a head that says so or under none."""
    if any(len(row) != 2 or parse(row[0]) is not None for row in rows):
        return False
    first, second = (normalize(cell) for cell in rows[0])
    return parse(rows[0][1]) is not None or first in _NAMES or second in _VALUES


def notebook_text(text: str) -> str | None:
    """What the cells of a notebook printed; None where it is no notebook."""
    try:
        cells = json.loads(text).get("cells", [])
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        printed = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return None
    return "\n".join("".join(part) if isinstance(part, list) else str(part) for part in printed)


# ── objects in text ───────────────────────────────────────────────────────────────────────────────────────────────────


def objects(lines: Lines, most: int = 300) -> tuple[list[Occurrence], frozenset[int]]:
    """Numbers in the last JSON objects and Python dicts printed among other text, in order, and the lines the objects take up.

    `group` counts the objects.
    """
    text = "\n".join(lines.lines)
    found: list[tuple[int, int, object]] = []
    end = len(text)
    tries = 0
    while len(found) < most and tries < 4 * most:
        end = text.rfind("}", 0, end)
        if end < 0:
            break
        tries += 1
        start = _opening(text, end)
        value = None if start is None else parse_json(text[start : end + 1]) or parse_literal(text[start : end + 1])
        if start is not None and isinstance(value, _Pairs) and value:
            found.append((start, end, value))
            end = start
    occurrences: list[Occurrence] = []
    line, position = 0, 0
    used: set[int] = set()
    for group, (start, stop, value) in enumerate(reversed(found)):
        line += text.count("\n", position, start)
        position = start
        used.update(range(line, line + text.count("\n", start, stop) + 1))
        occurrences.extend(replace(item, where=f"line {line + 1}: {item.where}") for item in flatten(value, group, line))
    return occurrences, frozenset(used)


def _opening(text: str, end: int, reach: int = 2**20) -> int | None:
    """Where the object that ends at `end` begins: braces counted backwards."""
    depth = 0
    lowest = max(0, end - reach)
    for match in re.finditer(r"[{}]", text[lowest : end + 1][::-1]):
        depth += 1 if match[0] == "}" else -1
        if depth == 0:
            return end - match.start()
    return None
