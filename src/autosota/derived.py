"""Scores per item from predictions and labels, believed only where their mean is the metric that was scored."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autosota import rows
from autosota.items import explains

_TINY = 1e-12


def items(outputs: Mapping[str, bytes], labels: Mapping[str, bytes], value: float) -> bytes | None:
    """A table of item and score (larger is better) that explains the metric's `value`; None where no rule known does.

    Rules: equal, nearer class, arg max, absolute and squared error, log loss; the metric is their mean, its complement, its
    negative or its root, as fraction or per cent.
    """
    answers, truths = _tables(outputs), _tables(labels)
    for truth in truths:
        for answer in answers:
            order = _order(answer, truth)
            if order is None:
                continue
            for score in _scores(answer, truth, order):
                if explains(float(score.mean()), value):
                    return _written(truth.keys, score.tolist())
    return None


def _tables(files: Mapping[str, bytes]) -> list[rows.Rows]:
    found = []
    for name, content in files.items():
        try:
            found.append(rows.read(name, content))
        except rows.Malformed:
            continue
    return found


def _order(answer: rows.Rows, truth: rows.Rows) -> list[int] | None:
    """The answer's row for every row of the truth."""
    if answer.named and truth.named:
        places = {key: number for number, key in enumerate(answer.keys)}
        order = [places.get(key, -1) for key in truth.keys]
        return None if -1 in order else order
    return list(range(len(truth.keys))) if len(answer.keys) == len(truth.keys) else None


def _scores(answer: rows.Rows, truth: rows.Rows, order: Sequence[int]) -> Iterator[Any]:
    """Every score per item that predictions and labels allow."""
    import numpy

    for told in truth.words().values():
        for said in answer.words().values():
            yield numpy.asarray([said[place] == word for place, word in zip(order, told, strict=True)], dtype=float)
    for told in truth.numbers().values():
        if truth.named and [f"{value:g}" for value in told.ravel()[:3]] == list(truth.keys[:3]):
            continue
        for said in answer.numbers().values():
            given = numpy.asarray(said, dtype=float)[list(order)]
            with numpy.errstate(all="ignore"):
                yield from (score for score in _numeric(given, numpy.asarray(told, dtype=float)) if numpy.isfinite(score).all())


def _numeric(given: Any, told: Any) -> Iterator[Any]:
    import numpy

    if given.shape == told.shape:
        for scores in ((given == told).astype(float), -numpy.abs(given - told), -((given - told) ** 2)):
            yield scores.reshape(len(scores), -1).mean(axis=1)
    if told.ndim == 1 and given.ndim == 1 and set(numpy.unique(told).tolist()) <= {0.0, 1.0}:
        yield ((given >= 0.5) == told).astype(float)
        yield ((given > 0.0) == told).astype(float)
        clipped = numpy.clip(given, _TINY, 1.0 - _TINY)
        yield told * numpy.log(clipped) + (1.0 - told) * numpy.log(1.0 - clipped)
    if told.ndim == 1 and given.ndim == 2 and (told == told.astype(int)).all() and 0 <= told.min() <= told.max() < given.shape[1]:
        classes = told.astype(int)
        yield (given.argmax(axis=1) == classes).astype(float)
        yield numpy.log(numpy.clip(given[numpy.arange(len(classes)), classes], _TINY, None))


def _written(keys: Sequence[str], scores: Sequence[float]) -> bytes:
    import csv

    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("id", "score"))
    writer.writerows(zip(keys, map(repr, scores), strict=True))
    return stream.getvalue().encode()
