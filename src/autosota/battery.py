"""Is the scorer sane? Answers that nobody would believe, put to the score command of a two-command task (validity.md 3.1, Q6)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autosota import perturbing
from autosota.errors import UsageError
from autosota.evaluation import Evaluation
from autosota.exports import Swap
from autosota.perturbing import Table
from autosota.records import MetricSpec

PREFIX = "scorer: "
"""Start of the baseline's notes on its scorer."""
BEATEN = f"{PREFIX}a dummy beats the baseline: "
UNDONE = f"{PREFIX}not tried with dummy answers: "
LONGEST = 600.0
"""Seconds of an evaluation from which on the one run of `predict` is not made."""
_DUMMIES = ("constant", "majority", "shuffled")
"""Well-formed answers that know nothing."""
_BROKEN = ("NaN", "missing rows", "duplicated rows", "empty")
"""Answers that a scorer must refuse."""


@dataclass(frozen=True)
class Tried:
    """One dummy: what the primary metric said, or why it was refused."""

    name: str
    value: float | None
    refused: str | None


def calibrate(evaluation: Evaluation, spec: MetricSpec, seed: int, *, mean: float, noise: float) -> tuple[str, ...]:
    """Notes on the scorer; one run of `predict` and eight of `score`. `mean`, `noise`: the baseline's.

    Raises UsageError where every dummy beats the baseline: such a metric measures nothing, or its direction is wrong.
    """
    commands = evaluation.environment.commands
    if not commands.sealed:
        return (f"{UNDONE}one command predicts and scores",)
    run, files = evaluation.observe(evaluation.environment.commit, seed, "probe", Swap("scorer"))
    if run.failure is not None:
        return (f"{UNDONE}{run.failure}",)
    outputs = {name: files[name] for name in commands.outputs if name in files}
    if len(outputs) < len(commands.outputs):
        return (f"{UNDONE}the outputs are too large",)
    labels = evaluation.vault.labels(evaluation.fresh())
    tried = [_tried(evaluation, spec, seed, name, dummy) for name, dummy in dummies(outputs, labels, seed).items()]
    if not tried:
        return (f"{UNDONE}the outputs have no rows that can be told apart",)
    return tuple(_notes(tried, spec, mean, noise))


def _tried(evaluation: Evaluation, spec: MetricSpec, seed: int, name: str, outputs: Mapping[str, bytes]) -> Tried:
    scored = evaluation.score(seed, outputs)
    return Tried(name, scored.values.get(spec.name) if scored.failure is None else None, scored.failure)


def _notes(tried: list[Tried], spec: MetricSpec, mean: float, noise: float) -> list[str]:
    found = []
    known = {item.name: item for item in tried}
    better = [
        item for name in _DUMMIES
        if (item := known.get(name)) is not None and item.value is not None and spec.gain(mean, item.value) > 2.0 * noise
    ]  # fmt: skip
    scored = [item for name in _DUMMIES if (item := known.get(name)) is not None and item.value is not None]
    if better and len(better) == len(scored) > 1:
        words = ", ".join(f"{item.name} {item.value:.4g}" for item in better)
        raise UsageError(
            f"every dummy answer beats the baseline's {spec.name} of {mean:.4g}: {words}",
            f"is `{spec.name}` better when it is {'larger' if spec.direction == 'max' else 'smaller'}? check its direction, and "
            "the score command",
        )
    found += [f"{BEATEN}{item.name} answers score {item.value:.4g}, it {mean:.4g}" for item in better]
    perfect = known.get("perfect")
    if perfect is not None and perfect.value is not None and spec.gain(mean, perfect.value) < 0:
        found.append(f"{PREFIX}the labels themselves score {perfect.value:.4g}, worse than the baseline's {mean:.4g}")
    for name in _BROKEN:
        item = known.get(name)
        if item is not None and item.value is not None:
            found.append(f"{PREFIX}it accepts outputs with {name} ({item.value:.4g}); forbid them with [evaluation.schema]")
    refused = sum(item.value is None for item in tried)
    listed = ", ".join(item.name for item in tried)
    found.append(f"{PREFIX}tried with {len(tried)} dummy answers ({listed}), {refused} refused")
    return found


# ── the dummies ───────────────────────────────────────────────────────────────────────────────────────────────────────


def dummies(outputs: Mapping[str, bytes], labels: Mapping[str, bytes], seed: int) -> dict[str, dict[str, bytes]]:
    """Name → a set of outputs. Row numbers stay, so that only the answers are dummies; none where no output has rows."""
    tables = {name: table for name, content in outputs.items() if (table := perturbing.read(name, content)) is not None}
    if not tables:
        return {}
    makers = {
        "constant": _constant, "majority": _majority, "shuffled": _shuffled(seed), "NaN": _nan, "missing rows": _missing,
        "duplicated rows": _duplicated,
    }  # fmt: skip
    found = {name: {**outputs, **{path: make(table) for path, table in tables.items()}} for name, make in makers.items()}
    found["empty"] = dict.fromkeys(outputs, b"")
    perfect = _perfect(tables, labels)
    return {**({"perfect": {**outputs, **perfect}} if perfect else {}), **found}


def _answers(table: Table) -> dict[str, Any]:
    return {name: column for name, column in table.columns.items() if not perturbing.steady(column)}


def _with(table: Table, columns: Mapping[str, Any]) -> bytes:
    return perturbing.write(table, {**table.columns, **columns})


def _filled(column: Any, value: Any) -> Any:
    if hasattr(column, "ndim"):
        made = column.copy()
        made[:] = value
        return made
    return [value] * len(column)


def _constant(table: Table) -> bytes:
    return _with(table, {name: _filled(column, column[0]) for name, column in _answers(table).items()})


def _majority(table: Table) -> bytes:
    filled = {}
    for name, column in _answers(table).items():
        texts = [str(value) for value in column]
        most = Counter(texts).most_common(1)[0][0]
        filled[name] = _filled(column, column[texts.index(most)])
    return _with(table, filled)


def _shuffled(seed: int) -> Any:
    def make(table: Table) -> bytes:
        order = list(range(table.count))
        random.Random(seed).shuffle(order)
        answers = {
            name: column[order] if hasattr(column, "ndim") else [column[index] for index in order]
            for name, column in _answers(table).items()
        }
        return _with(table, answers)

    return make


def _nan(table: Table) -> bytes:
    filled = {}
    for name, column in _answers(table).items():
        if hasattr(column, "ndim"):
            filled[name] = _filled(column.astype(float), float("nan"))
        else:
            filled[name] = _filled(column, "nan" if isinstance(column[0], str) else float("nan"))
    return _with(table, filled)


def _missing(table: Table) -> bytes:
    return _rows(table, list(range(table.count - table.count // 3)))


def _duplicated(table: Table) -> bytes:
    half = list(range(table.count // 2))
    return _rows(table, half + half)


def _rows(table: Table, order: list[int]) -> bytes:
    rest = table.form.get("rest")
    form = {**table.form, "rest": [rest[index] for index in order]} if isinstance(rest, list) else table.form
    columns = {
        name: column[order] if hasattr(column, "ndim") else [column[index] for index in order]
        for name, column in table.columns.items()
    }
    return perturbing.write(Table(table.name, len(order), columns, form), columns)


def _perfect(tables: Mapping[str, Table], labels: Mapping[str, bytes]) -> dict[str, bytes]:
    """The labels as answers, where one column of each is all there is besides row numbers."""
    truths = [table for name, content in labels.items() if (table := perturbing.read(name, content)) is not None]
    found = {}
    for name, table in tables.items():
        own = _answers(table)
        for truth in truths:
            gold = _answers(truth)
            if len(own) == len(gold) == 1 and truth.count == table.count:
                (column, values), (right,) = next(iter(own.items())), gold.values()
                if hasattr(values, "ndim") == hasattr(right, "ndim") and getattr(values, "ndim", 1) == getattr(right, "ndim", 1):
                    found[name] = _with(table, {column: right})
    return found
