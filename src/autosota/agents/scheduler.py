"""AgentScheduler (paper 3.8): which idea next, measured how long, kept or rolled back; then the confirmation of the best.

One round of the loop is the paper's seven steps: choose, write, screen, commit, measure, judge, record. Search is a pure
function of the history, content decides a commit's name and the ledger never repeats a measurement: so a run that was killed
and started again makes the same choices and pays for nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from autosota import statistics
from autosota.agents import steering
from autosota.agents.allowance import MOST
from autosota.agents.briefing import brief
from autosota.agents.confirming import Confirmed, Confirming
from autosota.agents.ideator import Ideator
from autosota.agents.monitor import hopeless
from autosota.agents.supervisor import Supervisor
from autosota.commands import HOPELESS
from autosota.errors import UsageError
from autosota.evaluation import Evaluation
from autosota.ports import Engine, Leap, Pending, Search, Stop, Try, Wait
from autosota.progress import Progress
from autosota.records import Case, Experiment, Idea, Measurement, Patch, Trial, Verdict, Violation
from autosota.redlines import guards
from autosota.redlines.judged import Judge
from autosota.seeds import Seeds
from autosota.session import Session
from autosota.store import Store
from autosota.workspace import Workspace

_PROMISING = 0.3
"""A candidate becomes the new state when its mean paired gain exceeds this many noise standard errors."""
_BARREN = 25
"""The search ends after so many choices in a row that needed no new measurement."""
_LEAPS = 3
"""Times a model is asked for structural ideas on one and the same state."""


@dataclass(frozen=True)
class Budget:
    """What the search may spend."""

    trials: int
    deadline: float | None = None
    """time.monotonic() at which the search stops starting evaluations."""
    target: float | None = None


@dataclass
class _Running:
    choice: Try
    number: int
    commit: str
    verdict: Verdict
    seeds: tuple[int, ...]
    pending: Pending
    started: float


@dataclass
class Scheduler:
    """Runs the search on one case. Collaborators are given; nothing is created here."""

    case: Case
    search: Search
    ideator: Ideator
    supervisor: Supervisor
    evaluation: Evaluation
    workspace: Workspace
    store: Store
    engine: Engine
    progress: Progress
    seeds: tuple[int, ...]
    """Search seeds: a candidate is measured on them in order and stopped when hopeless."""
    protocol: str = ""
    """Digest of the protocol lock; confirmation seeds depend on it."""
    session: Session | None = None
    """Carries out ideas that are words; without one such ideas wait in the library."""
    judge: Judge | None = None
    """Asked about a claimed gain, last; may only escalate."""
    checks: int = MOST
    """Further evaluations for probes and controls of a candidate, at most."""
    history: list[Experiment] = field(default_factory=list)
    ideas: dict[str, Idea] = field(default_factory=dict)
    _running: list[_Running] = field(default_factory=list)
    _proposed: set[str] = field(default_factory=set)
    _asked: dict[str, int] = field(default_factory=dict)

    # ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def explore(self, budget: Budget) -> str:
        """Search until a budget ends or nothing is left to try. Returns the reason it stopped."""
        self.history = sorted(self.store.experiments(), key=lambda experiment: experiment.number)
        self.ideas = {idea.id: idea for idea, verdict in self.store.ideas() if verdict is None or verdict.status != "rejected"}
        for experiment in [item for item in self.history if item.status == "improved" and item.level != "PARAM"]:
            self._propose_on(experiment.number, self.history[: experiment.number])
        self._measure_baseline()
        while (reason := self._spent(budget)) is None or self._running:
            if reason is not None or len(self._running) >= self.engine.workers:
                self._collect()
                continue
            choice = self._choose()
            if isinstance(choice, Stop):
                reason = choice.reason
                break
            if isinstance(choice, Wait):
                self._collect()
            else:
                self._start(choice, budget)
        while self._running:
            self._collect()
        return reason or "nothing left to try"

    def _choose(self) -> Try | Wait | Stop:
        """Step 1. A leap asks the ideator for structural ideas on the present state before anything else is tried."""
        for idea, _ in steering.inbox(self.store):
            self._add(idea)
            steering.taken(self.store, idea)
        running = [item.choice for item in self._running]
        choice = self.search.choose(self.history, running, self._able())
        if isinstance(choice, Leap):
            self._propose_on(choice.parent, self.history)
            self._leap_on(choice.parent)
            choice = self.search.choose(self.history, running, self._able(), leap=False)
        if isinstance(choice, Stop):
            best = best_of(self.history, self._metric.direction == "max")
            self._leap_on(best.number if best else 0)
            choice = self.search.choose(self.history, running, self._able(), leap=False)
        if isinstance(choice, Leap):
            return Wait() if running else Stop("no structural idea is left for the leap path")
        return choice

    def _start(self, choice: Try, budget: Budget) -> None:
        """Steps 2 to 4, and 5 is under way: write the change, screen it, commit it, measure it."""
        number = max([experiment.number for experiment in self.history] + [item.number for item in self._running], default=0) + 1
        started = time.monotonic()
        parent = self._commit_of(choice.parent)
        tree = self.workspace.tree(parent)
        commit, why = self._written(choice, number, parent, tree)
        if commit is None:
            self._record(choice, number, None, (), Verdict(status="cleared"), started, note=why)
            return
        patch = self._patch(parent, commit)
        verdict = self.supervisor.screen_patch(patch, self.case)
        if verdict.status == "rejected":
            self._record(choice, number, commit, (), verdict, started)
            return
        seeds = self.seeds[: max(1, min(len(self.seeds), self._left(budget)))]
        self.progress.experiment_started(number, choice.idea.title)
        opponent = self._scores(choice.parent)
        pending = self.engine.submit(lambda: self._race(commit, seeds, opponent))
        self._running.append(_Running(choice, number, commit, verdict, seeds, pending, started))

    def _written(self, choice: Try, number: int, parent: str, tree: Mapping[str, bytes]) -> tuple[str | None, str]:
        """Step 2: the idea as a commit on its parent, by rule or by the coder; None and why where it cannot be carried out."""
        if choice.idea.instructions and choice.idea.site is None and not choice.idea.knobs and self.session is not None:
            self.progress.note(f"experiment {number}: the coder writes {choice.idea.title}")
            return self.session.write(parent, brief(choice.idea, self.case), number)
        try:
            return self.workspace.commit(parent, self.ideator.write(choice.idea, choice.setting, tree)), ""
        except (LookupError, UsageError) as error:
            return None, f"no longer applies: {error}"

    def _race(self, commit: str, seeds: Sequence[int], opponent: Mapping[int, float]) -> tuple[Measurement, ...]:
        """Step 5, in a worker: one seed after another, ended at the first failure or when the candidate is hopeless."""
        done: list[Measurement] = []
        for seed in seeds:
            done.append(self.evaluation.measure(commit, seed, "search", hopeless=self._hopeless))
            if not done[-1].ok or self._gain(done, opponent) <= 0:
                break
        return tuple(done)

    def _hopeless(self, progress: Sequence[float]) -> bool:
        """Has a run fallen too far behind the baseline in the progress number that the task declares?"""
        _, _, direction = (self.case.environment.commands.progress or "").rpartition(":")
        noise = self.case.baseline.measurements if self.case.baseline else ()
        rivals = [measurement.progress for measurement in (*self._baseline.values(), *noise) if measurement.ok]
        return hopeless(progress, rivals, "max" if direction == "max" else "min")

    def _collect(self) -> None:
        """Steps 6 and 7 for the runs that have ended: judge and record; waits for at least one."""
        self.engine.wait([item.pending for item in self._running])
        for item in sorted(self._running, key=lambda item: item.number):
            if item.pending.done():
                self._running.remove(item)
                self._record(item.choice, item.number, item.commit, item.pending.result(), item.verdict, item.started, item.seeds)

    def _record(
        self, choice: Try, number: int, commit: str | None, measurements: Sequence[Measurement], verdict: Verdict,
        started: float, seeds: Sequence[int] = (), note: str = "",
    ) -> None:  # fmt: skip
        failed = next((measurement.failure for measurement in measurements if not measurement.ok), None)
        complete = [measurement for measurement in measurements if measurement.ok]
        gain = self._gain(complete, self._scores(choice.parent)) if complete else None
        status, reason = "not_improved", ""
        if verdict.status == "rejected":
            status = "rejected"
        elif failed == HOPELESS:
            status, reason = "stopped", failed
        elif commit is None or failed:
            status, reason = "failed", failed or ""
        elif gain is not None and gain > self._threshold(choice.parent, complete) and len(complete) == len(seeds):
            judged = self.supervisor.judge(complete, self._baseline_on(seeds), self.case)
            crossed = tuple(violation for violation in judged.violations if violation.action == "reject")
            prices = self._prices(complete, seeds)
            verdict = Verdict.of((*verdict.violations, *crossed, *prices))
            status = "rejected" if verdict.status == "rejected" else "not_improved" if prices else "improved"
            reason = f"better, but at a price: {prices[0].evidence}" if prices else ""
        elif len(complete) < len(seeds):
            status = "stopped"
        experiment = Experiment(
            number=number, parent=choice.parent, idea=choice.idea.id, title=choice.idea.title, level=choice.idea.level,
            step=choice.step, setting=choice.setting, status=status, commit=commit,  # type: ignore[arg-type]
            measurements=tuple(_trial(measurement) for measurement in measurements),
            score=fmean(m.values[self._metric.name] for m in complete) if complete else None,
            gain=gain, verdict=verdict, note=note or reason, seconds=round(sum(m.seconds for m in measurements), 3),
            leap=choice.idea.leap, honeymoon=choice.honeymoon,
        )  # fmt: skip
        self.store.append_experiment(experiment)
        self.history = sorted([*self.history, experiment], key=lambda item: item.number)
        if commit:
            self.workspace.tag(f"experiment-{number:04d}", commit)
        self.progress.experiment(experiment)
        if status == "improved":
            best = best_of(self.history, self._metric.direction == "max")
            self.workspace.tag("_best", (best.commit if best else commit) or "")
            if choice.idea.level != "PARAM":
                self._propose_on(number, self.history)

    # ── confirmation ──────────────────────────────────────────────────────────────────────────────────────────────────

    def confirm(self, plan: Seeds, deadline: float | None = None) -> Confirmed | None:
        """Confirm the best candidate of the search on fresh seeds until `deadline`; None where none beat the baseline."""
        return Confirming(
            case=self.case, supervisor=self.supervisor, evaluation=self.evaluation, store=self.store, engine=self.engine,
            progress=self.progress, protocol=self.protocol, deadline=deadline, checks=self.checks,
            judge=self.judge,
        ).confirm_candidates(plan, self.history)  # fmt: skip

    # ── ideas ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _propose_on(self, number: int, history: Sequence[Experiment]) -> None:
        """Ask the ideator again on a changed state; what is new joins the library with its verdict (paper 3.7.3)."""
        commit = self._commit_of(number)
        if commit in self._proposed:
            return
        self._proposed.add(commit)
        known = {idea.id for idea, _ in self.store.ideas()}
        for idea in self.ideator.propose(self.case, history, self.workspace.tree(commit)):
            if idea.id not in known:
                self._add(idea)

    def _leap_on(self, number: int) -> None:
        """Ask a model for structural candidates on a state; each is put before every red line (paper 3.7.3)."""
        commit = self._commit_of(number)
        tried = {experiment.idea for experiment in self.history}
        waiting = any(idea.level != "PARAM" and idea.id not in tried for idea in self._able())
        if waiting or self._asked.get(commit, 0) >= _LEAPS:
            return
        self._asked[commit] = self._asked.get(commit, 0) + 1
        paths = [change.path for change in self.workspace.changes(self.case.environment.commit, commit)]
        for idea in self.ideator.leap(self.case, self.history, list(self.ideas.values()), self.workspace.tree(commit), paths):
            self._add(idea)

    def _add(self, idea: Idea) -> None:
        """Into the library, with the Supervisor's word on it."""
        verdict = self.supervisor.screen_idea(idea, self.case)
        self.store.append_idea(idea, verdict)
        if verdict.status != "rejected":
            self.ideas[idea.id] = idea

    def _able(self) -> list[Idea]:
        """The ideas of the library that can be carried out in this run."""
        return [idea for idea in self.ideas.values() if self.session is not None or idea.site is not None or idea.knobs]

    # ── numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _metric(self):  # type: ignore[no-untyped-def]
        return self.case.rubric.primary

    def _measure_baseline(self) -> None:
        """The baseline on the search seeds: what candidates are paired with."""
        commit = self.case.environment.commit

        def job(seed: int) -> Callable[[], tuple[Measurement, ...]]:
            return lambda: (self.evaluation.measure(commit, seed, "search"),)

        pending = [self.engine.submit(job(seed)) for seed in self.seeds]
        found = [measurement for item in pending for measurement in item.result()]
        self.progress.evaluated(len(found))
        self._baseline = {measurement.seed: measurement for measurement in found if measurement.ok}

    def _baseline_on(self, seeds: Sequence[int]) -> list[Measurement]:
        return [self._baseline[seed] for seed in seeds if seed in self._baseline]

    def _scores(self, number: int) -> dict[int, float]:
        """Seed → what the state of experiment `number` is expected to score with it.

        Half the seed's own run, half the mean of all runs known: the run alone would be a lucky or unlucky opponent where seeds
        do not pair (the candidate draws its random numbers differently), the mean alone would waste the pairing where they do.
        """
        name, values = self._metric.name, self._values(number)
        known = list(values.values())
        if not number:
            noise = self.case.baseline.measurements if self.case.baseline else ()
            known = [*values.values(), *(measurement.values[name] for measurement in noise if measurement.ok)]
        return {seed: (value + fmean(known)) / 2 for seed, value in values.items()}

    def _values(self, number: int) -> dict[int, float]:
        """Seed → what the state of experiment `number` scored with it."""
        name = self._metric.name
        if number:
            return {trial.seed: trial.values[name] for trial in self._experiment(number).measurements if trial.values}
        return {seed: measurement.values[name] for seed, measurement in self._baseline.items()}

    def _gain(self, measurements: Sequence[Measurement], opponent: Mapping[int, float]) -> float:
        """Mean gain over what the opponent is expected to score on the same seeds; its mean on a seed it lacks."""
        if not opponent:
            return 0.0
        mean = fmean(opponent.values())
        metric = self._metric
        return fmean(metric.gain(opponent.get(m.seed, mean), m.values[metric.name]) for m in measurements)

    def _prices(self, measurements: Sequence[Measurement], seeds: Sequence[int]) -> tuple[Violation, ...]:
        """Guarded metrics that are beyond their margin. Few runs cannot show that one is within: that is the confirmation's."""
        found = []
        for guard in guards.compare(measurements, self._baseline_on(seeds), self.case.rubric):
            small = guards.is_cpu(guard.spec) and guard.best - guard.baseline < guards.CLOCK_NOISE
            if guard.state == "beyond" and not small:
                evidence = f"{guard.spec.name} {guard.baseline:.4g} before, {guard.best:.4g} after"
                found.append(Violation(red_line="R4", rule="search-guard", action="disclose", evidence=evidence))
        return tuple(found)

    def _threshold(self, parent: int, complete: Sequence[Measurement]) -> float:
        """What a gain over a state must exceed: a share of the noise around it."""
        name, before = self._metric.name, self._values(parent)
        tried: list[Sequence[Trial | Measurement]] = [item.measurements for item in self.history if item.parent == parent]
        pairs = [[run.values[name] - before[run.seed] for run in runs if run.seed in before and name in run.values]
                 for runs in [*tried, complete]]  # fmt: skip
        noise = self.case.baseline.noise.get(name, 0.0) if self.case.baseline else 0.0
        return float(_PROMISING * statistics.local_noise(noise, pairs) / max(1, len(complete)) ** 0.5)

    # ── state ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _spent(self, budget: Budget) -> str | None:
        if self._left(budget) <= 0:
            return f"the budget of {budget.trials} evaluations is used up"
        if budget.deadline is not None and time.monotonic() >= budget.deadline:
            return "the time for the search is used up"
        if _barren(self.history) >= _BARREN:
            return f"the last {_BARREN} choices led to nothing new to measure"
        best = best_of(self.history, self._metric.direction == "max")
        if budget.target is None or best is None or best.score is None or self._metric.gain(budget.target, best.score) < 0:
            return None
        return f"the target {budget.target:g} is reached in search"

    def _left(self, budget: Budget) -> int:
        """Evaluations left: recorded experiments count, and those under way as if none were stopped early.

        A measurement that a killed process left behind without its experiment is not counted before the experiment is recorded:
        the same choice comes again, finds it in the ledger and gets the seeds it would have had.
        """
        paid = {(experiment.commit, trial.seed) for experiment in self.history for trial in experiment.measurements}
        under_way = {(item.commit, seed) for item in self._running for seed in item.seeds} - paid
        return budget.trials - len(paid) - len(under_way)

    def _experiment(self, number: int) -> Experiment:
        return next(experiment for experiment in self.history if experiment.number == number)

    def _commit_of(self, number: int) -> str:
        return (self._experiment(number).commit or "") if number else self.case.environment.commit

    def _patch(self, parent: str, commit: str) -> Patch:
        base = self.case.environment.commit
        return Patch(parent=parent, commit=commit, base=base, changes=self.workspace.changes(base, commit))


def best_of(history: Sequence[Experiment], larger: bool) -> Experiment | None:
    """The improved experiment with the best score, the earlier one on a tie."""
    improved = [experiment for experiment in history if experiment.status == "improved" and experiment.score is not None]
    return max(improved, key=lambda e: ((e.score or 0.0) if larger else -(e.score or 0.0), -e.number), default=None)


def _barren(history: Sequence[Experiment]) -> int:
    """How many experiments at the end of a history measured nothing, or what an earlier one had measured."""
    count, commits = 0, [experiment.commit for experiment in history if experiment.measurements]
    for experiment in reversed(history):
        if experiment.measurements:
            commits.pop()
            if experiment.commit not in commits:
                break
        count += 1
    return count


def _trial(measurement: Measurement) -> Trial:
    return Trial(
        seed=measurement.seed, values=measurement.values, seconds=measurement.seconds,
        cpu_seconds=measurement.cpu_seconds, exit_code=measurement.exit_code,
    )  # fmt: skip
