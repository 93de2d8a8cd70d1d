"""R7: the paper's own constraints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autosota import statistics
from autosota.records import Case, Idea, Measurement, MetricSpec, Violation
from autosota.redlines import guards, judged
from autosota.redlines.base import RedLine
from autosota.redlines.checks import constraints, counted


class PaperConstraints(RedLine):
    """Budgets, guarantees and settings that this paper's protocol fixes."""

    id = "R7"
    title = "Paper-specific constraints"
    text = (
        "What the paper's protocol fixes stays fixed, by its effective value: context length, evaluation budgets, "
        "backbone and size caps, privacy and coverage guarantees, supervision available. A guarantee is a constraint, "
        "never a currency."
    )
    checks = (constraints.changed, constraints.predicates, counted.bypassed, judged.unkeyed, judged.components)

    def idea(self, idea: Idea, case: Case) -> tuple[Violation, ...]:
        """Knobs that a constraint fixes."""
        analysis = case.analysis.constraints if case.analysis else ()
        fixed = {(item.file, item.key) for item in (*case.rubric.constraints, *analysis)}
        places = [(knob, knob.id.partition("::")[2].partition(":")[2]) for knob in idea.knobs]
        found = [
            Violation(
                red_line="R7",
                rule="idea-constrained",
                action="reject",
                evidence=f"{key} is fixed by a constraint of the task",
                file=knob.file,
                line=knob.line,
                fix="leave it out of the search",
            )
            for knob, key in places
            if {(knob.file, key), (knob.file, key.lstrip("-"))} & fixed
        ]
        return (*super().idea(idea, case), *found)

    def measurements(
        self, candidate: Sequence[Measurement], baseline: Sequence[Measurement], case: Case
    ) -> tuple[Violation, ...]:
        """Floors and ceilings of every metric, the primary included."""
        complete = [measurement for measurement in candidate if measurement.ok]
        if not complete:
            return ()
        return tuple(v for spec in case.rubric.metrics for v in self._bounds(spec, complete, case))

    def _bounds(self, spec: MetricSpec, runs: Sequence[Measurement], case: Case) -> Iterator[Violation]:
        values = [guards.reading(run, spec) for run in runs]
        noise = case.baseline.noise.get(spec.name, 0.0) if case.baseline else 0.0
        center = statistics.mean(values)
        for limit, side, word in ((spec.floor, "low", "floor"), (spec.ceiling, "high", "ceiling")):
            if limit is None:
                continue
            sign = 1.0 if side == "low" else -1.0
            crossed = sign * (center - limit) < 0.0
            if len(values) > 1:
                edge = statistics.bound(values, "low" if side == "low" else "high")
            else:
                # One run: the mean itself is uncertain by the seeds' noise, so only a clear crossing rejects.
                edge = center - sign * 2.0 * noise
                crossed = crossed and sign * (center - limit) < -2.0 * noise
            if crossed:
                yield self._crossing(
                    spec, "reject", f"mean {spec.name} of {len(values)} runs is {center:.6g}, its {word} is {limit:g}", word
                )
            elif len(values) > 1 and sign * (edge - limit) < 0.0:
                evidence = f"{spec.name} keeps its {word} {limit:g} on average ({center:.6g}), but its 95 % bound is {edge:.6g}"
                yield self._crossing(spec, "review", evidence, word)

    def _crossing(self, spec: MetricSpec, action: str, evidence: str, word: str) -> Violation:
        return Violation(
            red_line="R7", rule=f"{word}-crossed", action="reject" if action == "reject" else "review", evidence=evidence,
            fix=f"keep {spec.name} clear of its {word}",
        )  # fmt: skip
