"""One broken repository brought to its baseline, without a model, and what came of it."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from autosota import config
from autosota.agents.fix import Fix
from autosota.agents.init import Init
from autosota.agents.monitor import Monitor
from autosota.engines.local import LocalEngine
from autosota.errors import AutosotaError
from autosota.evaluation import Evaluation
from autosota.failures import Memory
from autosota.ports import Executor, Limits
from autosota.records import Baseline, Criterion, Environment, MetricSpec, Readiness, Repair, Repository, Rubric, Task
from autosota.store import Store
from autosota.workspace import Workspace
from tests.broken import Broken, Hopeless, files
from tests.environments.wheelhouse import wheel


class Bench:
    """A repository on disk and everything an Init needs."""

    def __init__(
        self, folder: Path, contents: Mapping[str, str], executor: Executor, cache: Path, memory: Memory | None = None
    ) -> None:
        self.repository = folder / "repository"
        for name, text in contents.items():
            path = self.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_encoded(text))
        self.workspace = Workspace(folder / "history.git", self.repository)
        self.memory = memory or Memory(folder / "failures.sqlite")
        self.store = Store(folder / "run")
        self.store.folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.executor, self.cache = folder, executor, cache
        self.init = Init(executor=executor, cache=cache, fix=Fix(self.memory), monitor=Monitor())
        self.task = Task(
            paper=None, readiness=Readiness(ready=True, reasons=()),
            repository=Repository(source=str(self.repository), kind="directory", path=str(self.repository)),
        )  # fmt: skip
        self.evaluated = 0.0

    def evaluation(self, environment: Environment, metrics: Sequence[MetricSpec] = ()) -> Evaluation:
        return Evaluation(
            workspace=self.workspace, executor=self.executor, environment=environment, metrics=metrics, limits=Limits(seconds=60),
            scratch=self.folder / "exports", store=self.store,
        )  # fmt: skip

    def prepare(self, **flags: object) -> Environment:
        resolved = config.resolve({"repository": str(self.repository), **flags})
        return self.init.prepare(self.task, resolved, self.workspace, self.evaluation)

    def baseline(
        self, environment: Environment, metric: MetricSpec, seeds: int = 3, expired: Callable[[], bool] = lambda: False
    ) -> Baseline:
        rubric = Rubric(metrics=(metric,), tree=Criterion(id="1", requirements="r", weight=1))
        evaluation = self.evaluation(environment, rubric.metrics)
        engine = LocalEngine(1)
        try:
            return self.init.reproduce(environment, rubric, evaluation, range(1, seeds + 1), engine, expired=expired)
        finally:
            engine.close()


@dataclass(frozen=True)
class Outcome:
    """How a repository ended."""

    value: float | None
    """The reproduced metric; None where it was refused."""
    verdict: str
    """The comparison with the truth; empty where it was refused."""
    repairs: tuple[Repair, ...] = ()
    message: str = ""
    hint: str = ""
    attempts: int = 1
    """Runs of the evaluation until it ran, or was given up."""
    seconds: float = 0.0
    changed: Mapping[str, bytes] = field(default_factory=dict)
    """Files of the repository that repairs changed, as they are afterwards."""

    @property
    def skills(self) -> tuple[str, ...]:
        return tuple(repair.skill for repair in self.repairs if repair.outcome == "worked")


def bring(case: Broken | Hopeless, folder: Path, *, executor: Executor, cache: Path, memory: Memory | None = None) -> Outcome:
    """Prepare and measure `case` in `folder`, seeing no packages but its own wheels."""
    for package, text in case.wheels.items():
        head, _, needs = package.partition(" needs ")
        wheel(folder / "wheels", *head.rsplit("-", 1), files(text), requires=[needs] if needs else [])
    started = time.monotonic()
    with _index(folder / "wheels"):
        bench = Bench(folder, files(case.text), executor, cache, memory)
        reported = case.truth if isinstance(case, Broken) else 0.5
        metric = MetricSpec(name="accuracy", direction="max", primary=True, reported=reported)
        try:
            environment = bench.prepare(evaluate=case.command, metrics=("accuracy:max",))
            baseline = bench.baseline(environment, metric, seeds=2)
        except AutosotaError as error:
            seconds = time.monotonic() - started
            return Outcome(None, "", (), error.message, error.hint or "", error.message.count(",") + 1, seconds)
        finally:
            bench.memory.close() if memory is None else None
        base = bench.workspace.tree(bench.workspace.snapshot())
        after = bench.workspace.tree(environment.commit)
        changed = {path: after[path] for path in after if base.get(path) != after[path]}
        return Outcome(
            baseline.mean["accuracy"], baseline.reproduced, environment.repairs, attempts=1 + len(environment.repairs),
            seconds=time.monotonic() - started, changed=changed,
        )  # fmt: skip


@contextmanager
def _index(folder: Path) -> Iterator[None]:
    """Packages come from `folder` alone."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(folder), "PIP_NO_INDEX": "1"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _encoded(text: str) -> bytes:
    if text.startswith("<gzip>"):
        return gzip.compress(text.removeprefix("<gzip>").encode(), mtime=0)
    if text.startswith("<latin1>"):
        return text.removeprefix("<latin1>").encode("latin-1")
    if text.startswith("<crlf>"):
        return text.removeprefix("<crlf>").replace("\n", "\r\n").encode()
    return text.encode()
