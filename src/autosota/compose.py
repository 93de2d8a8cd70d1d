"""Configuration to objects: the only file that knows every adapter. Also where a run is opened, resumed and closed."""

from __future__ import annotations

import datetime
import os
import platform
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosota import (
    __version__,
    coders,
    conclusion,
    config,
    literature,
    models,
    pipeline,
    report,
    rubrics,
    sandboxes,
    search,
    store,
)
from autosota.agents import guiding
from autosota.agents.acquiring import LARGEST, SMALL, Acquire
from autosota.agents.fix import Fix
from autosota.agents.ideator import Ideator
from autosota.agents.init import Init
from autosota.agents.inventor import Inventor
from autosota.agents.monitor import Monitor
from autosota.agents.objective import Objective
from autosota.agents.resource import Resource
from autosota.agents.supervisor import Supervisor
from autosota.ask import EVERY, Ask
from autosota.ask.usage import estimate
from autosota.config import Resolved
from autosota.downloads import Downloads
from autosota.engines.local import LocalEngine
from autosota.errors import MachineError, UsageError
from autosota.models import preflight
from autosota.ports import Executor
from autosota.progress import Progress
from autosota.records import Baseline, Environment, Result, Rubric, Task
from autosota.session import Session
from autosota.store import Store
from autosota.workspace import Workspace

_WORDS = (
    "amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heron", "iris", "jade", "kelp", "lark", "maple", "north",
    "olive", "pearl", "quartz", "river", "sage", "tidal",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a command hands back."""

    store: Store
    exit_code: int

    def result_json(self) -> dict[str, Any]:
        """The contract's result; for a baseline that is not the paper's, an error object."""
        result = self.store.result()
        if result is not None and self.exit_code == 0:
            return dict(result.model_dump(mode="json"))
        return {"error": {"kind": "baseline-differs", "message": not_reproduced(self.store), "hint": FROM_HERE}}

    def replication_json(self) -> dict[str, Any]:
        """What `replicate --json` prints (contract, section 4)."""
        return replication(self.store)


FROM_HERE = "--from-here goes on from what was measured; the result then carries the label baseline-differs"


def run(flags: dict[str, Any], *, out: Path | None, live: Progress, until: str = "run") -> Outcome:
    """Run or resume. `until`: "run" or "replicate". Raises AutosotaError; whatever finished is in the run directory."""
    if out is not None:
        flags = config.remembered(flags, Store(out).config())
    resolved = config.resolve(flags)
    folder = out or _default_folder(resolved, until)
    live.note(f"run directory: {folder}")
    with opened(resolved, folder, live) as parts:
        pipeline.resource(parts)
        grown = write_config(parts.store, parts.resolved)
        if until == "run" and parts.store.result() is not None and not grown:
            return Outcome(parts.store, 0)
        with _reported(parts):
            case, workspace = pipeline.replicate(parts)
            code = 3 if case.baseline is not None and case.baseline.reproduced == "no" else 0
            if until == "run" and (code == 0 or parts.resolved.config.from_here):
                pipeline.optimize(parts, case, workspace)
                code = 0
            workspace.close()
        return Outcome(parts.store, code)


@contextmanager
def _reported(parts: pipeline.Parts) -> Iterator[None]:
    """However the run ends, its time is added up and its report written; what went wrong first is what is raised."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001 - raised again, whatever it is
        try:
            _report(parts)
        finally:
            raise error
    _report(parts)


def _report(parts: pipeline.Parts) -> None:
    conclusion.add_seconds(parts.store, time.monotonic() - parts.started)
    if parts.store.task() is not None:
        report.write(parts.store)


def task_file(flags: dict[str, Any], live: Progress) -> str:
    """The text of a task file from what rules find in a repository."""
    resolved = config.resolve(flags)
    with tempfile.TemporaryDirectory(prefix="autosota-init-") as name, opened(resolved, Path(name) / "run", live) as parts:
        return pipeline.task_file(parts)


@contextmanager
def opened(resolved: Resolved, folder: Path, live: Progress, *, asks: bool = True) -> Iterator[pipeline.Parts]:
    """All parts of a run on `folder`, which is locked until the context ends; scratch space is removed. `asks`: may models be
    asked that the settings name?"""
    settings = resolved.config
    if settings.engine != "local":
        raise UsageError(f"--engine {settings.engine}: not available", "this version has the engine `local`")
    _check_own(folder)
    records = Store(folder)
    with ExitStack() as closing:
        records.lock()
        closing.callback(records.unlock)
        scratch = _scratch(folder)
        closing.callback(shutil.rmtree, scratch, ignore_errors=True)
        executor = sandboxes.open_executor(settings.sandbox, scratch)
        live.note(f"sandbox: {executor.name}" + ("" if executor.isolated else ", no isolation: nothing can be confirmed"))
        sandboxes.resume()
        engine = LocalEngine(settings.workers)
        closing.callback(engine.close)
        ask = open_ask(resolved, records, live) if asks else None
        fix = Fix(config.state_folder() / "failures.sqlite", ask)
        make_session = _sessions(settings, ask, executor, records, fix, scratch, live) if asks else None
        try:
            yield pipeline.Parts(
                resolved=resolved, store=records, progress=live, executor=executor, engine=engine,
                resource=Resource(), objective=Objective(ask), supervisor=Supervisor(),
                ideator=Ideator(_inventor(ask, make_session is not None, records)),
                init=Init(executor=executor, cache=config.cache_folder(), fix=fix, monitor=Monitor(), workers=settings.workers,
                          resources=folder / store.RESOURCES),
                make_search=lambda metric, noise: search.make(
                    settings.search, metric=metric, seed=_search_seed(records), noise=noise
                ),
                make_workspace=lambda path: Workspace(folder / store.HISTORY, path, exclude=_excluded(folder, path)),
                scratch=scratch / "exports", site_packages=site_packages, started=time.monotonic(),
                ask=ask, acquire=_acquire(settings, live), make_session=make_session,
            )  # fmt: skip
        except BaseException:
            sandboxes.interrupt()
            raise


def open_ask(resolved: Resolved, records: Store, live: Progress) -> Ask | None:
    """What asks the models of a run, each seen to be there before a new run spends anything; None where none is named.

    Raises UsageError for a name, a key or a server that is wrong, and for a cap on money where a price is unknown.
    """
    settings, names = resolved.config, config.models_of(resolved.config)
    if not names:
        return None
    deadline = None if settings.time is None else time.monotonic() + settings.time - conclusion.active_seconds(records)
    opened = {name: models.open_model(name, deadline=deadline) for name in dict.fromkeys(names.values())}
    for name, model in opened.items():
        if not records.config() and (endpoint := models.endpoint_of(name)) is not None:
            live.note(preflight.check(endpoint))
        if model.price(1, 1) is None:
            if settings.cost is not None:
                raise UsageError(
                    f"--cost cannot hold for {name}: no list has its price",
                    f"state it in USD per million tokens, in and out: {name}@0.5/1.5, or {name}@0/0 where it is free",
                )
            live.note(f"the price of {name} is unknown: tokens are counted, money is not")
    agents = {agent: opened[names.get(agent) or names[EVERY]] for agent in config.ASKING if agent in names or EVERY in names}
    guess = estimate({agent: model.price for agent, model in agents.items()}, settings.trials)
    live.note(f"models: {guess.text(settings.cost)}")
    ask = Ask({agent: opened[name] for agent, name in names.items()}, records, cap=settings.cost, tell=live.note)
    models.warm(opened.values(), ask.warm)
    return ask


def _inventor(ask: Ask | None, coder: bool, records: Store) -> Inventor | None:
    if ask is None:
        return None

    def notes() -> str:
        try:
            return (records.folder / store.NOTES).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    return Inventor(ask, coder=coder, notes=notes, references=lambda case: literature.own(case.paper))


def _sessions(
    settings: config.Config, ask: Ask | None, executor: Executor, records: Store, fix: Fix, scratch: Path, live: Progress
) -> Callable[[Workspace, Environment], Session] | None:
    """What opens coding sessions: with the coder that is named, else with our own loop where a model is; None without either."""
    model = ask.model("coder") if ask is not None else None
    if settings.coder is None and model is None:
        return None
    if not executor.isolated:
        live.note("no coder works without an isolating sandbox: ideas that need one wait in the library")
        return None
    coder = coders.open_coder(settings.coder or "shell", model=model, executor=executor)
    deadline = None if settings.time is None else time.monotonic() + settings.time - conclusion.active_seconds(records)
    return lambda workspace, environment: Session(
        coder=coder, executor=executor, workspace=workspace, environment=environment, monitor=Monitor(), fix=fix, store=records,
        scratch=scratch, guide=guiding.guide(ask) if ask is not None else None, deadline=deadline,
    )  # fmt: skip


def _acquire(settings: config.Config, live: Progress) -> Acquire:
    most = LARGEST if settings.yes else SMALL
    return Acquire(Downloads(config.cache_folder() / "assets"), most=most, note=live.note)


def _check_own(folder: Path) -> None:
    """A run directory is new, empty or a run's: nothing is ever mixed with somebody's files. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = os.listdir(folder)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}", "give a folder that can be written") from None
    early = (store.SECRET, store.HISTORY, store.FILES[Task], store.RESOURCES)
    foreign = [name for name in sorted(names) if not name.startswith(".") and name not in early]
    if foreign and store.CONFIG not in names:
        raise UsageError(
            f"--out {folder} holds other files than a run's: {', '.join(foreign[:3])}", "give a new or an empty folder"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--out {folder} cannot be written", "give a folder that can be written")


def site_packages(environment: Environment) -> Path | None:
    """Where the environment's libraries lie on this machine, for reading only."""
    found = sorted(Path(environment.recipe.prefix).glob("lib/python*/site-packages"))
    return found[0] if found else None


def replication(records: Store) -> dict[str, Any]:
    """Is the paper's number reproduced: the contract's object, from the records."""
    environment, rubric, baseline = records.environment(), records.rubric(), records.baseline()
    if environment is None or rubric is None or baseline is None:
        raise UsageError(f"{records.folder} has no baseline yet", "run `autosota replicate` on it")
    recipe = environment.recipe
    return {
        "version": 1, "run": records.folder.name, "command": "replicate",
        "reproduced": baseline.reproduced,
        "metrics": _metrics(rubric, baseline),
        "environment": {
            "python": recipe.python, "packages": {package.name: package.version for package in recipe.packages},
            "digest": recipe.digest, "seconds": recipe.seconds,
        },
        "repairs": [repair.model_dump(include={"signature", "skill", "outcome", "attempts"}) for repair in environment.repairs],
        "rubric": {"score": rubric.score, "path": store.FILES[Rubric]},
        "notes": list(baseline.notes),
    }  # fmt: skip


def _metrics(rubric: Rubric, baseline: Baseline) -> list[dict[str, Any]]:
    rows = []
    for spec in rubric.metrics:
        values = [m.whole[spec.name] for m in baseline.measurements if m.ok]
        within = rubrics.within(spec, values)
        rows.append(
            {"name": spec.name, "reported": spec.reported, "mean": baseline.mean.get(spec.name),
             "std": baseline.noise.get(spec.name), "within_tolerance": within}
        )  # fmt: skip
    return rows


def not_reproduced(records: Store) -> str:
    """Why nothing was optimized, in one sentence."""
    rubric, baseline = records.rubric(), records.baseline()
    if rubric is None or baseline is None:
        return "there is no baseline"
    spec = rubric.primary
    value = baseline.mean.get(spec.name, float("nan"))
    return f"the baseline is not the paper's: {spec.name} is {value:.4g} where the paper reports {spec.reported}"


# ── opening and resuming ──────────────────────────────────────────────────────────────────────────────────────────────


def write_config(records: Store, resolved: Resolved) -> bool:
    """Write run.toml once; on resume check that only budgets grew. Returns True where they did, or on the first start."""
    table = {
        "settings": resolved.config.model_dump(mode="json"), "sources": resolved.sources,
        "task_file": resolved.task_file.model_dump(mode="json", by_alias=True),
        "versions": {"autosota": __version__, "python": platform.python_version()},
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
    }  # fmt: skip
    old = records.config()
    if old:
        changed = config.differences(old.get("settings", {}), resolved.config, started=bool(records.experiments()))
        changed = changed or config.task_differences(old.get("task_file", {}), store.plain(table)["task_file"])
        if changed:
            raise UsageError(
                f"{records.folder} was started with other settings: " + "; ".join(changed),
                "use the same settings (budgets may grow), or another --out",
            )
        before = {name: old["settings"].get(name) for name in config.GROWING}
        if before == {name: value for name, value in table["settings"].items() if name in config.GROWING}:
            return False
        table["versions"], table["machine"] = old.get("versions", {}), old.get("machine", {})
    records.write(store.CONFIG, store.to_toml(table))
    return True


def _default_folder(resolved: Resolved, until: str) -> Path:
    """runs/<paper>/<date>-<word>: the newest unfinished run of the same command there, else a new one."""
    settings = resolved.config
    name = settings.paper or settings.repository
    if name is None:
        raise UsageError(
            "nothing to run", "give a PAPER, a REPO, or both; or a task file with --task; `autosota demo` needs neither"
        )
    stem = Path(name.rstrip("/")).stem or "paper"
    if stem in ("paper", "main", "repository") and Path(name).exists():
        stem = Path(name).absolute().parent.name
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40] or "paper"
    parent = Path.cwd() / "runs" / slug
    taken = sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime) if parent.is_dir() else []
    for path in reversed(taken):
        if _goes_on(Store(path), resolved, until):
            return path
    date = datetime.datetime.now().strftime("%Y-%m-%d")
    names = {path.name for path in taken}
    free = [f"{date}-{word}" for word in _WORDS if f"{date}-{word}" not in names]
    return parent / (random.choice(free) if free else f"{date}-{len(taken) + 1}")


def _goes_on(records: Store, resolved: Resolved, until: str) -> bool:
    """Is this an unfinished run that the same flags started, and that nobody works on?"""
    ended = store.FILES[Result] if until == "run" else store.FILES[Baseline]
    if not (records.folder / store.CONFIG).is_file() or (records.folder / ended).exists() or records.busy():
        return False
    try:
        table = records.config()
        old = config.from_record(table)
    except (UsageError, ValueError):
        return False
    return _asked(old) == _asked(resolved)


def _asked(resolved: Resolved) -> dict[str, Any]:
    """The settings that flags gave. The repository may have come from the paper, so the paper stands for both."""
    flags = {name: getattr(resolved.config, name) for name, source in resolved.sources.items() if source == "flag"}
    if "paper" in flags:
        flags.pop("repository", None)
    return flags


def _scratch(folder: Path) -> Path:
    """A folder of this run's own for exports and sandboxes: the same at every start, so that leftovers are found and ended."""
    top = Path(tempfile.gettempdir()) / f"autosota-{os.getuid()}"
    top.mkdir(mode=0o711, exist_ok=True)
    if top.is_symlink() or top.stat().st_uid != os.getuid():
        raise MachineError(f"{top} belongs to somebody else", "set TMPDIR to a folder of your own")
    scratch = top / store.digest(str(folder.resolve()))[:16]
    shutil.rmtree(scratch / "exports", ignore_errors=True)
    scratch.mkdir(mode=0o711, exist_ok=True)
    return scratch


def _excluded(folder: Path, repository: Path) -> list[Path]:
    """Our own runs are no part of the repository they lie in."""
    inside = folder.is_relative_to(repository) and folder != repository
    runs = repository / "runs"
    if inside and folder.is_relative_to(runs):
        return [runs]
    return [folder] if inside else []


def _search_seed(records: Store) -> int:
    return int.from_bytes(records.secret()[:4], "big")
