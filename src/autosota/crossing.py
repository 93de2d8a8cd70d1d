"""What may cross from predict to score: inert data only, and in the form the task declares (contract, section 3)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from autosota import rows
from autosota.records import OutputForm

BREACH = "the outputs break their schema: "
"""How a failure begins whose cause is the form of the outputs."""
PICKLED = "the outputs hold objects that run code when read: "
"""How a failure begins whose cause is a pickle."""
CODE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt")
"""Formats that are pickles."""
_SIMPLEX = 1e-3
"""How far a row of probabilities may be from a sum of one."""


def breach(outputs: Mapping[str, bytes], labels: Mapping[str, bytes], form: OutputForm | None) -> str | None:
    """Why these outputs may not be scored, in one line; None where they may.

    Pickles never cross. The rest is checked as far as `form` asks for it, in files that have rows; `labels` tell the ids and
    the number of rows.
    """
    for name, content in outputs.items():
        if _pickled(content):
            return f"{PICKLED}{name}"
    if form is None:
        return None
    truth = _truth(labels)
    for name, content in outputs.items():
        problem = _problem(name, content, form, truth) if rows.supported(name) else None
        if problem:
            return f"{BREACH}{name}: {problem}"
    return None


def _truth(labels: Mapping[str, bytes]) -> rows.Rows | None:
    for name, content in labels.items():
        try:
            return rows.read(name, content)
        except rows.Malformed:
            continue
    return None


def _pickled(content: bytes) -> bool:
    """Is it a pickle, an archive of one, or a NumPy file of Python objects?"""
    if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05" and content.rstrip()[-1:] == b".":
        return True
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if any(name.endswith((".pkl", ".pickle")) for name in archive.namelist()):
                    return True
        except rows.ZIP_ERRORS:
            return False
    if content.startswith((b"PK", b"\x93NUMPY")):
        try:
            rows.arrays(content)
        except rows.Malformed as problem:
            return "Python objects" in str(problem)
    return False


def _problem(name: str, content: bytes, form: OutputForm, truth: rows.Rows | None) -> str | None:
    try:
        table = _table(name, content, truth)
    except rows.Malformed as problem:
        return str(problem)
    return (
        (form.shape == "rows" and truth is not None and _shape(table, truth))
        or (form.ids == "unique" and _ids(table, truth))
        or _values(table, form)
        or None
    )


def _table(name: str, content: bytes, truth: rows.Rows | None) -> rows.Rows:
    """The rows of an output; where its arrays differ in length, those that go with the labels. Raises rows.Malformed."""
    try:
        return rows.read(name, content)
    except rows.Malformed:
        if truth is None:
            raise
        return rows.read(name, content, len(truth.keys))


def _shape(table: rows.Rows, truth: rows.Rows) -> str:
    if len(table.keys) == len(truth.keys):
        return ""
    return f"{len(table.keys)} rows where the labels have {len(truth.keys)}"


def _ids(table: rows.Rows, truth: rows.Rows | None) -> str:
    """Every item exactly once: all ids differ, and they are those of the labels where these have any."""
    if not table.named:
        return "no column of unique ids"
    if truth is None or not truth.named:
        return ""
    missing, foreign = set(truth.keys) - set(table.keys), set(table.keys) - set(truth.keys)
    if missing:
        return f"{len(missing)} ids are missing, e.g. {min(missing)!r}"
    return f"{len(foreign)} unknown ids, e.g. {min(foreign)!r}" if foreign else ""


def _values(table: rows.Rows, form: OutputForm) -> str:
    numbers = table.numbers()
    if form.finite:
        bad = [name or "the file" for name, values in numbers.items() if not _finite(values)]
        if bad:
            return f"{bad[0]} holds a value that is not finite"
    if form.probabilities == "simplex":
        return _simplex(numbers, table)
    return ""


def _finite(values: Any) -> bool:
    import numpy

    return bool(numpy.isfinite(values).all())


def _simplex(numbers: Mapping[str, Any], table: rows.Rows) -> str:
    """Are the rows probabilities? A matrix is taken as it is, single columns together, but for ids and whole numbers."""
    import numpy

    matrices = {name: values for name, values in numbers.items() if values.ndim == 2 and values.shape[1] > 1}
    if not matrices:
        single = [values for values in numbers.values() if values.ndim == 1 and not _whole(values)]
        if len(single) < 2:
            return "no probabilities of several classes in a row"
        matrices = {"the row": numpy.stack(single, axis=1)}
    for name, values in matrices.items():
        bad = (values < 0.0).any(axis=1) | (numpy.abs(values.sum(axis=1) - 1.0) > _SIMPLEX)
        if bad.any():
            row = int(numpy.argmax(bad))
            return f"{name}: row {table.keys[row]} is no distribution: it adds up to {float(values[row].sum()):.4g}"
    return ""


def _whole(values: Any) -> bool:
    import numpy

    return bool((values == numpy.rint(values)).all()) and not bool(((values == 0.0) | (values == 1.0)).all())
