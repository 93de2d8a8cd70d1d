"""The rows' noise in a metric that is no mean over items (F1, AUC, a correlation): scored again without each part of the rows.

Works with two commands, where the host can score any rows by the baseline's code. The pseudo-values of the delete-a-group
jackknife stand in for scores per item: their mean is the metric, their spread its noise.
"""

from __future__ import annotations

from autosota import rows, withholding
from autosota.evaluation import Evaluation
from autosota.records import Measurement, MetricSpec
from autosota.withholding import Split

GROUPS = 20
_FEWEST = 4
"""Rows of a group."""
_SLOWEST = 10.0
"""Seconds of one scoring above which it is not repeated so often."""


def pseudo_values(evaluation: Evaluation, run: Measurement, spec: MetricSpec) -> dict[str, float] | None:
    """Group of rows → pseudo-value of the metric in a finished confirmation run, larger is better.

    None where the task has one command, rows cannot be told apart or are few, the predictions were not kept, scoring takes
    long, or the scorer fails without some rows.
    """
    split, outputs = _scored(evaluation), evaluation.predictions(run)
    if split is None or not outputs or not run.ok or len(split.withheld) < GROUPS * _FEWEST:
        return None
    sign, whole = spec.gain(0.0, 1.0), run.values[spec.name]
    found: dict[str, float] = {}
    for number, part in enumerate(withholding.groups(split, GROUPS, b"jackknife")):
        try:
            attempt = evaluation.score(run.seed, outputs, split=part)
        except rows.Malformed:
            return None
        if attempt.failure is not None or attempt.execution.seconds > _SLOWEST:
            return None
        found[f"group {number}"] = sign * (GROUPS * whole - (GROUPS - 1) * attempt.values[spec.name])
    return found


def _scored(evaluation: Evaluation) -> Split | None:
    """The rows that confirmation runs are scored on."""
    commands = evaluation.environment.commands
    if not commands.sealed:
        return None
    if commands.withhold is not None:
        return evaluation.vault.split()
    return withholding.everything(evaluation.vault.labels(evaluation.fresh()))
