"""A ledger of 10,000 experiments: reading it through the store, and writing the whole report.

    python -m benchmarks.ledger [EXPERIMENTS]

Prints seconds and sizes, and the time of parsing the same lines with plain `json` as the yardstick.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosota import report
from autosota.records import (
    Baseline,
    Commands,
    Criterion,
    Environment,
    Experiment,
    Idea,
    Measurement,
    MetricSpec,
    Readiness,
    Recipe,
    Repository,
    Rubric,
    Task,
    Trial,
    Verdict,
    Violation,
    Zones,
)
from autosota.store import EXPERIMENTS, FIRST, IDEAS, MEASUREMENTS, IdeaLine, Store, digest
from benchmarks.figure import Figure

STATUSES: tuple[Any, ...] = ("not_improved",) * 14 + ("failed", "rejected", "stopped", "improved")


def build(folder: Path, amount: int) -> Store:
    """A run with `amount` experiments of one evaluation each, written straight to the files."""
    rng = random.Random(1)
    store = Store(folder)
    metric = MetricSpec(name="accuracy", direction="max", primary=True, reported=0.91)
    store.save(Task(paper=None, repository=Repository(source="/x", kind="directory", path="/x"),
                    readiness=Readiness(ready=True, reasons=())))  # fmt: skip
    store.save(Rubric(metrics=(metric,), tree=Criterion(id="root", requirements="reproduced", weight=1.0)))
    recipe = Recipe(digest="0" * 64, python="/x/bin/python", prefix="/x")
    store.save(Environment(commit="a" * 40, recipe=recipe, commands=Commands(evaluate="python e.py"), zones=Zones(protected=())))
    ideas = [
        Idea(id=f"i{n}", title=f"Tune group {n}", level="PARAM", scope="micro", risk="low", priority=0.5, rationale="because")
        for n in range(40)
    ]
    with (folder / IDEAS).open("w") as file:
        for idea in ideas:
            file.write(IdeaLine(idea=idea, verdict=Verdict(status="cleared")).model_dump_json() + "\n")
    last, best, first = FIRST, 0.9, None
    with (folder / MEASUREMENTS).open("w") as ledger, (folder / EXPERIMENTS).open("w") as file:
        for number in range(1, amount + 1):
            status = rng.choice(STATUSES)
            score = best + rng.gauss(-0.01, 0.01)
            best = max(best, score) if status == "improved" else best
            measured = Measurement(commit=f"{number:040x}", seed=rng.randrange(2**31), purpose="search",
                                   values={"accuracy": score}, seconds=1.0, cpu_seconds=0.9, exit_code=0,
                                   protocol="b" * 64, previous=last)  # fmt: skip
            line = measured.model_dump_json()
            last, first = digest(line), first or measured
            ledger.write(line + "\n")
            violation = Violation(red_line="R2", rule="protected-changed", action="reject", evidence="evaluate.py was changed")
            verdict = Verdict.of((violation,)) if status == "rejected" else Verdict(status="cleared")
            file.write(Experiment(
                number=number, parent=max(0, number - rng.randrange(1, 30)), idea=rng.choice(ideas).id, title="Tune a group",
                level="PARAM", step=number // 8, setting={"a.py::constant:LR": score, "a.py::constant:WIDTH": number % 7},
                status=status, commit=measured.commit, score=None if status == "failed" else score,
                gain=None if status == "failed" else score - 0.9, verdict=verdict, seconds=1.0,
                measurements=(Trial(seed=measured.seed, values=measured.values, seconds=1.0, cpu_seconds=0.9, exit_code=0),),
            ).model_dump_json() + "\n")  # fmt: skip
    assert first is not None
    store.save(Baseline(measurements=(first,), mean={"accuracy": 0.9}, noise={"accuracy": 0.005}, seconds=1.0, cpu_seconds=0.9,
                        reproduced="yes", deterministic=False))  # fmt: skip
    return Store(folder)


@dataclass(frozen=True)
class Times:
    """Seconds and sizes of one ledger."""

    experiments: int
    stored: int
    plain: float
    reading: float
    writing: float
    written: dict[str, int]


def measure(amount: int) -> Times:
    """Build, read, report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        folder.mkdir()
        store = build(folder, amount)
        begin = time.perf_counter()
        for file in (EXPERIMENTS, MEASUREMENTS):
            for line in (folder / file).read_text().splitlines():
                json.loads(line)
        plain = time.perf_counter() - begin
        begin = time.perf_counter()
        experiments, measurements = store.experiments(), store.measurements()
        reading = time.perf_counter() - begin
        assert len(experiments) == len(measurements) == amount
        begin = time.perf_counter()
        paths = report.write(Store(folder))
        writing = time.perf_counter() - begin
        stored = sum((folder / file).stat().st_size for file in (EXPERIMENTS, MEASUREMENTS))
        return Times(amount, stored, plain, reading, writing, {path.name: path.stat().st_size for path in paths})


def figures() -> list[Figure]:
    """A ledger of 10,000 experiments."""
    times = measure(10_000)
    sizes = ", ".join(f"{name} {size / 2**10:.0f} KiB" for name, size in times.written.items() if name.startswith("report."))
    ratio = times.reading / times.plain
    words = f"{ratio:.1f} times plain json.loads of its {times.stored / 2**20:.0f} MiB; the hash chain is checked"
    return [
        Figure("reading a ledger of 10,000", times.reading, "s", compared=words),
        Figure("report of 10,000 experiments", times.writing, "s", compared=f"reading included; {sizes}"),
    ]


def main() -> None:
    """Print one ledger's times and sizes."""
    times = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(f"{times.experiments:,} experiments, {times.stored / 2**20:.1f} MiB of records")
    print(f"reading and checking the chain: {times.reading:.2f} s ({times.reading / times.plain:.1f} times plain json.loads)")
    print(f"reading and writing the report: {times.writing:.2f} s")
    for name, size in times.written.items():
        print(f"  {name:<20} {size / 2**10:8.0f} KiB")


if __name__ == "__main__":
    main()
