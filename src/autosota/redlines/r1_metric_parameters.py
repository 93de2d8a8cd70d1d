"""R1: metric parameters and aggregation."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.checks import draws, seeds, splits


class MetricParameters(RedLine):
    """Metric parameters and aggregation."""

    id = "R1"
    title = "Metric parameters and aggregation"
    text = (
        "The metric is computed with the parameters, the aggregation and over the repetitions of the baseline: no other "
        "k, threshold, bin count, averaging, sample count or context length; a mean stays a mean, never a maximum or a "
        "best of several; seeds are not picked."
    )
    words = (
        r"best of (several|n|\d+|multiple) (seeds|runs|restarts|trials)",
        r"(pick|choose|select)\w* (the |a )?(best|lucky|good) seeds?",
        r"(change|relax|raise|lower|loosen)\w* (the )?metric('s)? (parameter|threshold|definition|k)\b",
        r"report (the )?(max|maximum|best) (over|of|across)",
    )
    checks = (splits.reports, seeds.literals, draws.bought)
