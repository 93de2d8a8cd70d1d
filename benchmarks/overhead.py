"""Own time per evaluation beyond the evaluation itself: tree, sandbox, red lines, ledger.

python -m benchmarks.overhead [FILES …]
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from autosota import sandboxes
from autosota.agents.supervisor import Supervisor
from autosota.evaluation import Evaluation
from autosota.ports import Limits
from autosota.records import (
    Case,
    Change,
    Commands,
    Criterion,
    Environment,
    MetricSpec,
    Patch,
    Recipe,
    Rubric,
    SeedPlace,
    Zones,
)
from autosota.store import Store
from autosota.workspace import Workspace
from benchmarks.figure import Figure

ROUNDS = 30
METRIC = MetricSpec(name="accuracy", direction="max", primary=True)


def repository(folder: Path, files: int) -> Path:
    """A repository of so many Python files, one of which is the candidate's to change."""
    for number in range(files - 1):
        path = folder / f"package{number // 100}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"def function{line}(x, rate=0.{line}):\n    return x * rate\n\n\n" for line in range(20)))
    (folder / "model.py").write_text("RATE = 0.1\n")
    return folder


def measure(files: int) -> dict[str, float]:
    """Seconds of our own per evaluation: median and 90th percentile over 30 candidates; the sandbox's own start is ours too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace(folder / "run" / "history.git", repository(folder / "repository", files))
        base = workspace.snapshot()
        protected = ("package0/module0.py", "package0/module1.py")
        environment = Environment(
            commit=base, recipe=Recipe(digest="own", python=sys.executable, prefix=sys.prefix, paths=(sys.base_prefix,)),
            commands=Commands(evaluate="sleep 0.2; echo accuracy: 0.5", seed=SeedPlace(kind="environment")),
            zones=Zones(protected=protected, reached=("model.py", *protected)),
        )  # fmt: skip
        rubric = Rubric(metrics=(METRIC,), tree=Criterion(id="1", requirements="", weight=1))
        case = Case(rubric=rubric, environment=environment, baseline=None, analysis=None, tree=workspace.tree(base))
        evaluation = Evaluation(
            workspace=workspace, executor=sandboxes.open_executor(None, folder / "scratch"), environment=environment,
            metrics=(METRIC,), limits=Limits(seconds=60), scratch=folder / "exports", store=Store(folder / "run"),
        )  # fmt: skip
        supervisor = Supervisor()
        evaluation.measure(base, 0, "noise")
        own = []
        for number in range(ROUNDS):
            began = time.perf_counter()
            commit = workspace.commit(base, [Change(path="model.py", content=f"RATE = 0.{number + 2}\n".encode())])
            patch = Patch(parent=base, commit=commit, base=base, changes=workspace.changes(base, commit))
            supervisor.screen_patch(patch, case)
            evaluation.measure(commit, 1, "search")
            own.append(time.perf_counter() - began - 0.2)
        workspace.close()
    return {"files": files, "median": statistics.median(own), "p90": sorted(own)[int(0.9 * ROUNDS)]}


def figures() -> list[Figure]:
    """For 200 and 5,000 files."""
    found = []
    for files in (200, 5000):
        own = measure(files)
        words = f"90th percentile {1000 * own['p90']:.0f} ms, {ROUNDS} candidates"
        found.append(Figure(f"own time per evaluation, {files:,} files", 1000 * own["median"], "ms", 50.0, compared=words))
    return found


def main(arguments: list[str]) -> None:
    """Print one JSON line per size."""
    for files in [int(text) for text in arguments] or [200, 5000]:
        print(json.dumps({key: round(value, 4) for key, value in measure(files).items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
