"""AgentSupervisor (paper 3.9): judges ideas, patches and measurements, and turns a frozen candidate into a graded claim.

Rules decide; nothing here asks a model. A claim comes from `confirm` alone: fresh paired seeds, both arms interleaved, the
sequential test of `statistics`, guards and bounds of the red lines, and the assurance that the machine allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from autosota import redlines, statistics
from autosota.errors import StageError
from autosota.records import (
    Assurance,
    Case,
    Gain,
    Grade,
    Idea,
    Measurement,
    MetricSpec,
    Patch,
    Record,
    Secondary,
    Verdict,
    Violation,
)
from autosota.redlines import guards
from autosota.redlines.checks import timing
from autosota.redlines.difference import Difference

Submit = Callable[[Sequence[tuple[str, int]]], Sequence[Measurement]]
"""Measures (commit, seed) pairs for confirmation, in parallel if it likes, and answers in the same order."""
Items = Callable[[str, int], Mapping[str, float] | None]
"""Scores per item of a finished confirmation run of (commit, seed), where the task names an items file; larger is better."""

MINUTES, HOUR = 600.0, 3600.0
_COMPUTE = 1.5
"""From this ratio of CPU seconds on, the reader is told."""


class Measures(Protocol):
    """What `confirm` needs of the evaluation."""

    @property
    def executor(self) -> Any:
        """Has `isolated`."""


class Confirmation(Record):
    """What fresh paired runs say about one frozen candidate."""

    grade: Grade
    assurance: Assurance
    gain: Gain | None
    """None where no complete pairs were made."""
    secondary: tuple[Secondary, ...] = ()
    violations: tuple[Violation, ...] = ()
    labels: tuple[str, ...] = ()
    baseline: tuple[Measurement, ...] = ()
    """Fresh runs, in the order of their seeds, paired with `best`."""
    best: tuple[Measurement, ...] = ()
    reason: str = ""
    """One sentence for people: why this grade."""


@dataclass
class _Arms:
    """Pairs so far."""

    baseline: list[Measurement] = field(default_factory=list)
    candidate: list[Measurement] = field(default_factory=list)

    def gains(self, spec: MetricSpec) -> list[float]:
        return [
            spec.gain(guards.reading(b, spec), guards.reading(c, spec))
            for b, c in zip(self.baseline, self.candidate, strict=True)
        ]


class Supervisor:
    """Applies every red line. Holds no state: the same arguments give the same verdict."""

    def __init__(self, red_lines: Sequence[redlines.RedLine] | None = None) -> None:
        self.red_lines = tuple(red_lines) if red_lines is not None else redlines.ALL

    # ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def screen_idea(self, idea: Idea, case: Case) -> Verdict:
        """Before anything is spent on it."""
        return Verdict.of(tuple(v for line in self.red_lines for v in line.idea(idea, case)))

    def screen_patch(self, patch: Patch, case: Case) -> Verdict:
        """The whole difference to the baseline, whoever made it. Static: runs nothing."""
        difference = Difference(patch, case)
        return Verdict.of(tuple(v for line in self.red_lines for v in line.inspect(difference)))

    def judge(self, candidate: Sequence[Measurement], baseline: Sequence[Measurement], case: Case) -> Verdict:
        """Measurements of a candidate beside the baseline's on the same seeds, in any order."""
        broken = failures(candidate)
        if broken is not None:
            return Verdict.of((broken,))
        known = {measurement.seed: measurement for measurement in baseline if measurement.ok}
        pairs = [(known[c.seed], c) for c in candidate if c.seed in known]
        before, after = [b for b, _ in pairs], [c for _, c in pairs]
        return Verdict.of(tuple(v for line in self.red_lines for v in line.measurements(after, before, case)))

    # ── confirmation ──────────────────────────────────────────────────────────────────────────────────────────────────

    def confirm(
        self,
        candidate: str,
        *,
        case: Case,
        evaluation: Measures,
        seeds: Iterable[int],
        attempt: int,
        submit: Submit,
        verdict: Verdict | None = None,
        items: Items | None = None,
        searched: bool = False,
        accepted: bool = False,
    ) -> Confirmation:
        """Measure a frozen candidate against the baseline on fresh seeds and grade the difference.

        `candidate`: commit. `seeds`: never used before, at least as many as the last look. `attempt`: 1 for the first
        confirmation of this task, 2 for the next, …. `verdict`: the static one, whose reviews block a claim. `searched`: was
        the candidate chosen by the metric confirmed here? `accepted`: has a person settled all reviews?
        Raises StageError when the baseline itself fails.
        """
        promised = assurance(case, evaluation)
        context = _Context(case, candidate, self.red_lines, verdict, items, attempt, searched, accepted, promised)
        if verdict is not None and verdict.status == "rejected":
            return context.rejected(verdict.violations, _Arms(), "the static rules reject the change")
        looks, supply, arms = looks_for(case), iter(seeds), _Arms()
        confirmed = False
        for look in looks:
            broken = _measure(case.environment.commit, candidate, islice(supply, look - len(arms.baseline)), submit, arms)
            if broken is not None:
                return context.rejected((broken,), arms, broken.evidence)
            decision = statistics.decide(
                arms.gains(case.rubric.primary), attempt=attempt, looks=looks, seeded=context.seeded(arms)
            )
            confirmed = confirmed or decision == "confirmed"
            undecided = any(guard.state == "undecided" for guard in guards.compare(arms.candidate, arms.baseline, case.rubric))
            if decision == "futile" or (confirmed and not undecided) or context.certain(arms):
                break
        return context.grade(arms, confirmed, few=len(looks) < len(statistics.LOOKS) and looks[-1] == statistics.LOOKS[0])


def looks_for(case: Case) -> tuple[int, ...]:
    """Fewer looks where an evaluation is long: all up to 10 minutes, two up to an hour, then one (capped at SUGGESTIVE)."""
    seconds = case.baseline.seconds if case.baseline else 0.0
    return statistics.LOOKS[: 3 if seconds <= MINUTES else 2 if seconds <= HOUR else 1]


def assurance(case: Case, evaluation: Measures) -> Assurance:
    """What the machine and the form of the task allow to promise."""
    if not evaluation.executor.isolated:
        return "observed"
    return "sealed" if case.environment.commands.sealed else "guarded"


def settled(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """Reviews that a person has accepted stay on record as notes. A rejection is not for anybody to accept."""
    return tuple(v.model_copy(update={"action": "note"}) if v.action == "review" else v for v in violations)


def failures(candidate: Sequence[Measurement]) -> Violation | None:
    """`does-not-run` where every run failed, `unstable` where some did; no seed is ever replaced."""
    failed = [measurement for measurement in candidate if not measurement.ok]
    if not failed:
        return None
    every = len(failed) == len(candidate)
    evidence = f"{len(failed)} of {len(candidate)} runs failed, first with seed {failed[0].seed}: {failed[0].failure}"
    return Violation(
        red_line=None, rule="does-not-run" if every else "unstable", action="reject", evidence=evidence,
        fix="the evaluation command must deliver every metric with every seed",
    )  # fmt: skip


def _measure(baseline: str, candidate: str, seeds: Iterator[int], submit: Submit, arms: _Arms) -> Violation | None:
    """Add pairs, the arms' order alternating so that drift of the machine hits both; the candidate's failure, if any."""
    jobs: list[tuple[str, int]] = []
    for index, seed in enumerate(seeds, len(arms.baseline)):
        pair = [(baseline, seed), (candidate, seed)]
        jobs += pair if index % 2 == 0 else pair[::-1]
    if not jobs:
        raise ValueError("confirmation needs a seed for every pair")
    results = dict(zip(jobs, submit(jobs), strict=True))
    for commit, seed in jobs:
        result = results[commit, seed]
        if commit == baseline and not result.ok:
            raise StageError(
                f"the baseline failed with confirmation seed {seed}: {result.failure}",
                "run the evaluation command by hand with this seed; a baseline that fails on some seeds cannot be compared",
            )
    for seed in dict.fromkeys(seed for _, seed in jobs):
        arms.baseline.append(results[baseline, seed])
        arms.candidate.append(results[candidate, seed])
    return failures(arms.candidate)


@dataclass(frozen=True)
class _Context:
    """One confirmation's fixed facts, and the grading."""

    case: Case
    candidate: str
    red_lines: Sequence[redlines.RedLine]
    verdict: Verdict | None
    items: Items | None
    attempt: int
    searched: bool
    accepted: bool
    assurance: Assurance

    def certain(self, arms: _Arms) -> bool:
        """Does the seed change nothing in either arm? Then more seeds tell nothing."""
        spec = self.case.rubric.primary
        return all(statistics.constant([guards.reading(run, spec) for run in runs]) for runs in (arms.baseline, arms.candidate))

    def seeded(self, arms: _Arms) -> bool:
        """Does the seed change both arms? Then equal differences are a gain seen once a seed, not one and the same run."""
        spec = self.case.rubric.primary
        return not any(
            statistics.constant([guards.reading(run, spec) for run in runs]) for runs in (arms.baseline, arms.candidate)
        )

    def rejected(self, violations: Sequence[Violation], arms: _Arms, reason: str) -> Confirmation:
        return self._result("REJECTED", arms, tuple(violations), (), reason, None)

    def grade(self, arms: _Arms, confirmed: bool, *, few: bool) -> Confirmation:
        """The grade of complete pairs: red lines first, then the test, then what caps it."""
        spec = self.case.rubric.primary
        gains = arms.gains(spec)
        measured = tuple(v for line in self.red_lines for v in line.measurements(arms.candidate, arms.baseline, self.case))
        violations = (*(self.verdict.violations if self.verdict else ()), *measured, *self._clock(arms))
        violations = settled(violations) if self.accepted else violations
        actions = {violation.action for violation in violations}
        reference = statistics.mean([guards.reading(run, spec) for run in arms.baseline])
        gain, labels = gain_of(gains, reference, self.attempt), self._labels(arms)
        if "reject" in actions:
            return self._result("REJECTED", arms, violations, labels, "a red line is crossed", gain)
        deterministic = statistics.constant(gains) and not self.seeded(arms)
        if statistics.constant(gains) and not deterministic:
            gain = gain.model_copy(update={"p": statistics.sign_p(gains)})
        elif deterministic:
            by_items = self._by_items(arms)
            confirmed = by_items is not None and by_items <= sum(statistics.levels(self.attempt)) and gain.absolute > 0.0
            gain = gain.model_copy(update={"p": by_items}) if by_items is not None else gain
        else:
            confirmed = confirmed and gain.low > 0.0
        labels = (*labels, *(("deterministic",) if deterministic and not confirmed else ()))
        better = gain.absolute > 0.0
        suggestive = better and ((deterministic and not confirmed) or (few and self._promising(gains)))
        if not confirmed and not suggestive:
            return self._result("UNCONFIRMED", arms, violations, labels, "no gain beyond noise on fresh seeds", gain)
        if "review" in actions:
            return self._result("REVIEW", arms, violations, labels, "a person must decide on a suspected red line", gain)
        if self.assurance == "observed":
            return self._result(
                "SUGGESTIVE", arms, violations, (*labels, "not-isolated"), "better, but measured without isolation", gain
            )
        if few:
            return self._result("SUGGESTIVE", arms, violations, (*labels, "long-evaluation"), "better on few fresh pairs", gain)
        if not confirmed:
            return self._result("SUGGESTIVE", arms, violations, labels, "better, but without noise to test against", gain)
        if "disclose" in actions:
            return self._result("DISCLOSE", arms, violations, labels, "a confirmed gain with a trade-off", gain)
        return self._result("CONFIRMED", arms, violations, labels, "a gain on fresh paired seeds beyond the noise", gain)

    # ── parts of a grade ──────────────────────────────────────────────────────────────────────────────────────────────

    def _result(
        self,
        grade: Grade,
        arms: _Arms,
        violations: tuple[Violation, ...],
        labels: tuple[str, ...],
        reason: str,
        gain: Gain | None,
    ) -> Confirmation:
        secondary = tuple(
            Secondary(name=guard.spec.name, baseline=guard.baseline, best=guard.best, within_margin=guard.state == "within")
            for guard in guards.compare(arms.candidate, arms.baseline, self.case.rubric)
        )
        return Confirmation(
            grade=grade, assurance=self.assurance, gain=gain, secondary=secondary, violations=violations,
            labels=tuple(dict.fromkeys(labels)), baseline=tuple(arms.baseline), best=tuple(arms.candidate), reason=reason,
        )  # fmt: skip

    def _promising(self, gains: Sequence[float]) -> bool:
        return statistics.constant(gains) or statistics.paired_p(gains) <= guards.LEVEL

    def _by_items(self, arms: _Arms) -> float | None:
        """p of the paired permutation over items; None where there are no per-item scores or they do not match."""
        if self.items is None:
            return None
        seed = arms.baseline[0].seed
        before, after = self.items(self.case.environment.commit, seed), self.items(self.candidate, seed)
        if not before or not after or set(before) != set(after):
            return None
        return statistics.sign_flip_p([after[name] - before[name] for name in sorted(before)])

    def _labels(self, arms: _Arms) -> tuple[str, ...]:
        labels = []
        commands, baseline = self.case.environment.commands, self.case.baseline
        if self.searched and not commands.sealed:
            labels.append("selected-on-test")
        if baseline is not None and baseline.reproduced == "no":
            labels.append("baseline-differs")
        before = statistics.mean([run.cpu_seconds for run in arms.baseline])
        after = statistics.mean([run.cpu_seconds for run in arms.candidate])
        if before > 0 and after / before >= _COMPUTE:
            labels.append(f"compute-x{after / before:.1f}")
        return tuple(labels)

    def _clock(self, arms: _Arms) -> tuple[Violation, ...]:
        """A claim of speed stands only if the host's own CPU time agrees (contract, section 3)."""
        spec = self.case.rubric.primary
        if guards.is_cpu(spec) or not timing.is_speed(spec):
            return ()
        saved = [b.cpu_seconds - c.cpu_seconds for b, c in zip(arms.baseline, arms.candidate, strict=True)]
        if statistics.mean(saved) > 0.0 or statistics.mean(arms.gains(spec)) <= 0.0:
            return ()
        evidence = f"{spec.name} improves while the host's CPU time does not: {-statistics.mean(saved):+.3g} s per run"
        fix = "save work instead of moving it out of the timed part"
        return (Violation(red_line="R2", rule="clock-disagrees", action="review", evidence=evidence, fix=fix),)


def gain_of(gains: Sequence[float], baseline: float | None, attempts: int) -> Gain:
    """The claim from paired gains of fresh runs. `baseline`: its mean, for the relative figure."""
    low, high = statistics.confirmation_interval(gains)
    center = statistics.mean(gains)
    p = statistics.paired_p(gains) if not statistics.constant(gains) else 1.0
    relative = center / abs(baseline) if baseline else None
    return Gain(absolute=center, relative=relative, low=low, high=high, p=p, pairs=len(gains), attempts=attempts)
