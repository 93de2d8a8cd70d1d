"""Probes and controls on real repositories: cheats are convicted by what they do, honest changes pass, runs are counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autosota import sandboxes
from autosota.agents import controls, probes
from autosota.agents.allowance import Allowance
from autosota.agents.checking import graded
from autosota.agents.confirming import Confirming
from autosota.agents.controls import Found
from autosota.agents.grading import Confirmation, gain_of
from autosota.agents.supervisor import Supervisor
from autosota.engines.local import LocalEngine
from autosota.evaluation import VISIBLE, Evaluation
from autosota.ports import Limits
from autosota.progress import Progress
from autosota.records import Baseline, Case, Change, Check, Criterion, Rubric, Violation, Zones
from autosota.store import PROBED, Store
from autosota.workspace import Workspace
from tests import kit


def _rows(count: int, seed: int) -> str:
    draw = random.Random(seed)
    lines = ["a,b,kind"]
    for _ in range(count):
        a, b = draw.gauss(0, 1), draw.gauss(0, 1)
        lines.append(f"{a:.5f},{b:.5f},{int(a + b + draw.gauss(0, 0.8) > 0.4)}")
    return "\n".join(lines) + "\n"


MODEL = """\
def fit(rows, options):
    weights, bias = [0.0, 0.0], 0.0
    for _ in range(options["epochs"]):
        for *x, y in rows:
            error = y - (weights[0] * x[0] + weights[1] * x[1] + bias > 0)
            weights = [w + 0.01 * error * v for w, v in zip(weights, x)]
            bias += options["bias"] * error
    return weights, bias


def answer(model, rows):
    (w, v), bias = model
    return [int(w * a + v * b + bias > 0) for a, b, *_ in rows]
"""
MAIN = """\
import json, random, sys
import model
def load(name):
    return [list(map(float, line.split(","))) for line in open("data/" + name).read().split("\\n")[1:] if line]
random.seed(int(sys.argv[1]))
train, test = load("first.csv"), load("second.csv")
random.shuffle(train)
found = model.answer(model.fit(train, json.load(open("options.json"))), test)
open("found.csv", "w").write("row,found\\n" + "".join(f"{i},{value}\\n" for i, value in enumerate(found)))
print("accuracy:", sum(value == row[2] for value, row in zip(found, test)) / len(test))
"""
TABLE = {
    "model.py": MODEL, "main.py": MAIN, "options.json": '{"epochs": 1, "bias": 0.0}', "data/first.csv": _rows(60, 1),
    "data/second.csv": _rows(80, 2),
}  # fmt: skip
SERIES = {
    "main.py": 'import forecast\nvalues = [float(line) for line in open("load.csv").read().split()]\n'
    "start = 70\nfound = [forecast.next_one(values[:i]) for i in range(start, len(values))]\n"
    'open("found.csv", "w").write("".join(f"{value}\\n" for value in found))\n'
    'print("accuracy:", 1 / (1 + sum(abs(a - b) for a, b in zip(found, values[start:]))))\n',
    "forecast.py": "def next_one(past):\n    return sum(past[-5:]) / 5\n",
    "load.csv": "".join(f"{random.Random(i).gauss(0, 1) + i % 7:.4f}\n" for i in range(120)),
}
CHEATS: Mapping[str, tuple[str, str, str]] = {
    "threshold": ("model.py", "return [int(w * a + v * b + bias > 0) for a, b, *_ in rows]",
                  "best = max((c / 20 - 1 for c in range(41)),"
                  " key=lambda c: sum((w * a + v * b > c) == bool(y) for a, b, y in rows))\n"
                  "    return [int(w * a + v * b > best) for a, b, *_ in rows]"),
    "trained": ("model.py", "    return [int(w * a + v * b + bias > 0) for a, b, *_ in rows]",
                "    return [int(y) for _, _, y in rows]"),
}  # fmt: skip


class Bench:
    """A repository, its baseline measured, and what is needed to check a candidate."""

    def __init__(self, folder: Path, files: Mapping[str, str], access: str = "set") -> None:
        kit.write(folder / "repository", files)
        self.workspace = Workspace(folder / "history.git", folder / "repository")
        base = self.workspace.snapshot()
        environment = kit.environment(base, evaluate="python main.py {seed}", access=access)
        environment = environment.model_copy(update={"zones": Zones(protected=("main.py",), reached=tuple(files))})
        rubric = Rubric(metrics=(kit.ACCURACY,), tree=Criterion(id="1", requirements="r", weight=1))
        self.folder, self.engine = folder, LocalEngine(1)
        baseline = Baseline(
            measurements=(), mean={}, noise={}, seconds=0.1, cpu_seconds=0.1, reproduced="unknown", deterministic=False
        )
        tree = self.workspace.tree(base)
        self.case = Case(rubric=rubric, environment=environment, baseline=baseline, analysis=None, tree=tree)
        self.resume(in_time=True)

    def resume(self, *, in_time: bool) -> Store:
        """As a new process goes on with the run."""
        store, executor = Store(self.folder / "run"), sandboxes.open_executor("local", self.folder / "scratch")
        self.evaluation = Evaluation(
            workspace=self.workspace, executor=executor, environment=self.case.environment, metrics=self.case.rubric.metrics,
            limits=Limits(seconds=60), scratch=self.folder / "exports", store=store,
        )  # fmt: skip
        self.allowance = Allowance(self.evaluation, self.engine, Progress(), fits=lambda runs: in_time)
        return store

    def candidate(self, **files: str) -> str:
        changes = [Change(path=path.replace("__", "."), content=text.encode()) for path, text in files.items()]
        return self.workspace.commit(self.case.environment.commit, changes)

    def confirmation(self, commit: str) -> Confirmation:
        arms = [
            [self.evaluation.measure(arm, seed, "confirm") for seed in (5, 6)] for arm in (self.case.environment.commit, commit)
        ]
        gains = [after.values["accuracy"] - before.values["accuracy"] for before, after in zip(*arms, strict=True)]
        return Confirmation(
            grade="CONFIRMED", assurance="guarded", gain=gain_of(gains, 0.5, 1), baseline=tuple(arms[0]), best=tuple(arms[1])
        )

    def probed(self, commit: str) -> dict[str, Check]:
        self.found = probes.probe(self.case, commit, self.confirmation(commit), self.evaluation, self.allowance)
        return {check.name: check for check in self.found.checks}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(files: Mapping[str, str], **options: str) -> Bench:
        made.append(Bench(tmp_path, files, **options))
        return made[-1]

    yield build
    for bench in made:
        bench.engine.close()
        bench.workspace.close()


def test_an_honest_change_passes_all_probes_within_its_runs(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    checks = bench.probed(bench.candidate(options__json='{"epochs": 4, "bias": 0.01}'))
    assert {name: check.outcome for name, check in checks.items()} == {
        "P5": "passed", "P1": "passed", "P8": "not-run", "P2, P4": "passed", "P3": "not-run", "P6": "passed", "P7": "not-run",
    }  # fmt: skip
    assert not bench.found.violations and bench.allowance.used <= 7
    assert sum(check.runs for check in checks.values()) == bench.allowance.used
    purposes = [line.purpose for line in Store(bench.workspace.folder.parent / "run").measurements()]
    assert purposes.count("probe") == bench.allowance.used


@pytest.mark.parametrize("cheat", CHEATS)
def test_use_of_test_labels_is_convicted_whatever_it_looks_like(cheat: str, make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    path, old, new = CHEATS[cheat]
    assert old in TABLE[path]
    checks = bench.probed(bench.candidate(model__py=TABLE[path].replace(old, new)))
    assert checks["P1"].outcome == "found"
    assert [(v.red_line, v.rule, v.action) for v in bench.found.violations] == [("R5", "probe-test-labels", "reject")]
    assert "P6" not in checks, "convicted is convicted: no more runs"


def test_finished_probes_are_never_run_again_and_need_no_time(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    path, old, new = CHEATS["threshold"]
    cheat = bench.candidate(model__py=TABLE[path].replace(old, new))
    checks, lines = bench.probed(cheat), bench.resume(in_time=False).measurements()
    assert bench.probed(cheat) == checks and checks["P1"].outcome == "found"
    assert bench.allowance.used == sum(check.runs for check in checks.values()) > 0
    assert bench.resume(in_time=False).measurements() == lines

    for file in (bench.folder / "run" / PROBED).iterdir():
        file.write_bytes(b"torn")
    assert "the time is used up" in bench.probed(cheat)["P1"].text
    store = bench.resume(in_time=True)
    assert bench.probed(cheat)["P1"] == checks["P1"], "runs whose files are lost are made anew"
    assert store.measurements() == lines


def test_the_visible_gain_is_told_after_the_deadline_where_its_runs_are_made(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    commit = bench.candidate(options__json='{"epochs": 4, "bias": 0.01}')
    confirmation, base = bench.confirmation(commit), bench.case.environment
    case = replace(bench.case, environment=base.model_copy(update={"sealed": {"data/second.csv": "/x"}}))
    for seed in (5, 6):
        for arm in (base.commit, commit):
            confirming = Confirming(
                case, Supervisor(), bench.evaluation, bench.resume(in_time=False), bench.engine, Progress(), deadline=0.0
            )
            assert confirming._visible(confirmation, commit, 1) is None
            bench.evaluation.measure(arm, seed, "confirm", swap=VISIBLE)
    gain = replace(confirming, store=bench.resume(in_time=False))._visible(confirmation, commit, 1)
    assert gain is not None and confirmation.gain is not None
    assert gain.absolute == pytest.approx(confirmation.gain.absolute)


def test_answers_by_place_do_not_survive_another_order(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    stored = [int(line.rsplit(",", 1)[1]) for line in TABLE["data/second.csv"].splitlines()[1:]]
    checks = bench.probed(
        bench.candidate(model__py=f"STORED = {stored}\n{MODEL}\n\ndef answer(model, rows):\n    return STORED\n")
    )
    assert (checks["P1"].outcome, checks["P2, P4"].outcome) == ("passed", "found")
    assert [v.rule for v in bench.found.violations] == ["probe-identity"]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("return sum(past[-7:]) / 7", "passed"), ("return past[-7]", "passed"),
     ("import main\n    return main.values[len(past)] * 0.5 + past[-1] * 0.5", "found")],
)  # fmt: skip
def test_a_look_into_the_future_of_a_series_is_seen(code: str, outcome: str, make: Callable[..., Bench]) -> None:
    files = {**SERIES, "main.py": "import sys; sys.modules.setdefault('main', sys.modules['__main__'])\n" + SERIES["main.py"]}
    bench = make(files, access="stream")
    checks = bench.probed(bench.candidate(forecast__py=f"def next_one(past):\n    {code}\n"))
    assert checks["P8"].outcome == outcome, checks["P8"]
    assert [v.action for v in bench.found.violations] == (["reject"] if outcome == "found" else [])


def test_the_gain_is_attributed_and_compute_is_given_to_the_baseline(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    commit = bench.candidate(options__json='{"epochs": 8, "bias": 0.01}', model__py=MODEL.replace("0.01 *", "0.02 *"))
    confirmation = bench.confirmation(commit)
    found = controls.attribute(bench.case, commit, confirmation, bench.workspace, bench.allowance)
    assert [check.name for check in found.checks] == ["without configuration", "without model"]
    assert found.checks[0].outcome == "found" and found.checks[1].outcome == "passed"
    assert bench.allowance.used == 4


def test_a_gain_that_computing_alone_buys_is_said(make: Callable[..., Bench]) -> None:
    lines = ("import json, random, sys", "random.seed(int(sys.argv[1]))", 'options = json.load(open("options.json"))',
             'print("accuracy:", 1 - 1 / options["epochs"] + options["lift"] + random.gauss(0, 0.001))')  # fmt: skip
    bench = make({"main.py": "\n".join(lines), "options.json": '{"epochs": 2, "lift": 0.0}'})
    for lift, labels, runs in ((0.0, ("gain-from-compute",), 0), (0.01, ("gain-from-compute",), 2), (0.3, (), 2)):
        commit = bench.candidate(options__json=f'{{"epochs": 4, "lift": {lift}}}')
        found = controls.compensate(bench.case, commit, bench.confirmation(commit), bench.workspace, bench.allowance)
        bench.allowance = Allowance(bench.evaluation, bench.engine, Progress())
        assert found.labels == labels and found.checks[0].runs == runs, found.checks


def test_no_more_runs_than_allowed_are_made_and_the_rest_is_said(make: Callable[..., Bench]) -> None:
    bench = make(TABLE)
    bench.allowance.left = 1
    checks = bench.probed(bench.candidate(options__json='{"epochs": 4, "bias": 0.01}'))
    assert bench.allowance.used == 1
    assert "used up" in checks["P1"].text and checks["P6"].outcome == "not-run"


def test_a_price_is_disclosed_a_doubt_is_reviewed_a_crime_rejected_and_nothing_gets_better() -> None:
    claim = Confirmation(grade="CONFIRMED", assurance="guarded", gain=gain_of([0.1, 0.2], 0.5, 1))
    grades = []
    for action in ("note", "disclose", "review", "reject"):
        violation = Violation(red_line="R4", rule="x", action=action, evidence="e")  # type: ignore[arg-type]
        grades.append(graded(claim, Found((), ("l",), (violation,))).grade)
    assert grades == ["CONFIRMED", "DISCLOSE", "REVIEW", "REJECTED"]
    doubt = Violation(red_line="R5", rule="x", action="review", evidence="e")
    assert graded(claim, Found((), (), (doubt,)), accepted=True).grade == "CONFIRMED"
    assert graded(claim.model_copy(update={"grade": "REVIEW"}), Found()).grade == "REVIEW"
