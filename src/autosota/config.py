"""One frozen, validated configuration of a run: flags over the task file over defaults, and where each value came from."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field

from autosota import taskfile
from autosota.errors import UsageError
from autosota.ports import Limits
from autosota.records import Record, Repository
from autosota.taskfile import MetricTable, TaskFile

ASKING = ("resource", "objective", "init", "fix", "ideator", "supervisor", "monitor", "coder")
"""Agents that ask a model where they have one."""
GROWING = ("trials", "time", "cost", "target", "workers")
"""Settings that may differ when a run is resumed: budgets may grow, workers change only the order."""


class Config(Record):
    """Everything that decides a run. Paths are absolute."""

    paper: str | None = None
    repository: str | None = None
    task: str | None = None
    """Path of the task file, or None."""
    evaluate: str | None = None
    metrics: tuple[str, ...] = ()
    """NAME, NAME:max or NAME:min; the first is primary."""
    protect: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    seeds: int = Field(default=5, ge=2, le=100)
    trials: int = Field(default=20, ge=0)
    time: float | None = Field(default=None, gt=0)
    """Seconds for the whole run."""
    controls: int = Field(default=10, ge=0, le=100)
    """Further evaluations for probes and controls of a confirmed candidate, at most."""
    cost: float | None = Field(default=None, ge=0)
    target: float | None = None
    workers: int = Field(default=1, ge=1, le=256)
    python: str | None = None
    model: tuple[str, ...] = ()
    """NAME for every agent, AGENT=NAME for one."""
    coder: str | None = None
    sandbox: str | None = None
    engine: str = "local"
    search: str = "leap"
    from_here: bool = False
    yes: bool = False
    """Downloads of more than `acquiring.SMALL` bytes are made."""
    timeout: float = Field(default=600.0, gt=0)
    memory: int = 8 * 10**9
    disk: int = 10 * 10**9
    processes: int = 256
    threads: int | None = Field(default=None, ge=1)

    @property
    def limits(self) -> Limits:
        """Bounds on one evaluation."""
        return Limits(seconds=self.timeout, memory=self.memory, disk=self.disk, processes=self.processes)


def models_of(config: Config) -> dict[str, str]:
    """Agent → name of its model; the key "" stands for every agent without one of its own. Raises UsageError."""
    found: dict[str, str] = {}
    for text in config.model:
        agent, equals, name = text.partition("=")
        if not equals or not agent.isalpha():
            agent, name = "", text
        if agent and agent not in ASKING:
            near = difflib.get_close_matches(agent, ASKING, n=1, cutoff=0.5)
            raise UsageError(f"--model {text}: no agent {agent!r} asks a model",
                             f"did you mean {near[0]}={name}?" if near else f"these do: {', '.join(ASKING)}")  # fmt: skip
        if not name.strip():
            raise UsageError(f"--model {text!r} names no model", "write NAME or AGENT=NAME")
        if found.get(agent, name) != name:
            raise UsageError(f"--model names two models for {agent or 'every agent'}: {found[agent]} and {name}", "keep one")
        found[agent] = name
    return found


class Resolved(Record):
    """A configuration with its sources and the task file it came from."""

    config: Config
    sources: dict[str, str]
    """Setting → "flag", "task file" or "default"."""
    task_file: TaskFile


def resolve(flags: dict[str, Any]) -> Resolved:
    """Merge flags (None means absent) with the task file that they name, or that the repository holds. Raises UsageError."""
    path = _task_path(flags)
    return _resolved(flags, path, taskfile.load(path) if path else TaskFile())


def adopt(resolved: Resolved, repository: Repository) -> Resolved:
    """The same flags with the task file of the repository that the paper named, if there is one and none was given.

    A task file that came with a download may not let in host variables, host folders or another interpreter.
    """
    path = Path(repository.path) / taskfile.FILE_NAME
    if resolved.config.task or not path.is_file():
        return resolved
    task_file = taskfile.load(path)
    if repository.kind != "directory":
        own = task_file.evaluation.model_copy(update={"sealed": None})
        task_file = task_file.model_copy(update={"python": None, "env": (), "mounts": {}, "repository": None, "evaluation": own})
    flags = {name: getattr(resolved.config, name) for name, source in resolved.sources.items() if source == "flag"}
    flags["repository"] = resolved.config.repository or str(path.parent)
    return _resolved(flags, path, task_file.model_copy(update={"paper": None}))


def _resolved(flags: dict[str, Any], path: Path | None, task_file: TaskFile) -> Resolved:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, value in _from_task_file(task_file, path).items():
        if value is not None:
            values[name], sources[name] = value, "task file"
    for name, value in flags.items():
        if value is not None and value != ():
            values[name], sources[name] = value, "flag"
    if path:
        values["task"] = str(path)
    for name in ("repository", "paper"):
        if sources.get(name) == "flag":
            values[name] = _absolute(values[name])
    if values.get("python"):
        values["python"] = _interpreter(values["python"])
    config = _validated(values)
    return Resolved(
        config=config, task_file=_merged(task_file, config),
        sources={name: sources.get(name, "default") for name in Config.model_fields},
    )  # fmt: skip


def remembered(flags: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    """The flags, completed by those that a run was started with where neither PAPER, REPO nor a task file is given: `--out RUN`
    alone goes on with a run."""
    if not table or any(flags.get(name) for name in ("paper", "repository", "task")):
        return flags
    settings, sources = table.get("settings", {}), table.get("sources", {})
    started = {name: value for name, value in settings.items() if sources.get(name) == "flag"}
    if "task" in settings and "repository" not in started:
        started["task"] = settings["task"]
    return {**flags, **{name: value for name, value in started.items() if flags.get(name) in (None, (), [])}}


def from_record(table: dict[str, Any]) -> Resolved:
    """The configuration that a run.toml holds."""
    return Resolved(
        config=Config.model_validate(table.get("settings", {})), sources=table.get("sources", {}),
        task_file=TaskFile.model_validate(table.get("task_file", {})),
    )  # fmt: skip


def differences(old: dict[str, Any], new: Config, *, started: bool = True) -> list[str]:
    """What a resumed run may not change, one line a setting. Once the search has `started`, budgets may only grow."""
    found = []
    for name, value in new.model_dump(mode="json").items():
        before = old.get(name, Config.model_fields[name].get_default(call_default_factory=True))
        before = list(before) if isinstance(before, tuple) else before
        if before == value or name in ("target", "workers", "from_here", "yes"):
            continue
        if name in GROWING and not started:
            continue
        if name in GROWING and (value is None or (before is not None and value >= before)):
            continue
        found.append(f"{name}: was {before!r}, now {value!r}")
    return found


def task_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Tables and keys of the task file that differ, budgets apart; both as run.toml holds them."""
    if not old:
        return []
    before, after = ({**table, **{f"evaluation.{k}": v for k, v in table.get("evaluation", {}).items()}} for table in (old, new))
    names = [name for name in dict.fromkeys((*before, *after)) if name not in ("budget", "evaluation")]
    return [f"task file, {name}: was {before.get(name)!r}, now {after.get(name)!r}"
            for name in names if before.get(name) != after.get(name)]  # fmt: skip


def cache_folder() -> Path:
    """Environments and downloads, shared by all runs: $AUTOSOTA_CACHE, else the user's cache folder."""
    own = os.environ.get("AUTOSOTA_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autosota"


def state_folder() -> Path:
    """What is worth keeping across runs (failure memory, signing key): $AUTOSOTA_STATE, else the user's state folder."""
    own = os.environ.get("AUTOSOTA_STATE")
    return Path(own) if own else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "autosota"


def _task_path(flags: dict[str, Any]) -> Path | None:
    if flags.get("task"):
        path = Path(flags["task"]).absolute()
        return path / taskfile.FILE_NAME if path.is_dir() else path
    repository = flags.get("repository")
    if repository and Path(repository).is_dir():
        path = Path(repository).absolute() / taskfile.FILE_NAME
        return path if path.is_file() else None
    return None


def _from_task_file(task: TaskFile, path: Path | None) -> dict[str, Any]:
    folder = path.parent if path else Path()
    budget, evaluation = task.budget, task.evaluation

    def beside(text: str | None) -> str | None:
        return text if text is None or "://" in text else str((folder / text).absolute())

    repository = beside(task.repository) if task.repository else (str(folder) if path else None)
    paper = beside(task.paper) if task.paper and (folder / task.paper).exists() else task.paper
    return {
        "repository": repository,
        "paper": paper,
        "python": beside(task.python) if task.python and "/" in task.python else task.python,
        "evaluate": evaluation.command,
        "protect": evaluation.protected or None,
        "free": evaluation.free or None,
        "seeds": evaluation.seeds,
        "trials": budget.trials,
        "time": taskfile.seconds(budget.time) if budget.time is not None else None,
        "controls": budget.controls,
        "cost": budget.cost,
        "timeout": taskfile.seconds(evaluation.timeout) if evaluation.timeout is not None else None,
        "memory": taskfile.size(budget.memory) if budget.memory is not None else None,
        "disk": taskfile.size(budget.disk) if budget.disk is not None else None,
        "processes": budget.processes,
    }


def _merged(task_file: TaskFile, settings: Config) -> TaskFile:
    """The task file as the flags leave it: what agents go by."""
    tables = {re.sub(r"[\W_]+", "", table.name.lower()): table for table in task_file.metric}
    metrics = task_file.metric
    if settings.metrics:
        asked = [_metric(text, first=index == 0) for index, text in enumerate(settings.metrics)]
        metrics = tuple(
            tables.get(re.sub(r"[\W_]+", "", table.name.lower()), table).model_copy(
                update={"primary": table.primary, **({"direction": table.direction} if table.direction else {})}
            )
            for table in asked
        )
    update = {"protected": settings.protect, "free": settings.free}
    if settings.evaluate and settings.evaluate != task_file.evaluation.command:
        update |= {"command": settings.evaluate, "predict": None, "score": None}  # type: ignore[dict-item]
    evaluation = task_file.evaluation.model_copy(update=update)
    return task_file.model_copy(update={"metric": metrics, "evaluation": evaluation})


def _metric(text: str, *, first: bool) -> MetricTable:
    name, colon, direction = text.rpartition(":")
    if not colon or direction not in ("max", "min"):
        if colon and direction.lower() in ("maximize", "minimize", "higher", "lower", "up", "down", ""):
            raise UsageError(f"--metric {text}: the direction is max or min, got {direction!r}", "write NAME:max or NAME:min")
        name, direction = text, ""
    if not name.strip():
        raise UsageError(f"--metric {text!r} names no metric", "write NAME:max or NAME:min")
    return MetricTable.model_validate({"name": name.strip(), "direction": direction or None, "primary": first})


def _validated(values: dict[str, Any]) -> Config:
    from pydantic import ValidationError

    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(
            f"--{name}: {first['msg']}, got {first.get('input')!r}", f"see `autosota run --help` for --{name}"
        ) from None


def _absolute(text: str) -> str:
    return str(Path(text).absolute()) if Path(text).exists() else text


def _interpreter(text: str) -> str:
    import shutil

    path = Path(text) if "/" in text else Path(shutil.which(text) or text)
    if os.path.isdir(path):
        path = path / "bin" / "python"
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise UsageError(f"--python: no interpreter at {text}", "give the path of an environment's bin/python")
    return str(path.absolute())
