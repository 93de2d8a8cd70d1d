"""From a frozen candidate to a graded claim: attempts, fresh seeds, both arms measured. Used by search and by audit alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from autosota import resampling, statistics
from autosota.agents.allowance import MOST
from autosota.agents.checking import Checking
from autosota.agents.grading import visible
from autosota.agents.supervisor import Confirmation, Supervisor
from autosota.evaluation import VISIBLE, Evaluation
from autosota.exports import AS_IS, Swap
from autosota.ports import Engine
from autosota.progress import Progress
from autosota.records import Case, Experiment, Gain, Measurement, Verdict
from autosota.redlines.judged import Judge
from autosota.seeds import Seeds
from autosota.store import Store

_ATTEMPTS = 3
"""Confirmations of a run; each is paid for with a stricter level."""
_ORDER = ("CONFIRMED", "DISCLOSE", "SUGGESTIVE", "REVIEW", "UNCONFIRMED", "REJECTED")


@dataclass(frozen=True)
class Confirmed:
    """A candidate with the outcome of its confirmation."""

    experiment: Experiment | None
    """None where the change came from outside (audit)."""
    commit: str
    confirmation: Confirmation


@dataclass(frozen=True)
class Confirming:
    """Confirms candidates of one case. Collaborators are given; nothing is created here."""

    case: Case
    supervisor: Supervisor
    evaluation: Evaluation
    store: Store
    engine: Engine
    progress: Progress
    protocol: str = ""
    """Digest of the protocol lock; confirmation seeds depend on it."""
    deadline: float | None = None
    """Monotonic time by which the pairs must be done; what is not begun by then is left out."""
    checks: int = MOST
    """Further evaluations for probes and controls of a candidate, at most."""
    judge: Judge | None = None
    """Asked about what rules cannot decide; may only escalate."""
    _items: dict[tuple[str, int], dict[str, float] | None] = field(default_factory=dict)
    _resampled: dict[tuple[str, int], dict[str, float] | None] = field(default_factory=dict)

    def confirm_candidates(self, plan: Seeds, history: Sequence[Experiment]) -> Confirmed | None:
        """Confirm the best candidate of a search on fresh seeds; the next best where that fails, each at a stricter level.

        None where no candidate beat the baseline in search. A candidate with a trade-off is what is left when no other one is
        confirmed (contract, section 4).
        """
        found: list[Confirmed] = []
        tries = len({experiment.commit for experiment in history if experiment.measurements})
        for experiment in candidates(history, self.case.rubric.primary.direction == "max"):
            commit = experiment.commit or ""
            begun = self.store.attempts()
            if commit not in begun and len(begun) >= _ATTEMPTS:
                continue  # a candidate confirmed before the budget grew may follow
            confirmation = self.confirm_commit(plan, commit, experiment.verdict, searched=True, tries=tries)
            found.append(Confirmed(experiment, commit, confirmation))
            if confirmation.grade in ("CONFIRMED", "REVIEW", "SUGGESTIVE") or "time-ended" in confirmation.labels:
                break
        return min(found, key=lambda item: _ORDER.index(item.confirmation.grade), default=None)

    def confirm_commit(
        self, plan: Seeds, commit: str, verdict: Verdict | None, *, searched: bool, tries: int = 1, accepted: bool = False
    ) -> Confirmation:
        """One attempt at one frozen candidate. `searched`: it was chosen, out of `tries`, by the metric that is confirmed here.
        `accepted`: a person has settled its reviews."""
        attempt = self.store.attempt(commit)
        seeds = plan.draw("confirm", statistics.LOOKS[-1], f"{self.protocol}|{attempt}")
        self.progress.note(f"attempt {attempt} at a confirmation")
        confirmation = self.supervisor.confirm(
            commit, case=self.case, evaluation=self.evaluation, seeds=seeds, attempt=attempt, submit=self._submit,
            verdict=verdict, items=self._scores, resample=self._resample, searched=searched, tries=tries,
            accepted=accepted, fits=self._fits_after(self._made(commit, seeds)), pairs_at_once=max(1, self.engine.workers // 2),
        )  # fmt: skip
        confirmation = confirmation.model_copy(update={"gain_visible": self._visible(confirmation, commit, attempt)})
        checking = Checking(self.case, self.evaluation, self.engine, self.progress, self._fits, self.checks, judge=self.judge)
        return checking.check(confirmation, commit, accepted=accepted)

    def _visible(self, confirmation: Confirmation, commit: str, attempt: int) -> Gain | None:
        """The gain on the rows that search saw, where the claim stands on others: a reader sees how much of it was tuning.

        With withheld rows it comes with the same runs; with sealed ones it takes runs of its own, as many as the first look.
        """
        before, after, spec = confirmation.baseline, confirmation.best, self.case.rubric.primary
        if confirmation.gain is None or not all(run.ok for run in (*before, *after)):
            return None
        if self.case.environment.sealed:
            seeds = [run.seed for run in before[: statistics.LOOKS[0]]]
            jobs = [(arm, seed) for seed in seeds for arm in (self.case.environment.commit, commit)]
            left = sum(self.store.finished(arm, seed, "confirm", VISIBLE.name) is None for arm, seed in jobs)
            if left and not self._fits(left):
                return None
            runs = self._submit(jobs, VISIBLE)
            before, after = tuple(runs[::2]), tuple(runs[1::2])
            values = [(run.values, other.values) for run, other in zip(before, after, strict=True) if run.ok and other.ok]
        else:
            pairs = zip(before, after, strict=True)
            values = [(run.also.get("visible", {}), other.also.get("visible", {})) for run, other in pairs]
        complete = [(b, c) for b, c in values if spec.name in b and spec.name in c]
        return visible([b for b, _ in complete], [c for _, c in complete], spec, attempt) if complete else None

    def _scores(self, commit: str, seed: int) -> dict[str, float] | None:
        """Scores per item, read once a run."""
        if (commit, seed) not in self._items:
            self._items[commit, seed] = self.evaluation.items(commit, seed)
        return self._items[commit, seed]

    def _resample(self, run: Measurement) -> dict[str, float] | None:
        """Pseudo-values over groups of rows, made once a run."""
        key = (run.commit, run.seed)
        if key not in self._resampled:
            self._resampled[key] = resampling.pseudo_values(self.evaluation, run, self.case.rubric.primary)
        return self._resampled[key]

    def _fits(self, runs: int) -> bool:
        """Is there time for so many more evaluations, each as long as the baseline's?"""
        if self.deadline is None:
            return True
        seconds = self.case.baseline.seconds if self.case.baseline else 0.0
        return time.monotonic() + seconds * math.ceil(runs / self.engine.workers) <= self.deadline

    def _made(self, commit: str, seeds: Sequence[int]) -> int:
        """Runs of the first pairs that an earlier process finished."""
        arms = (self.case.environment.commit, commit)
        whole = [all(self.store.finished(arm, seed, "confirm") is not None for arm in arms) for seed in seeds]
        return 2 * sum(1 for _ in takewhile(bool, whole))

    def _fits_after(self, made: int) -> Callable[[int], bool]:
        """As `_fits`, but the first `made` runs take no time: they are in the ledger."""
        left = made

        def fits(runs: int) -> bool:
            nonlocal left
            new, left = max(0, runs - left), max(0, left - runs)
            return new == 0 or self._fits(new)

        return fits

    def _submit(self, jobs: Sequence[tuple[str, int]], swap: Swap = AS_IS) -> list[Measurement]:
        def job(commit: str, seed: int) -> Callable[[], tuple[Measurement, ...]]:
            return lambda: (self.evaluation.measure(commit, seed, "confirm", swap=swap),)

        pending = [self.engine.submit(job(commit, seed)) for commit, seed in jobs]
        found = []
        for item in pending:
            found.append(item.result()[0])
            self.progress.evaluated()
        return found


def candidates(history: Sequence[Experiment], larger: bool) -> list[Experiment]:
    """Improved experiments, best first, one of a commit; then those that were better at a price. `larger`: is that better?"""
    ranked: list[Experiment] = []
    for status in ("improved", "not_improved"):
        group = [e for e in history if e.status == status and e.score is not None and (e.gain or 0) > 0]
        group = [e for e in group if status == "improved" or (e.verdict and e.verdict.violations)]
        ranked += sorted(group, key=lambda e: ((e.score or 0.0) * (-1 if larger else 1), e.number))
    return list({experiment.commit: experiment for experiment in reversed(ranked)}.values())[::-1]
