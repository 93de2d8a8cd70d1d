"""Files with one row per scored item, read and cut by the host: NumPy arrays, tables, JSON lines and plain lines.

What is read may come from a candidate: nothing is unpickled, sizes are checked before anything is allocated.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from autosota.items import ID_NAMES

SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".txt")
"""Of the files that have rows for us."""
ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError,
    IndexError, struct.error, lzma.LZMAError, UnicodeError,
)  # fmt: skip
"""What reading a broken or hostile archive raises."""
_LARGEST = 1 << 30
"""Bytes of all arrays of one file, uncompressed."""
_ROWS, _CELLS = 10_000_000, 50_000_000
"""Rows of one file, and its rows times its columns."""


class Malformed(Exception):
    """A file is not what its name says. The message is one line without the file's name."""


@dataclass(frozen=True)
class Rows:
    """The rows of one file."""

    keys: tuple[str, ...]
    """One per row: its id where the file has a column of unique ids, else its number."""
    named: bool
    """Are the keys ids?"""
    take: Callable[[Sequence[int]], bytes]
    """The file with some of its rows, by number, in the order given."""
    numbers: Callable[[], Mapping[str, Any]]
    """Column or array name → NumPy array of floats with one entry or row per row; what is no number is left out."""
    words: Callable[[], Mapping[str, Sequence[str]]] = dict
    """Column name → its entries as text, where they are not all numbers."""


def supported(name: str) -> bool:
    """Does a file of this name have rows for us?"""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def read(name: str, content: bytes, count: int | None = None) -> Rows:
    """The rows of a file. `count`: how many there must be, where that is known; else all arrays of a file must agree.

    Raises Malformed.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".npy", ".npz"):
        return _arrays(content, count, single=suffix == ".npy")
    text = _decoded(content)
    _bounded(text.count("\n") + text.count("\r"))
    if suffix in (".csv", ".tsv"):
        return _table(text, "\t" if suffix == ".tsv" else _separator(text), count)
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _objects(text, lines=suffix != ".json")
    if suffix == ".txt":
        return _lines(text)
    raise Malformed(f"files {suffix or 'without a suffix'} have no rows that can be told apart")


def _bounded(count: int, width: int = 1) -> None:
    if count > _ROWS or count * width > _CELLS:
        raise Malformed(f"{count} rows of {width}, where {_ROWS} rows and {_CELLS} entries are the most")


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8: {error.reason} at byte {error.start}") from None


# ── arrays ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def arrays(content: bytes) -> dict[str, Any]:
    """Array name → NumPy array of an .npz file, or "" → the one of an .npy file. Raises Malformed, also for Python objects."""
    if not content.startswith(b"PK"):
        return {"": _array(content)}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                raise Malformed(f"arrays larger than {_LARGEST >> 20} MiB")
            return {info.filename.removesuffix(".npy"): _array(archive.read(info)) for info in archive.infolist()}
    except ZIP_ERRORS as error:
        raise Malformed(f"not an .npz file: {error}") from None


def _array(content: bytes) -> Any:
    import numpy

    stream = io.BytesIO(content)
    try:
        version = numpy.lib.format.read_magic(stream)
        header = numpy.lib.format.read_array_header_1_0 if version == (1, 0) else numpy.lib.format.read_array_header_2_0
        shape, fortran, kind = header(stream)
    except (ValueError, EOFError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise Malformed(f"not a NumPy array: {(str(error).splitlines() or ['broken head'])[0]}") from None
    if kind.hasobject:
        raise Malformed("an array of Python objects")
    if kind.itemsize == 0 or any(size < 0 for size in shape) or (0 in shape and max(shape) > _ROWS):
        raise Malformed(f"an array of shape {shape} with entries of {kind.itemsize} bytes")
    data = content[stream.tell() :]
    if len(data) != math.prod(shape) * kind.itemsize:
        raise Malformed(f"an array of shape {shape} with {len(data)} bytes")
    try:
        array = numpy.frombuffer(data, dtype=kind)
        return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Malformed(f"an array of shape {shape}: {error}") from None


def _arrays(content: bytes, count: int | None, *, single: bool) -> Rows:
    found = arrays(content)
    lengths = {name: len(array) for name, array in found.items() if array.ndim}
    if count is None:
        if len(set(lengths.values())) != 1:
            raise Malformed("no arrays with one entry per row" if not lengths else f"arrays of different lengths: {lengths}")
        count = next(iter(lengths.values()))
    rowwise = [name for name, length in lengths.items() if length == count]
    _bounded(count)
    if not rowwise:
        raise Malformed(f"no array of {count} rows, but {lengths or 'none at all'}")

    def take(chosen: Sequence[int]) -> bytes:
        import numpy

        stream = io.BytesIO()
        index = numpy.asarray(chosen, dtype=int)
        cut = {name: array[index] if name in rowwise else array for name, array in found.items()}
        if single:
            numpy.save(stream, cut[""], allow_pickle=False)
            return stream.getvalue()
        # Not `numpy.savez`, whose own parameters an array's name may collide with.
        with zipfile.ZipFile(stream, "w") as archive:
            for name, array in cut.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    numpy.lib.format.write_array(member, array, allow_pickle=False)
        return stream.getvalue()

    def numbers() -> Mapping[str, Any]:
        return {name: found[name] for name in rowwise if found[name].dtype.kind in "fiub"}

    ids = next((found[name] for name in rowwise if _plain(name) in ID_NAMES and found[name].ndim == 1), None)
    keys = tuple(str(value) for value in ids.tolist()) if ids is not None else ()
    named = bool(keys) and len(set(keys)) == len(keys)

    return Rows(keys if named else _numbered(count), named, take, numbers)


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(name: str) -> str:
    plain = "".join(filter(str.isalnum, name.lower()))
    return plain.removesuffix("s") if plain in ("ids", "indices", "keys", "names") else plain


def _separator(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _table(text: str, separator: str, count: int | None) -> Rows:
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True) if row]
    except csv.Error as error:
        raise Malformed(f"not a table: {error}") from None
    if not lines:
        raise Malformed("no rows")
    head = lines[:1] if _has_head(lines, count) else []
    body = lines[len(head) :]
    width = len(lines[0])
    if any(len(row) != width for row in body):
        odd = next(number for number, row in enumerate(lines, 1) if len(row) != width)
        raise Malformed(f"row {odd} has {len(lines[odd - 1])} fields and not {width}")

    names = head[0] if head else _numbered(width)
    columns = {name: [row[index] for row in body] for index, name in enumerate(names)}

    def take(chosen: Sequence[int]) -> bytes:
        stream = io.StringIO()
        csv.writer(stream, delimiter=separator, lineterminator="\n").writerows([*head, *(body[number] for number in chosen)])
        return stream.getvalue().encode()

    def numbers() -> Mapping[str, Any]:
        return dict(_columns(columns))

    place = next((index for index, name in enumerate(head[0]) if _plain(name) in ID_NAMES), None) if head else None
    keys = [row[place] for row in body] if place is not None else []
    named = bool(keys) and len(set(keys)) == len(keys)

    unique = tuple(keys) if named else _numbered(len(body))
    return Rows(unique, named, take, numbers, lambda: _texts(columns))


def _has_head(lines: Sequence[Sequence[str]], count: int | None) -> bool:
    """Is the first line one of names? Where the number of rows is known, it decides."""
    if count is not None and len(lines) in (count, count + 1):
        return len(lines) == count + 1
    first = lines[0]
    if any(_number(cell) is not None for cell in first) or len(set(first)) < len(first):
        return False
    below = lines[1:]
    numeric = any(_number(row[index]) is not None for row in below[:5] for index in range(min(len(first), len(row))))
    repeated = any(first[index] == row[index] for row in below for index in range(min(len(first), len(row))))
    return numeric or not repeated


def _objects(text: str, *, lines: bool) -> Rows:
    try:
        data = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    if not isinstance(data, list) or not data:
        raise Malformed("no list of rows")
    objects = all(isinstance(row, dict) for row in data)
    _bounded(len(data), max(1, len(data[0])) if objects else 1)

    def take(chosen: Sequence[int]) -> bytes:
        cut = [data[number] for number in chosen]
        return ("".join(json.dumps(row) + "\n" for row in cut) if lines else json.dumps(cut)).encode()

    columns = {name: [row.get(name) for row in data] for name in data[0]} if objects else {"": data}

    def numbers() -> Mapping[str, Any]:
        return dict(_columns(columns))

    name = next((name for name in data[0] if _plain(name) in ID_NAMES), None) if objects else None
    keys = [str(row.get(name)) for row in data] if name is not None and all(name in row for row in data) else []
    named = bool(keys) and len(set(keys)) == len(keys)

    unique = tuple(keys) if named else _numbered(len(data))
    return Rows(unique, named, take, numbers, lambda: _texts(columns))


def _lines(text: str) -> Rows:
    lines = text.splitlines()
    if not lines:
        raise Malformed("no rows")
    _bounded(len(lines))

    def take(chosen: Sequence[int]) -> bytes:
        return "".join(f"{lines[number]}\n" for number in chosen).encode()

    def numbers() -> Mapping[str, Any]:
        return dict(_columns({"": [line.split() if " " in line.strip() else line for line in lines]}))

    return Rows(_numbered(len(lines)), False, take, numbers, lambda: _texts({"": lines}))


def _texts(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    """The columns that are not all numbers."""
    return {
        name: [str(entry).strip() for entry in entries]
        for name, entries in columns.items()
        if any(_number(entry) is None for entry in entries)
    }  # fmt: skip


def _columns(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Any]]:
    """The columns whose entries are all numbers, or lists of equally many numbers."""
    import numpy

    for name, entries in columns.items():
        values = [[_number(part) for part in entry] if isinstance(entry, list) else _number(entry) for entry in entries]
        flat = [part for value in values for part in (value if isinstance(value, list) else [value])]
        lengths = {len(value) if isinstance(value, list) else -1 for value in values}
        if len(lengths) == 1 and all(part is not None for part in flat):
            yield name, numpy.asarray(values, dtype=float)


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
