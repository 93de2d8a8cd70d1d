"""The stages in order. Each is a function from record to record; one whose file exists is done (architecture, section 2)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autosota import battery, bundle
from autosota.agents.acquiring import Acquire
from autosota.agents.confirming import Confirmed
from autosota.agents.ideator import Ideator
from autosota.agents.init import Init
from autosota.agents.judging import ModelJudge
from autosota.agents.objective import Objective
from autosota.agents.resource import Resource
from autosota.agents.scheduler import Budget, Scheduler
from autosota.agents.supervisor import Supervisor, assurance
from autosota.ask import Ask
from autosota.conclusion import active_seconds, conclude
from autosota.config import Resolved, adopt, state_folder
from autosota.environments import dockerfile
from autosota.errors import BudgetError, UsageError
from autosota.evaluation import Evaluation
from autosota.formats import duration
from autosota.ports import Engine, Executor, Search
from autosota.progress import Progress
from autosota.protocol import Protocol, Spending
from autosota.records import (
    Analysis,
    Baseline,
    Case,
    Environment,
    MetricSpec,
    Record,
    Result,
    Rubric,
    Task,
)
from autosota.seeds import Seeds
from autosota.session import Session
from autosota.statistics import mean
from autosota.store import PROTOCOL, RESOURCES, Store
from autosota.taskfile import TaskFile
from autosota.workspace import Workspace

R = TypeVar("R", bound=Record)
DOCKERFILE = "Dockerfile"
"""In the run directory: the environment for any container engine."""
_SEARCH_SEEDS = (1, 2, 3)
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
    make_search: Callable[[MetricSpec, float | None], Search]
    make_workspace: Callable[[Path], Workspace]
    scratch: Path
    site_packages: Callable[[Environment], Path | None]
    started: float
    ask: Ask | None = None
    """None where no model is named: everything goes by rule."""
    make_session: Callable[[Workspace, Environment], Session] | None = None
    """None where nobody can write code: neither a coder nor a model."""
    acquire: Acquire | None = None
    """None: nothing is downloaded but paper and repository."""


def replicate(parts: Parts) -> tuple[Case, Workspace]:
    """Phase one: resources, objective, environment, baseline (paper 3.2 to 3.6). Returns the case that search works on."""
    store = parts.store
    task = resource(parts)
    workspace = parts.make_workspace(Path(task.repository.path))
    parts.progress.note("; ".join(task.readiness.reasons))
    if (kind := task.classification) is not None and kind.kind != "method":
        parts.progress.note(f"a {kind.kind} paper: {kind.reason}")

    def make_evaluation(environment: Environment, metrics: Sequence[MetricSpec]) -> Evaluation:
        return evaluation(parts, environment, metrics, workspace)

    environment = _stage(
        parts, "environment", Environment, store.environment,
        lambda: parts.init.prepare(task, parts.resolved, workspace, make_evaluation),
    )  # fmt: skip
    if not (store.folder / DOCKERFILE).exists():
        store.write(DOCKERFILE, dockerfile.text(environment.recipe, environment.commands))
    rubric = _stage(parts, "objective", Rubric, store.rubric, lambda: _objective(parts, task, environment, make_evaluation))
    baseline = _stage(parts, "baseline", Baseline, store.baseline, lambda: _baseline(parts, environment, rubric, workspace))
    rubric = _score(parts, rubric, environment, baseline, workspace)
    primary = rubric.primary
    parts.progress.baseline(
        primary, mean=baseline.mean.get(primary.name), noise=baseline.noise.get(primary.name), runs=len(baseline.measurements)
    )
    parts.progress.evaluated(len(baseline.measurements))
    for note in baseline.notes:
        parts.progress.note(note)
    packages = {package.name: package.version for package in environment.recipe.packages}
    tree = workspace.tree(environment.commit)
    return Case(
        rubric=rubric, environment=environment, baseline=baseline, analysis=None, tree=tree, packages=packages, paper=task.paper
    ), workspace  # fmt: skip


def evaluation(
    parts: Parts, environment: Environment, metrics: Sequence[MetricSpec], workspace: Workspace, protocol: str = ""
) -> Evaluation:
    """The evaluation of an environment in this run. `protocol`: digest of the lock; empty before there is one."""
    return Evaluation(
        workspace=workspace, executor=parts.executor, environment=environment, metrics=metrics, protocol=protocol,
        limits=parts.resolved.config.limits, scratch=parts.scratch, store=parts.store,
    )  # fmt: skip


def outline(parts: Parts) -> tuple[Case, Workspace]:
    """The case as far as it is known without running anything: for static audits."""
    task = resource(parts)
    workspace = parts.make_workspace(Path(task.repository.path))
    environment = parts.init.outline(
        parts.resolved, workspace, lambda environment, metrics: evaluation(parts, environment, metrics, workspace)
    )
    rubric = parts.objective.run(task, parts.resolved.task_file)
    tree = workspace.tree(environment.commit)
    return Case(rubric=rubric, environment=environment, baseline=None, analysis=None, tree=tree), workspace


def _stage(parts: Parts, name: str, kind: type[R], load: Callable[[], R | None], make: Callable[[], R]) -> R:
    record = load()
    if record is None:
        parts.progress.stage(name)
        _check_time(parts)
        record = make()
        parts.store.save(record)
    return record


def resource(parts: Parts) -> Task:
    """The first stage; the task file of the repository that was found joins the settings."""
    task = _stage(parts, "resource", Task, parts.store.task, lambda: _resource(parts))
    parts.resolved = adopt(parts.resolved, task.repository)
    return task


def _resource(parts: Parts) -> Task:
    config = parts.resolved.config
    folder = Path(config.task).parent if config.task else None
    task = parts.resource.run(config.paper, config.repository, folder=parts.store.folder / RESOURCES, task_folder=folder)
    if not task.readiness.ready and not config.evaluate:
        raise UsageError(
            f"there is nothing to run in {task.repository.source}: {'; '.join(task.readiness.reasons)}",
            "give the folder that holds the code with REPO, or name its evaluation with --eval",
        )
    return task if parts.acquire is None else _acquired(task, parts.acquire, parts.store.folder / RESOURCES)


def _acquired(task: Task, acquire: Acquire, folder: Path) -> Task:
    """The task with its missing files downloaded, as far as they may be; where from is noted."""
    assets, notes = acquire.run(task.assets, Path(task.repository.path), folder)
    repository = task.repository.model_copy(update={"notes": (*task.repository.notes, *notes)})
    return task.model_copy(update={"assets": assets, "repository": repository})


def _objective(
    parts: Parts, task: Task, environment: Environment, make_evaluation: Callable[[Environment, Sequence[MetricSpec]], Evaluation]
) -> Rubric:
    """The rubric, its metrics matched with what the evaluation really prints."""
    printed: Mapping[str, list[float]] = parts.init.printed(environment, make_evaluation)
    return parts.objective.run(task, parts.resolved.task_file, printed=printed)


def _baseline(parts: Parts, environment: Environment, rubric: Rubric, workspace: Workspace) -> Baseline:
    seeds = Seeds(parts.store.secret()).draw("noise", parts.resolved.config.seeds)
    locked = evaluation(parts, environment, rubric.metrics, workspace, lock(parts, environment, rubric, workspace))
    last = end(parts)

    def expired() -> bool:
        return last is not None and time.monotonic() > last

    baseline = parts.init.reproduce(environment, rubric, locked, seeds, parts.engine, expired=expired)
    name = rubric.primary.name
    if not environment.commands.sealed or name not in baseline.mean or expired():
        return baseline
    if baseline.seconds > battery.LONGEST:
        return baseline.model_copy(update={"notes": (*baseline.notes, f"{battery.UNDONE}an evaluation takes too long")})
    notes = battery.calibrate(locked, rubric.primary, seeds[0], mean=baseline.mean[name], noise=baseline.noise.get(name, 0.0))
    return baseline.model_copy(update={"notes": (*baseline.notes, *notes)})


def _score(parts: Parts, rubric: Rubric, environment: Environment, baseline: Baseline, workspace: Workspace) -> Rubric:
    checks: dict[str, bool] = parts.init.checks(environment, rubric, baseline, workspace.tree(environment.commit))
    scored = parts.objective.score(rubric, checks)
    if scored != rubric:
        parts.store.save(scored)
    return scored


def _check_time(parts: Parts) -> None:
    last, limit = end(parts), parts.resolved.config.time
    if last is not None and time.monotonic() > last and parts.store.baseline() is None:
        raise BudgetError(f"the time budget of {limit:.0f} s ended before there was a baseline", "give more with --time")


# ── phases two and three ──────────────────────────────────────────────────────────────────────────────────────────────


def optimize(parts: Parts, case: Case, workspace: Workspace) -> Result:
    """Analysis, protocol lock, search and confirmation (paper 3.7 to 3.9)."""
    store, config = parts.store, parts.resolved.config
    analysis = _stage(parts, "analysis", Analysis, store.analysis, lambda: _analyse(parts, case))
    case = replace(case, analysis=analysis)
    digest = lock(parts, case.environment, case.rubric, workspace)
    _propose(parts, case)
    plan = Seeds(store.secret())
    locked = evaluation(parts, case.environment, case.rubric.metrics, workspace, digest)
    scheduler = Scheduler(
        case=case, search=search_of(parts, case), ideator=parts.ideator, supervisor=parts.supervisor,
        evaluation=locked, workspace=workspace, store=store, engine=parts.engine, progress=parts.progress,
        seeds=plan.draw("search", _search_seeds(case, config.trials)), protocol=digest, checks=config.controls,
        session=parts.make_session(workspace, case.environment) if parts.make_session else None,
        judge=ModelJudge(parts.ask) if parts.ask is not None else None,
    )  # fmt: skip
    deadline = _deadline(parts, case)
    parts.progress.budget(evaluations=config.trials, seconds=deadline - time.monotonic() if deadline is not None else None)
    parts.progress.stage("search", f"{config.trials} evaluations of candidates, {len(store.ideas())} ideas")
    confirmed = None
    for target in (config.target, None) if config.target is not None else (None,):
        reason = scheduler.explore(Budget(trials=config.trials, deadline=deadline, target=target))
        parts.progress.note(reason)
        parts.progress.stage("confirmation", "fresh seeds, both arms")
        confirmed = scheduler.confirm(plan, end(parts))
        if target is None or _reached(confirmed, case.rubric.primary, target):
            break
    result = conclude(
        case, workspace, store, confirmed, assurance=assurance(case, parts), seconds=time.monotonic() - parts.started
    )
    store.save(result)
    seal(parts, case, workspace, result)
    return result


def seal(parts: Parts, case: Case, workspace: Workspace, result: Result) -> None:
    """The verification bundle of a result that fresh runs stand behind."""
    if result.best is not None and result.best.values:
        path, words = bundle.write(parts.store, case, workspace, result, state_folder())
        parts.progress.note(f"verification bundle: {path.name}, {words}")


def _reached(confirmed: Confirmed | None, metric: MetricSpec, target: float) -> bool:
    """Is the target confirmed on fresh runs? Reached in search alone, the search goes on with what is left of its budget."""
    if confirmed is None or confirmed.confirmation.grade not in ("CONFIRMED", "DISCLOSE"):
        return False
    values = [measurement.values[metric.name] for measurement in confirmed.confirmation.best]
    return metric.gain(target, mean(values)) >= 0


def _analyse(parts: Parts, case: Case) -> Analysis:
    analysis = parts.ideator.analyse(case, parts.site_packages(case.environment))
    runs = parts.resolved.config.trials + _CONFIRMATION_RUNS
    seconds = (case.baseline.seconds if case.baseline else 0.0) * runs / parts.engine.workers
    parts.progress.note(f"about {duration(seconds)} for search and confirmation, from the baseline's {runs} evaluations to come")
    return analysis.model_copy(update={"estimate_seconds": round(seconds, 1)})


def _propose(parts: Parts, case: Case) -> None:
    """The library of ideas, each with the Supervisor's word on it (paper 3.7.2)."""
    if parts.store.experiments():
        return
    parts.progress.stage("ideas")
    known = {idea.id: idea for idea, _ in parts.store.ideas()}
    ideas = parts.ideator.propose(case)
    invented = () if known else parts.ideator.invent(case, ideas)
    for idea in (*ideas, *invented):
        if idea.id not in known or (idea in invented and known[idea.id] != idea):
            parts.store.append_idea(idea, parts.supervisor.screen_idea(idea, case))
            known[idea.id] = idea


def search_of(parts: Parts, case: Case) -> Search:
    """The search for a case, told the noise that the baseline showed."""
    metric = case.rubric.primary
    return parts.make_search(metric, case.baseline.noise.get(metric.name) if case.baseline else None)


def _search_seeds(case: Case, trials: int) -> int:
    """How many seeds a candidate must win on in search: one where the seed changes nothing, else two, three for large budgets."""
    if case.baseline is None or case.baseline.deterministic or trials < 8:
        return _SEARCH_SEEDS[0]
    return _SEARCH_SEEDS[1] if trials < 60 else _SEARCH_SEEDS[2]


def _deadline(parts: Parts, case: Case) -> float | None:
    """When the search must stop so that the confirmation still fits into the time."""
    last = end(parts)
    reserve = (case.baseline.seconds if case.baseline else 0.0) * _CONFIRMATION_RUNS / parts.engine.workers
    return None if last is None else last - reserve


def end(parts: Parts) -> float | None:
    """When the time of the run is used up, on the monotonic clock; what earlier processes spent counts."""
    limit = parts.resolved.config.time
    return None if limit is None else parts.started + limit - active_seconds(parts.store)


def task_file(parts: Parts) -> str:
    """What `autosota init` writes."""
    task = _resource(parts)
    workspace = parts.make_workspace(Path(task.repository.path))
    try:
        specs = parts.objective.run(task, TaskFile()).metrics
    except UsageError:
        specs = ()
    try:
        return parts.init.write_task_file(parts.resolved, workspace, specs)
    finally:
        workspace.close()


def lock(parts: Parts, environment: Environment, rubric: Rubric, workspace: Workspace) -> str:
    """Write the protocol lock before the first recorded evaluation, or check it on resume. Returns its digest."""
    config, store = parts.resolved.config, parts.store
    withholds = environment.commands.withhold is not None
    withheld = hashlib.sha256(store.withheld_key()).hexdigest() if withholds else ""
    fresh = Protocol.lock(
        environment, rubric, workspace.tree(environment.commit), limits=config.limits, sandbox=parts.executor.name,
        isolated=parts.executor.isolated, noise=config.seeds, search=_SEARCH_SEEDS[-1],
        data=data_digests(environment, workspace.repository), constraints=parts.resolved.task_file.constraint,
        secret=hashlib.sha256(store.secret()).hexdigest(), withheld=withheld,
        budget=Spending(trials=config.trials, seconds=config.time, usd=config.cost),
    )  # fmt: skip
    path = store.folder / PROTOCOL
    if not path.exists():
        store.write(PROTOCOL, fresh.to_toml())
        return fresh.digest()
    kept = Protocol.load(path)
    if kept.digest() != fresh.digest():
        unhashed = {"budget", "sign_off"}
        before, after = kept.model_dump(exclude=unhashed), fresh.model_dump(exclude=unhashed)
        changed = ", ".join(name for name in before if before[name] != after[name])
        raise UsageError(f"the protocol of {store.folder} no longer holds: {changed} changed since it was locked",
                         "restore what changed, or start a new run with another --out")  # fmt: skip
    return kept.digest()


def data_digests(environment: Environment, repository: Path) -> dict[str, str]:
    """sha256 of every data file outside the history: git-ignored files that the evaluation reads, and mounts."""
    found: dict[str, str] = {}
    places = [(name.rstrip("/"), repository / name) for name in environment.zones.ignored]
    places += [(mount.target, Path(mount.source)) for mount in environment.mounts]
    for name, path in places:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                key = name if file == path else f"{name}/{file.relative_to(path)}"
                try:
                    with file.open("rb") as stream:
                        found[key] = hashlib.file_digest(stream, "sha256").hexdigest()
                except OSError as error:
                    raise UsageError(f"the data file {file} cannot be read: {error.strerror}", "make it readable") from None
    return found
