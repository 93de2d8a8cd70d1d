"""R4 in numbers: every reported metric and the host's CPU seconds, compared over paired runs (contract, section 3, "Guards")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autosota import statistics
from autosota.records import Measurement, MetricSpec, Rubric

CPU = "cpu_seconds"
CPU_MARGIN = 1.0
LEVEL = 0.05
CLOCK_NOISE = 0.25
"""CPU seconds of difference that are never too little known: interpreters start that unevenly. Twice as much is still beyond."""


@dataclass(frozen=True)
class Guard:
    """One guarded metric in both arms."""

    spec: MetricSpec
    baseline: float
    best: float
    state: Literal["within", "undecided", "beyond"]
    """`undecided`: the mean is within the margin, but these runs do not show it yet."""

    @property
    def ratio(self) -> float:
        """Candidate over baseline; infinite where the baseline is zero."""
        return self.best / self.baseline if self.baseline else float("inf")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def is_cpu(spec: MetricSpec) -> bool:
    """Is it the host's own record of CPU time?"""
    return _plain(spec.name) == _plain(CPU)


def reading(measurement: Measurement, spec: MetricSpec) -> float:
    """A metric's value in a measurement. CPU seconds are the host's, whatever was printed. Raises KeyError."""
    return measurement.cpu_seconds if is_cpu(spec) else measurement.values[spec.name]


def guarded(rubric: Rubric) -> tuple[MetricSpec, ...]:
    """Every metric but the primary, and CPU seconds."""
    specs = [spec for spec in rubric.metrics if spec is not rubric.primary]
    if not any(is_cpu(spec) for spec in rubric.metrics):
        specs.append(MetricSpec(name=CPU, direction="min", margin=CPU_MARGIN))
    return tuple(specs)


def compare(candidate: Sequence[Measurement], baseline: Sequence[Measurement], rubric: Rubric) -> tuple[Guard, ...]:
    """The guards over paired complete runs, in the rubric's order; empty without at least two pairs.

    Without a margin a metric is beyond only when significantly worse (one-sided 5 %, Holm over such metrics); with one it is
    within only when shown to be worse by less than the margin (one-sided 5 %, Holm over such metrics).
    """
    pairs = [(b, c) for b, c in zip(baseline, candidate, strict=True) if b.ok and c.ok]
    if len(pairs) < 2:
        return ()
    specs = guarded(rubric)
    before = {spec.name: [reading(b, spec) for b, _ in pairs] for spec in specs}
    after = {spec.name: [reading(c, spec) for _, c in pairs] for spec in specs}
    gains = {spec.name: [spec.gain(b, c) for b, c in zip(before[spec.name], after[spec.name], strict=True)] for spec in specs}
    plain = {spec.name: statistics.harm_p(gains[spec.name]) for spec in specs if not spec.margin}
    margins = {
        spec.name: statistics.harmless_p(gains[spec.name], before[spec.name], spec.margin) for spec in specs if spec.margin
    }
    worse, harmless = statistics.holm(plain, LEVEL), statistics.holm(margins, LEVEL)
    found = []
    for spec in specs:
        state: Literal["within", "undecided", "beyond"]
        loss = -statistics.mean(gains[spec.name])
        if not spec.margin:
            state = "beyond" if spec.name in worse else "within"
        elif spec.name in harmless:
            state = "within"
        else:
            allowed = spec.margin * abs(statistics.mean(before[spec.name]))
            small = is_cpu(spec) and loss < CLOCK_NOISE
            state = "beyond" if loss > allowed else "within" if small else "undecided"
        found.append(Guard(spec, statistics.mean(before[spec.name]), statistics.mean(after[spec.name]), state))
    return tuple(found)
