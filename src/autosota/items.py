"""Scores per item, from the file a task names with `items`: what a deterministic evaluation is tested over (validity 3.5.4)."""

from __future__ import annotations

import csv
import io
import json
import math
import zlib
from collections.abc import Collection, Mapping

ID_NAMES = ("id", "item", "index", "row", "name", "key", "sample", "uid")
_BETTER = ("score", "correct", "hit", "reward", "gain", "accuracy", "f1", "ap", "ndcg", "recall")
_WORSE = ("loss", "error", "abserror", "squarederror", "ae", "se", "nll", "distance")
_TRUTH, _GUESS = (
    ("label", "target", "truth", "gold", "y", "ytrue", "actual"),
    ("prediction", "predicted", "pred", "yhat", "ypred", "forecast"),
)
_MOST = 1_000_000
_MANY = 100_000
"""Items whose noise is small enough for any claim; more only cost memory."""
_FEWEST = 20
"""Rows of a file that is taken for scores per item without being named."""


def read(content: bytes | None) -> dict[str, float] | None:
    """Item → score, larger is better; None where the file has no column that says how an item went.

    CSV, TSV, JSON lines or a JSON list of objects. An item is named by its id column, else by its row. The score is a column
    named like a score, the negative of one named like a loss, else whether prediction and label agree (their negative absolute
    difference where both are numbers with decimals). A row without a finite score makes the file unusable: None.
    """
    rows = _rows(content or b"")
    if not rows or len(rows) > _MOST:
        return None
    columns = {"".join(filter(str.isalnum, str(name).lower())): name for name in rows[0]}
    names = [columns[name] for name in ID_NAMES if name in columns]
    scores: dict[str, float] = {}
    for number, row in enumerate(rows):
        score = _score(row, columns)
        name = str(row.get(names[0], number)) if names else str(number)
        if score is None or not math.isfinite(score) or name in scores:
            return None
        scores[name] = score
    return scores


def thinned(scores: dict[str, float]) -> dict[str, float]:
    """The scores, or of very many the same part in every run: by a digest of the item's name."""
    if len(scores) <= _MANY:
        return scores
    share = -(-len(scores) // _MANY)
    return {name: score for name, score in scores.items() if zlib.crc32(name.encode()) % share == 0}


def explains(score: float, value: float) -> bool:
    """Is the metric a plain function of the mean score, to the digits it was printed with?"""
    readings = [score, 1.0 - score, -score, (-score) ** 0.5 if score < 0.0 else score]
    return any(abs(reading * unit - value) <= _slack(value) for reading in readings for unit in (1.0, 100.0))


def _slack(value: float) -> float:
    decimals = len(f"{value:.10g}".partition(".")[2])
    return float(max(0.5 * 10.0 ** -max(decimals, 3), 1e-6 * abs(value)) * (1.0 + 1e-6)) if decimals < 10 else 1e-6 * abs(value)


def find(written: Mapping[str, bytes], values: Collection[float]) -> str | None:
    """Which of the files that an evaluation wrote holds scores per item: their mean is one of the `values` it reported."""
    for name, content in sorted(written.items()):
        scores = read(content)
        if scores is not None and len(scores) >= _FEWEST and len(set(scores.values())) > 1:
            mean = math.fsum(scores.values()) / len(scores)
            if any(explains(mean, value) for value in values):
                return name
    return None


def _score(row: dict[str, object], columns: dict[str, str]) -> float | None:
    for names, sign in ((_BETTER, 1.0), (_WORSE, -1.0)):
        for name in names:
            if name in columns:
                value = _number(row.get(columns[name]))
                return None if value is None else sign * value
    truth = next((columns[name] for name in _TRUTH if name in columns), None)
    guess = next((columns[name] for name in _GUESS if name in columns), None)
    if truth is None or guess is None:
        return None
    a, b = row.get(truth), row.get(guess)
    x, y = _number(a), _number(b)
    if x is not None and y is not None and not (x.is_integer() and y.is_integer()):
        return -abs(x - y)
    return float(str(a) == str(b) or (x is not None and x == y))


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return {"true": 1.0, "false": 0.0}.get(str(value).strip().lower())


def _rows(content: bytes) -> list[dict[str, object]]:
    text = content.decode("utf-8", "replace").strip()
    try:
        data = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
        if data and all(isinstance(row, dict) for row in data):
            return data
    except (ValueError, RecursionError):
        pass
    if not text:
        return []
    separator = "\t" if "\t" in text.splitlines()[0] else ","
    try:
        return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)]
    except csv.Error:
        return []
