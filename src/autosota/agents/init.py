"""AgentInit (paper section 3.4): a repository that runs, and its baseline.

`prepare` finds the command, builds the environment, runs the evaluation once traced, repairs what fails, and settles the zones.
`reproduce` measures the baseline over seeds and compares it with the paper.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from autosota import draft, entrypoints, environments, items, metrics, preparation, rubrics, zones
from autosota.agents import acquiring, needs
from autosota.agents.fix import Fix, Proposal
from autosota.agents.monitor import Bounds, Event, Monitor
from autosota.agents.objective import compare
from autosota.errors import AutosotaError, BudgetError, StageError
from autosota.evaluation import Attempt, Evaluation
from autosota.ports import Engine, Executor
from autosota.records import (
    Baseline,
    Commands,
    Environment,
    Measurement,
    MetricSpec,
    Mount,
    Recipe,
    Repair,
    Rubric,
    Task,
    Zones,
)
from autosota.skills import Context
from autosota.statistics import constant, deviation, mean
from autosota.workspace import Workspace

if TYPE_CHECKING:
    from autosota.config import Resolved

Reproduced = Literal["yes", "partly", "no", "unknown"]
MakeEvaluation = Callable[[Environment, Sequence[MetricSpec]], Evaluation]
FIRST_SEED = 20_260_101
"""Of the traced run; its numbers are used for their names only."""
REPAIRS = 30
SUBSTITUTE = "substitute: "
"""Start of a note on something that stands in for what the paper used."""


@dataclass
class _Work:
    """The environment as it is being made; repairs work on copies."""

    commit: str
    commands: Commands
    recipe: Recipe | None = None
    extra: list[str] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    python: str | None = None
    before: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    repairs: list[Repair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def copy(self) -> _Work:
        return replace(
            self, extra=[*self.extra], drop=[*self.drop], variables={**self.variables}, repairs=[*self.repairs],
            notes=[*self.notes],
        )  # fmt: skip


@dataclass(frozen=True)
class _Setting:
    """What stays the same while an environment is being made."""

    resolved: Resolved
    workspace: Workspace
    mounts: tuple[Mount, ...]
    variables: Mapping[str, str]
    metrics: tuple[MetricSpec, ...]
    make_evaluation: MakeEvaluation


class Init:
    """Makes repositories run. One object serves one run."""

    def __init__(
        self, *, executor: Executor, cache: Path, fix: Fix, monitor: Monitor, workers: int = 1, resources: Path | None = None
    ) -> None:
        """`resources`: the run's folder of downloads."""
        self._resources = resources
        self._executor, self._cache, self._fix, self._monitor, self._workers = executor, cache, fix, monitor, workers
        self._printed: dict[str, Mapping[str, list[float]]] = {}

    # ── prepare ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, task: Task, resolved: Resolved, workspace: Workspace, make_evaluation: MakeEvaluation) -> Environment:
        """The environment, commands and zones, proved by one traced run.

        Raises UsageError where only the user can decide and StageError where the repository cannot be made to run."""
        setting = _Setting(
            resolved,
            workspace,
            (*preparation.mounts(resolved), *(acquiring.mounts(task.assets, self._resources) if self._resources else ())),
            preparation.variables(resolved),
            preparation.specs(resolved),
            make_evaluation,
        )
        work = self._begin(setting)
        sealed = preparation.sealed(resolved, workspace, work.commit)
        self._build(work, setting)
        work, attempt = self._repaired(work, self._attempt(work, setting), setting)
        preparation.check_metrics(setting.metrics, attempt.execution.stdout, attempt.file)
        environment = self._settled(work, attempt, setting).model_copy(update={"sealed": sealed})
        self._printed[_key(environment)] = _names(attempt, environment)
        return environment

    def outline(self, resolved: Resolved, workspace: Workspace, make_evaluation: MakeEvaluation) -> Environment:
        """Commands and zones by analysis alone, nothing built and nothing run: for static audits. Raises UsageError."""
        setting = _Setting(resolved, workspace, (), {}, preparation.specs(resolved), make_evaluation)
        work = self._begin(setting)
        work.recipe = Recipe(digest="", python="", prefix="")
        environment, config = self._provisional(work, setting), resolved.config
        found = zones.find(
            workspace.tree(work.commit), work.commands, read=None, protected=config.protect, free=config.free,
            metrics=setting.metrics, task_file=preparation.inside(config.task, workspace.repository),
        )  # fmt: skip
        return environment.model_copy(update={"zones": found, "notes": tuple(work.notes)})

    def _begin(self, setting: _Setting) -> _Work:
        """The snapshot and the command; a repository of notebooks gets a script."""
        commit = setting.workspace.snapshot()
        tree = setting.workspace.tree(commit)
        preparation.check_constraints(setting.resolved, tree)
        work = _Work(commit, Commands(evaluate="true"))
        if setting.workspace.skipped:
            work.notes.append(f"files left out (unreadable, special or over 256 MB): {', '.join(setting.workspace.skipped[:5])}")
        commands, notes = preparation.commands(setting.resolved, tree)
        if commands is None:
            script = preparation.notebook_script(tree)
            if script is None:
                raise preparation.undecided(tree, notes)
            work.commit = setting.workspace.commit(commit, [script], "Notebook cells joined into a script")
            commands = Commands(evaluate=f"python {script.path}")
            work.repairs.append(
                Repair(signature="only notebooks", skill="notebook-only", outcome="worked", changed=(script.path,))
            )
        place, reason = preparation.seed_place(setting.resolved, commands, setting.workspace.tree(work.commit))
        progress = setting.resolved.task_file.evaluation.progress
        work.commands = commands.model_copy(update={"seed": place, "progress": progress})
        work.notes += [*notes, f"seed: {reason}"]
        return work

    def _build(self, work: _Work, setting: _Setting) -> None:
        """Put the recipe for the work's state into it. Raises StageError."""
        tree = setting.workspace.tree(work.commit)
        lines = [line for line in (work.commands.evaluate, work.commands.predict, work.commands.score) if line]
        entries = [path for line in lines for path in entrypoints.scripts(line, tree)]
        threads = preparation.thread_variables(self._threads(setting.resolved))
        work.recipe = environments.build(
            setting.workspace.repository, tree, executor=self._executor, cache=self._cache,
            python=setting.resolved.config.python or work.python, extra=work.extra, drop=work.drop, entries=entries,
            variables={**threads, **setting.variables, **work.variables}, before=work.before,
        )  # fmt: skip

    def _threads(self, resolved: Resolved) -> int:
        return resolved.config.threads or max(1, len(os.sched_getaffinity(0)) // self._workers)

    def _provisional(self, work: _Work, setting: _Setting) -> Environment:
        """Everything visible, nothing protected: for the traced run."""
        if work.recipe is None:
            raise TypeError("the environment is not built yet")
        return Environment(
            commit=work.commit, recipe=work.recipe, commands=work.commands, mounts=setting.mounts,
            zones=Zones(protected=(), ignored=setting.workspace.ignored()), threads=self._threads(setting.resolved),
        )  # fmt: skip

    def _attempt(self, work: _Work, setting: _Setting) -> Attempt:
        evaluation = setting.make_evaluation(self._provisional(work, setting), setting.metrics)
        return evaluation.attempt(work.commit, FIRST_SEED, trace=True)

    # ── repair ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _repaired(self, work: _Work, attempt: Attempt, setting: _Setting) -> tuple[_Work, Attempt]:
        """Remedies one after another until the evaluation runs; each that does not help is undone. Raises StageError."""
        monitor = self._monitor.bounded(Bounds(seconds=setting.resolved.config.time, failures=REPAIRS))
        monitor = monitor.seen(Event("phase", time.monotonic(), "repair"))
        seen: set[str] = set()
        in_vain: list[str] = []
        while not _runs(attempt, setting.metrics):
            failure = self._fix.read(attempt.execution)
            seen.add(failure.identity)
            monitor = monitor.seen(Event("failure", time.monotonic(), failure.signature))
            advice = monitor.advise(time.monotonic())
            proposal = None
            if advice.word != "stop" and attempt.execution.ended in ("exit", "memory", "processes"):
                proposal = self._fix.diagnose(attempt.execution, self._context(work, setting), in_vain)
            if proposal is None:
                raise self._given_up(work, attempt, advice.reason, setting)
            monitor = monitor.seen(Event("remedy", time.monotonic(), proposal.skill.name))
            changed, after, words = self._applied(proposal, work, setting)
            helped = after is not None and (_runs(after, setting.metrics) or self._further(after, seen))
            self._fix.record(proposal, "worked" if helped else "failed" if after is not None else "skipped")
            repair = _repair(proposal, helped, words)
            if helped and after is not None:
                work, attempt = changed, after
            else:
                in_vain.append(proposal.remedy.detail())
            work.repairs.append(repair)
        return work, attempt

    def _further(self, after: Attempt, seen: set[str]) -> bool:
        """Does the run now fail in another way? A stand-in that is used is none: what it stands for is needed after all."""
        failure = self._fix.read(after.execution)
        return failure.identity not in seen and failure.exception != "StandInUsedError"

    def _applied(self, proposal: Proposal, work: _Work, setting: _Setting) -> tuple[_Work, Attempt | None, str]:
        """The work with a remedy, the run after it, and why there was none."""
        remedy, changed = proposal.remedy, work.copy()
        try:
            if remedy.changes:
                changed.commit = setting.workspace.commit(work.commit, remedy.changes, remedy.reason)
            if remedy.command:
                changed.commands = work.commands.model_copy(update={"evaluate": remedy.command})
            changed.extra += remedy.install
            changed.drop += remedy.drop
            changed.python, changed.before = remedy.python or work.python, remedy.before or work.before
            changed.variables.update(remedy.variables)
            if remedy.substitute:
                changed.notes.append(SUBSTITUTE + remedy.reason)
            if remedy.install or remedy.drop or remedy.python or remedy.before or remedy.variables:
                self._build(changed, setting)
            return changed, self._attempt(changed, setting), ""
        except AutosotaError as error:
            return work, None, error.message

    def _context(self, work: _Work, setting: _Setting) -> Context:
        environment = self._provisional(work, setting)
        root = "/workspace" if self._executor.overlays else ""
        pythons = tuple(f"{found.version.major}.{found.version.minor}" for found in environments.interpreters.available())
        return Context(
            tree=setting.workspace.tree(work.commit), recipe=environment.recipe, commands=work.commands, root=root,
            pythons=() if setting.resolved.config.python else pythons, before=work.before,
            date=preparation.last_commit(setting.workspace.repository),
        )  # fmt: skip

    def _given_up(self, work: _Work, attempt: Attempt, reason: str, setting: _Setting) -> StageError:
        failure = self._fix.read(attempt.execution)
        frames = [frame for frame in failure.repository_frames("/workspace") if not frame.file.startswith("stand_ins/")]
        where = f" at {frames[0].file} line {frames[0].line}" if frames else ""
        tried = [repair.skill for repair in work.repairs]
        words, command = needs.words(failure, attempt), work.commands.evaluate or work.commands.predict or ""
        return StageError(
            f"the evaluation does not run: {words}{where}"
            + (f"; tried {', '.join(tried)}" if tried else "") + (f"; {reason}" if reason else ""),
            needs.hint(failure, attempt, setting.workspace.tree(work.commit), command),
        )  # fmt: skip

    # ── what the traced run shows ─────────────────────────────────────────────────────────────────────────────────────

    def _settled(self, work: _Work, attempt: Attempt, setting: _Setting) -> Environment:
        """Seed place, zones and ignored data, now that the run has shown which files it reads."""
        environment, config = self._provisional(work, setting), setting.resolved.config
        tree = setting.workspace.tree(work.commit)
        commands, notes = work.commands, list(work.notes)
        if commands.seed.kind == "environment" and not setting.resolved.task_file.evaluation.seed:
            place, reason = preparation.seed_place(setting.resolved, commands, tree, attempt.read)
            commands = commands.model_copy(update={"seed": place})
            notes = [*(note for note in notes if not note.startswith("seed: ")), f"seed: {reason}"]
        if commands.items is None and not commands.sealed:
            values = [value for values in _names(attempt, environment).values() for value in values]
            commands = commands.model_copy(update={"items": items.find(attempt.written, values)})
            notes += [f"items: {commands.items} holds one score per row, and their mean is what is reported"] * bool(
                commands.items
            )
        found = zones.find(
            tree, commands, read=attempt.read, protected=config.protect, free=config.free, metrics=setting.metrics,
            task_file=preparation.inside(config.task, setting.workspace.repository),
        )  # fmt: skip
        found = found.model_copy(update={"ignored": preparation.needed(environment.zones.ignored, attempt.read)})
        return environment.model_copy(
            update={
                "commands": commands, "zones": found, "repairs": tuple(work.repairs),
                "notes": (*environment.recipe.notes, *notes, *preparation.reductions(commands), *attempt.notes),
            }
        )  # fmt: skip

    def printed(self, environment: Environment, make_evaluation: MakeEvaluation) -> Mapping[str, list[float]]:
        """Every number with a name that the evaluation prints: from the traced run, or from another where that is gone."""
        key = _key(environment)
        if key not in self._printed:
            attempt = make_evaluation(environment, ()).attempt(environment.commit, FIRST_SEED)
            self._printed[key] = _names(attempt, environment)
        return self._printed[key]

    # ── baseline ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def reproduce(
        self, environment: Environment, rubric: Rubric, evaluation: Evaluation, seeds: Sequence[int], engine: Engine,
        *, expired: Callable[[], bool] = lambda: False,
    ) -> Baseline:  # fmt: skip
        """Measure over `seeds`, in their order; once the time has `expired` no further one is begun.

        Raises StageError when none delivers every metric, BudgetError when the time left fewer than two runs."""

        def job(seed: int) -> Callable[[], tuple[Measurement, ...]]:
            return lambda: () if expired() else (evaluation.measure(environment.commit, seed, "noise"),)

        pending = [engine.submit(job(seed)) for seed in seeds]
        measurements = tuple(measurement for item in pending for measurement in item.result())
        if len(measurements) < min(2, len(seeds)):
            raise BudgetError(f"the time ended after {len(measurements)} of {len(seeds)} baseline runs", "give more with --time")
        good = [measurement for measurement in measurements if measurement.ok]
        if not good:
            last = measurements[-1]
            raise StageError(
                f"the baseline delivers no complete metrics on any of {len(seeds)} seeds: {last.failure}",
                "run the evaluation command by hand; name other metrics with --metric or another command with --eval",
            )
        values = {spec.name: [measurement.values[spec.name] for measurement in good] for spec in rubric.metrics}
        whole = {spec.name: [measurement.whole[spec.name] for measurement in good] for spec in rubric.metrics}
        primary = values[rubric.primary.name]
        short = f"the time ended after {len(measurements)} of {len(seeds)} runs"
        cut = (short,) if len(measurements) < len(seeds) else ()
        deterministic = len(good) > 1 and constant(primary)
        return Baseline(
            measurements=measurements,
            mean={name: mean(found) for name, found in values.items()},
            noise={name: deviation(found) if len(found) > 1 else 0.0 for name, found in values.items()},
            seconds=median(measurement.seconds for measurement in good),
            cpu_seconds=median(measurement.cpu_seconds for measurement in good),
            reproduced=_reproduced(rubric, whole, environment),
            deterministic=deterministic,
            notes=(*_baseline_notes(environment, rubric, measurements, whole, deterministic), *cut),
        )

    def checks(
        self, environment: Environment, rubric: Rubric, baseline: Baseline, tree: Mapping[str, bytes] = MappingProxyType({})
    ) -> dict[str, bool]:
        """Name of a check in the rubric → does it hold, for every one that environment, baseline and `tree` decide."""
        runs = [item.ok for item in baseline.measurements]
        decided = {"environment": True, "evaluation-runs": any(runs), "seeds-complete": all(runs)}
        for spec in rubric.metrics:
            values = [item.whole[spec.name] for item in baseline.measurements if item.ok]
            decided[f"metric:{spec.name}"] = bool(values) and (spec.reported is None or compare(spec, values)[0])
        reached = set(environment.zones.reached)
        for leaf in rubrics.leaves(rubric.tree):
            kind, _, rest = (leaf.check or "").partition(":")
            if kind == "file-exists":
                inside = "/" + rest.removeprefix("./")  # commands may change into a folder first
                decided[leaf.check or ""] = rest in reached or any(f"/{path}".endswith(inside) for path in tree)
        return decided

    def write_task_file(self, resolved: Resolved, workspace: Workspace, specs: Sequence[MetricSpec] = ()) -> str:
        """What `autosota init` writes: the task file that rules find, with a comment on every line a person should check.
        `specs`: what the paper reports, the headline first."""
        return draft.task_file(resolved, workspace.tree(workspace.snapshot()), specs)


def _runs(attempt: Attempt, specs: Sequence[MetricSpec]) -> bool:
    """Did it end well, or deliver every metric asked for before it failed? Whether names match is the rubric's business."""
    execution = attempt.execution
    if execution.ended == "exit" and execution.exit_code == 0:
        return attempt.failure is None or not attempt.failure.startswith("predict delivered no")
    return (bool(specs) and attempt.failure is None) or execution.ended == "silence"


def _repair(proposal: Proposal, helped: bool, words: str) -> Repair:
    remedy = proposal.remedy
    note = (SUBSTITUTE if remedy.substitute else "") + remedy.reason + (f"; not applied: {words}" if words else "")
    return Repair(
        signature=proposal.failure.signature, skill=proposal.skill.name, outcome="worked" if helped else "failed",
        changed=remedy.touched, note=note,
    )  # fmt: skip


def _key(environment: Environment) -> str:
    return f"{environment.commit} {environment.recipe.digest} {environment.commands.model_dump_json()}"


def _names(attempt: Attempt, environment: Environment) -> Mapping[str, list[float]]:
    return metrics.names(attempt.execution.stdout, attempt.file, environment.commands.metrics or "")


def _reproduced(rubric: Rubric, values: Mapping[str, Sequence[float]], environment: Environment) -> Reproduced:
    """yes: every reported number is met; partly: the primary one, or with substitutes; no: the primary one is missed."""
    words = {spec.name: compare(spec, values[spec.name])[0] for spec in rubric.metrics if spec.reported is not None}
    words = {name: word for name, word in words.items() if word is not None}
    if not words:
        return "unknown"
    if not words.get(rubric.primary.name, all(words.values())):
        return "no"
    whole = all(words.values()) and not any(note.startswith((SUBSTITUTE, preparation.REDUCED)) for note in environment.notes)
    return "yes" if whole else "partly"


def _baseline_notes(
    environment: Environment, rubric: Rubric, measurements: Sequence[Measurement], values: Mapping[str, Sequence[float]],
    deterministic: bool,
) -> tuple[str, ...]:  # fmt: skip
    notes = [note for note in environment.notes if note.startswith((SUBSTITUTE, preparation.REDUCED))]
    failed = [measurement for measurement in measurements if not measurement.ok]
    if failed:
        notes.append(f"{len(failed)} of {len(measurements)} seeds fail: {failed[0].failure}")
    if deterministic:
        notes.append("the seed changes nothing: all runs give the same number")
    for spec in rubric.metrics:
        if spec.reported is not None:
            difference = compare(spec, values[spec.name])[1]
            notes.append(f"{spec.name}: measured minus reported is {difference:+.4g}")
    return tuple(dict.fromkeys(notes))
