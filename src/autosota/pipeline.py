"""The stages in order. Each is a function from record to record; one whose file exists is done (architecture, section 2)."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autosota.agents.ideator import Ideator
from autosota.agents.init import Init
from autosota.agents.objective import Objective, compare
from autosota.agents.resource import Resource
from autosota.agents.scheduler import Budget, Confirmed, Scheduler, SeedPlan
from autosota.agents.supervisor import Supervisor, assurance
from autosota.config import Resolved
from autosota.errors import BudgetError
from autosota.evaluation import Evaluation
from autosota.ports import Engine, Executor, Search
from autosota.progress import Progress
from autosota.records import (
    Analysis,
    Baseline,
    BaselineSummary,
    BestSummary,
    Case,
    Environment,
    ExperimentCounts,
    Measurement,
    MetricName,
    MetricSpec,
    Record,
    Result,
    Rubric,
    Task,
)
from autosota.statistics import deviation, mean
from autosota.store import OPTIMIZED, PATCH, Store
from autosota.workspace import Workspace

R = TypeVar("R", bound=Record)
_CLOCK = ".seconds"
_CONFIRMATION_RUNS = 16
"""Both arms, eight pairs: what the time budget keeps back."""


@dataclass
class Parts:
    """What a run is made of; `compose` builds it."""

    resolved: Resolved
    store: Store
    progress: Progress
    executor: Executor
    engine: Engine
    resource: Resource
    objective: Objective
    init: Init
    ideator: Ideator
    supervisor: Supervisor
    make_search: Callable[[MetricSpec], Search]
    make_workspace: Callable[[Path], Workspace]
    scratch: Path
    site_packages: Callable[[Environment], Path | None]
    started: float


def replicate(parts: Parts) -> tuple[Case, Workspace]:
    """Phase one: resources, objective, environment, baseline (paper 3.2 to 3.6). Returns the case that search works on."""
    store, config = parts.store, parts.resolved.config
    task = _stage(parts, "resource", Task, store.task, lambda: _resource(parts))
    workspace = parts.make_workspace(Path(task.repository.path))
    parts.progress.note("; ".join(task.readiness.reasons))

    def make_evaluation(environment: Environment, metrics: Sequence[MetricSpec]) -> Evaluation:
        return Evaluation(
            workspace=workspace, executor=parts.executor, environment=environment, metrics=metrics,
            limits=config.limits, scratch=parts.scratch, store=store,
        )  # fmt: skip

    environment = _stage(
        parts, "environment", Environment, store.environment,
        lambda: parts.init.prepare(task, parts.resolved, workspace, make_evaluation),
    )  # fmt: skip
    rubric = _stage(parts, "objective", Rubric, store.rubric, lambda: _objective(parts, task, environment, make_evaluation))
    baseline = _stage(parts, "baseline", Baseline, store.baseline, lambda: _baseline(parts, environment, rubric, make_evaluation))
    rubric = _score(parts, rubric, environment, baseline)
    primary = rubric.primary
    parts.progress.baseline(
        primary, mean=baseline.mean.get(primary.name), noise=baseline.noise.get(primary.name), runs=len(baseline.measurements)
    )
    for note in baseline.notes:
        parts.progress.note(note)
    packages = {package.name: package.version for package in environment.recipe.packages}
    tree = workspace.tree(environment.commit)
    return Case(rubric=rubric, environment=environment, baseline=baseline, analysis=None, tree=tree, packages=packages), workspace


def _stage(parts: Parts, name: str, kind: type[R], load: Callable[[], R | None], make: Callable[[], R]) -> R:
    record = load()
    if record is None:
        parts.progress.stage(name)
        _check_time(parts)
        record = make()
        parts.store.save(record)
    return record


def _resource(parts: Parts) -> Task:
    config = parts.resolved.config
    folder = Path(config.task).parent if config.task else None
    return parts.resource.run(config.paper, config.repository, folder=parts.store.folder / "resources", task_folder=folder)


def _objective(
    parts: Parts, task: Task, environment: Environment, make_evaluation: Callable[[Environment, Sequence[MetricSpec]], Evaluation]
) -> Rubric:
    """The rubric, its metrics matched with what the evaluation really prints."""
    printed: Mapping[str, list[float]] = parts.init.printed(environment, make_evaluation)
    return parts.objective.run(task, parts.resolved.task_file, printed=printed)


def _baseline(
    parts: Parts, environment: Environment, rubric: Rubric,
    make_evaluation: Callable[[Environment, Sequence[MetricSpec]], Evaluation],
) -> Baseline:  # fmt: skip
    seeds = SeedPlan(parts.store.secret()).draw("noise", parts.resolved.config.seeds)
    evaluation = make_evaluation(environment, rubric.metrics)
    return parts.init.reproduce(environment, rubric, evaluation, seeds, parts.engine)


def _score(parts: Parts, rubric: Rubric, environment: Environment, baseline: Baseline) -> Rubric:
    checks: dict[str, bool] = parts.init.checks(environment, rubric, baseline)
    scored = parts.objective.score(rubric, checks)
    if scored != rubric:
        parts.store.save(scored)
    return scored


def _check_time(parts: Parts) -> None:
    limit = parts.resolved.config.time
    if limit is not None and time.monotonic() - parts.started > limit:
        raise BudgetError(f"the time budget of {limit:.0f} s ended before there was a baseline", "give more with --time")


# ── phases two and three ──────────────────────────────────────────────────────────────────────────────────────────────


def optimize(parts: Parts, case: Case, workspace: Workspace) -> Result:
    """Analysis, protocol lock, search and confirmation (paper 3.7 to 3.9)."""
    store, config = parts.store, parts.resolved.config
    analysis = _stage(parts, "analysis", Analysis, store.analysis, lambda: _analyse(parts, case))
    case = replace(case, analysis=analysis)
    lock = _lock(parts, case, workspace)
    evaluation = Evaluation(
        workspace=workspace, executor=parts.executor, environment=case.environment, metrics=case.rubric.metrics,
        limits=config.limits, scratch=parts.scratch, store=store, protocol=lock,
    )  # fmt: skip
    _propose(parts, case)
    plan = SeedPlan(store.secret())
    scheduler = Scheduler(
        case=case, search=parts.make_search(case.rubric.primary), ideator=parts.ideator, supervisor=parts.supervisor,
        evaluation=evaluation, workspace=workspace, store=store, engine=parts.engine, progress=parts.progress,
        seeds=plan.draw("search", _search_seeds(case, config.trials)), protocol=lock,
    )  # fmt: skip
    deadline = _deadline(parts, case)
    parts.progress.budget(evaluations=config.trials, seconds=deadline - time.monotonic() if deadline is not None else None)
    parts.progress.stage("search", f"{config.trials} evaluations of candidates, {len(store.ideas())} ideas")
    reason = scheduler.explore(Budget(trials=config.trials, deadline=deadline, target=config.target))
    parts.progress.note(reason)
    parts.progress.stage("confirmation", "fresh seeds, both arms")
    confirmed = scheduler.confirm(plan)
    result = _conclude(parts, case, workspace, confirmed)
    store.save(result)
    return result


def _analyse(parts: Parts, case: Case) -> Analysis:
    analysis = parts.ideator.analyse(case, parts.site_packages(case.environment))
    runs = parts.resolved.config.trials + _CONFIRMATION_RUNS
    seconds = (case.baseline.seconds if case.baseline else 0.0) * runs / parts.engine.workers
    parts.progress.note(f"about {duration(seconds)} for search and confirmation, from the baseline's {runs} evaluations to come")
    return analysis.model_copy(update={"estimate_seconds": round(seconds, 1)})


def _propose(parts: Parts, case: Case) -> None:
    """The library of ideas, each with the Supervisor's word on it (paper 3.7.2)."""
    known = {idea.id for idea, _ in parts.store.ideas()}
    if known:
        return
    parts.progress.stage("ideas")
    for idea in parts.ideator.propose(case):
        parts.store.append_idea(idea, parts.supervisor.screen_idea(idea, case))


def _search_seeds(case: Case, trials: int) -> int:
    """How many seeds a candidate must win on in search: one where the seed changes nothing, else two, three for large budgets."""
    if case.baseline is None or case.baseline.deterministic or trials < 8:
        return 1
    return 2 if trials < 60 else 3


def _deadline(parts: Parts, case: Case) -> float | None:
    """When the search must stop so that the confirmation still fits into the time."""
    limit = parts.resolved.config.time
    if limit is None:
        return None
    reserve = (case.baseline.seconds if case.baseline else 0.0) * _CONFIRMATION_RUNS / parts.engine.workers
    return parts.started + limit - reserve


def _conclude(parts: Parts, case: Case, workspace: Workspace, confirmed: Confirmed | None) -> Result:
    """The result from the records alone, so that a resumed run says the same."""
    store = parts.store
    metric, baseline = case.rubric.primary, case.baseline
    history, ledger = store.experiments(), store.measurements()
    confirmation = confirmed.confirmation if confirmed else None
    before = confirmation.baseline if confirmation and confirmation.baseline else (baseline.measurements if baseline else ())
    patch = None
    if confirmed:
        patch = PATCH
        commit = confirmed.commit
        store.write(PATCH, workspace.diff(case.environment.commit, commit))
        workspace.tag("_best", commit)
        shutil.rmtree(store.folder / OPTIMIZED, ignore_errors=True)
        workspace.export(commit, store.folder / OPTIMIZED)
    labels = list(confirmation.labels if confirmation else ())
    if baseline is not None and baseline.reproduced == "no" and "baseline-differs" not in labels:
        labels.append("baseline-differs")
    return Result(
        run=store.folder.name, command="run",
        grade=confirmation.grade if confirmation else "UNCONFIRMED",
        assurance=confirmation.assurance if confirmation else assurance(case, parts),
        metric=MetricName(name=metric.name, direction=metric.direction),
        baseline=_summary(before, metric, baseline),
        best=_best(confirmed, metric), gain=confirmation.gain if confirmation else None,
        secondary=confirmation.secondary if confirmation else (), labels=tuple(labels),
        violations=confirmation.violations if confirmation else (),
        experiments=ExperimentCounts(
            total=len(history), **{s: sum(e.status == s for e in history) for s in ("improved", "rejected", "failed")}
        ),
        patch=patch, runs=len(ledger),
        seconds=round(_active_seconds(store) + time.monotonic() - parts.started, 1),
        evaluation_seconds=round(sum(m.seconds for m in ledger), 1),
        evaluation_cpu_seconds=round(sum(m.cpu_seconds for m in ledger), 1),
    )  # fmt: skip


def _summary(measurements: Sequence[Measurement], metric: MetricSpec, baseline: Baseline | None) -> BaselineSummary:
    values = tuple(m.values[metric.name] for m in measurements if m.ok)
    return BaselineSummary(
        values=values, mean=mean(values) if values else None, std=deviation(values) if len(values) > 1 else None,
        reported=metric.reported, reproduced=baseline.reproduced if baseline else "unknown",
    )  # fmt: skip


def _best(confirmed: Confirmed | None, metric: MetricSpec) -> BestSummary | None:
    if confirmed is None:
        return None
    values = tuple(m.values[metric.name] for m in confirmed.confirmation.best if m.ok)
    return BestSummary(
        experiment=confirmed.experiment.number if confirmed.experiment else None, values=values,
        mean=mean(values) if values else None, std=deviation(values) if len(values) > 1 else None,
    )  # fmt: skip


def add_seconds(store: Store, seconds: float) -> None:
    """Remember the time a process spent on the run; a resumed run adds to it."""
    store.write(_CLOCK, f"{_active_seconds(store) + seconds:.3f}\n")


def _active_seconds(store: Store) -> float:
    try:
        return float((store.folder / _CLOCK).read_text())
    except (OSError, ValueError):
        return 0.0


def within_tolerance(spec: MetricSpec, values: Sequence[float]) -> bool | None:
    """Is the measured mean the paper's number? None where the paper reports none or nothing was measured."""
    return compare(spec, values)[0] if spec.reported is not None and values else None


def duration(seconds: float) -> str:
    """Seconds in words: "45 s", "12 min", "3.5 h"."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def task_file(parts: Parts) -> str:
    """What `autosota init` writes."""
    task = _resource(parts)
    workspace = parts.make_workspace(Path(task.repository.path))
    try:
        return parts.init.write_task_file(parts.resolved, workspace)
    finally:
        workspace.close()


def _lock(parts: Parts, case: Case, workspace: Workspace) -> str:
    return ""
