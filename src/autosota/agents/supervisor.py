"""AgentSupervisor (paper 3.9): judges ideas, patches and measurements, and turns a frozen candidate into a graded claim.

Rules decide; nothing here asks a model. A claim comes from `confirm` alone: fresh paired seeds, both arms interleaved, the
sequential test of `statistics`, guards and bounds of the red lines, and the assurance that the machine allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from autosota import crossing, redlines, statistics
from autosota.agents.grading import Arms, Grading, Items, Resample, over_seeds
from autosota.agents.grading import Confirmation as Confirmation
from autosota.agents.grading import gain_of as gain_of
from autosota.agents.grading import settled as settled
from autosota.errors import StageError
from autosota.records import Assurance, Case, Idea, Measurement, Patch, Verdict, Violation
from autosota.redlines import guards
from autosota.redlines.difference import Difference

Submit = Callable[[Sequence[tuple[str, int]]], Sequence[Measurement]]
"""Measures (commit, seed) pairs for confirmation, in parallel if it likes, and answers in the same order."""
_SEVERITY = ("note", "disclose", "review", "reject")
MINUTES, HOUR = 600.0, 3600.0


class Measures(Protocol):
    """What `confirm` needs of the evaluation."""

    @property
    def executor(self) -> Any:
        """Has `isolated`."""


class Supervisor:
    """Applies every red line. Holds no state: the same arguments give the same verdict."""

    def __init__(self, red_lines: Sequence[redlines.RedLine] | None = None) -> None:
        self.red_lines = tuple(red_lines) if red_lines is not None else redlines.ALL

    # ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def screen_idea(self, idea: Idea, case: Case) -> Verdict:
        """Before anything is spent on it."""
        return Verdict.of(tuple(v for line in self.red_lines for v in line.idea(idea, case)))

    def screen_patch(self, patch: Patch, case: Case) -> Verdict:
        """The whole difference to the baseline, whoever made it. Static: runs nothing.

        Of several violations of one rule on one line the most severe is kept, the first of equals.
        """
        difference = Difference(patch, case)
        return Verdict.of(_distinct(v for line in self.red_lines for v in line.inspect(difference)))

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
        resample: Resample | None = None,
        searched: bool = False,
        tries: int = 1,
        accepted: bool = False,
        fits: Callable[[int], bool] = lambda runs: True,
        pairs_at_once: int = statistics.LOOKS[-1],
    ) -> Confirmation:
        """Measure a frozen candidate against the baseline on fresh seeds and grade the difference.

        `candidate`: commit. `seeds`: never used before, at least as many as the last look. `attempt`: 1 for the first
        confirmation of this task, 2 for the next, …. `verdict`: the static one, whose reviews block a claim. `searched`: was
        the candidate chosen by the metric confirmed here, and out of how many `tries`? `accepted`: has a person settled all
        reviews? `fits`: is there time for so many more evaluations? Asked before each bunch of `pairs_at_once`; where there is
        none, the pairs made so far are graded. Raises StageError when the baseline itself fails.
        """
        promised = assurance(case, evaluation)
        grading = Grading(case, candidate, self.red_lines, verdict, items, resample, attempt, tries, searched, accepted, promised)
        arms, spec = Arms(), case.rubric.primary
        if verdict is not None and verdict.status == "rejected":
            return grading.rejected(verdict.violations, arms, "the static rules reject the change")
        looks, supply = looks_for(case), iter(seeds)
        confirmed, in_time = False, True
        for look in looks:
            while in_time and len(arms.baseline) < look:
                bunch = min(pairs_at_once, look - len(arms.baseline))
                in_time = fits(2 * bunch)
                broken = in_time and _measure(case.environment.commit, candidate, islice(supply, bunch), submit, arms)
                if broken:
                    return grading.rejected((broken,), arms, broken.evidence)
            if not in_time:
                break
            gains, rows = arms.gains(spec), grading.rows(arms)
            decision = statistics.decide(gains, attempt=attempt, looks=looks, seeded=arms.seeded(spec))
            confirmed = confirmed or decision == "confirmed"
            if decision == "futile" or arms.certain(spec) or rows.hopeless(gains, confirmed):
                break
            undecided = any(guard.state == "undecided" for guard in guards.compare(arms.candidate, arms.baseline, case.rubric))
            if confirmed and not undecided and rows.support(*over_seeds(gains)):
                break
        if not arms.baseline:
            return grading.result("UNCONFIRMED", arms, (), ("time-ended",), "the time ended before a fresh run", None)
        short = "" if in_time or confirmed else "time-ended"
        few = "long-evaluation" if looks == statistics.LOOKS[:1] else short
        return grading.grade(arms, confirmed and over_seeds(arms.gains(spec))[0] > 0.0, few=few)


def _distinct(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    found: dict[object, Violation] = {}
    for number, violation in enumerate(violations):
        place = (violation.red_line, violation.rule, violation.file, violation.line)
        key: object = place if violation.line is not None else number
        if key not in found or _SEVERITY.index(violation.action) > _SEVERITY.index(found[key].action):
            found[key] = violation
    return tuple(found.values())


def looks_for(case: Case) -> tuple[int, ...]:
    """Fewer looks where an evaluation is long: all up to 10 minutes, two up to an hour, then one (capped at SUGGESTIVE)."""
    seconds = case.baseline.seconds if case.baseline else 0.0
    return statistics.LOOKS[: 3 if seconds <= MINUTES else 2 if seconds <= HOUR else 1]


def assurance(case: Case, evaluation: Measures) -> Assurance:
    """What the machine and the form of the task allow to promise."""
    if not evaluation.executor.isolated:
        return "observed"
    return "sealed" if case.environment.commands.sealed else "guarded"


def failures(candidate: Sequence[Measurement]) -> Violation | None:
    """`does-not-run` where every run failed, `unstable` where some did; no seed is ever replaced."""
    failed = [measurement for measurement in candidate if not measurement.ok]
    if not failed:
        return None
    every = len(failed) == len(candidate)
    evidence = f"{len(failed)} of {len(candidate)} runs failed, first with seed {failed[0].seed}: {failed[0].failure}"
    fix = "write the outputs as plain arrays or tables, one valid row per item"
    if any((run.failure or "").startswith(crossing.PICKLED) for run in failed):
        return Violation(red_line="R2", rule="pickled-output", action="reject", evidence=evidence, fix=fix)
    if any((run.failure or "").startswith(crossing.BREACH) for run in failed):
        return Violation(red_line="R3", rule="schema-breach", action="reject", evidence=evidence, fix=fix)
    return Violation(
        red_line=None, rule="does-not-run" if every else "unstable", action="reject", evidence=evidence,
        fix="the evaluation command must deliver every metric with every seed",
    )  # fmt: skip


def _measure(baseline: str, candidate: str, seeds: Iterator[int], submit: Submit, arms: Arms) -> Violation | None:
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
