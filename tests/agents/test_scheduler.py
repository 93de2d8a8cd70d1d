"""The loop of the paper on a real repository: search, red lines, confirmation; killed and resumed it is the same run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autosota import sandboxes, search
from autosota.agents.ideator import Ideator
from autosota.agents.scheduler import Budget, Scheduler
from autosota.agents.supervisor import Supervisor
from autosota.engines.local import LocalEngine
from autosota.evaluation import Evaluation
from autosota.ports import Limits
from autosota.progress import Progress
from autosota.records import Baseline, Case, Criterion, Rubric, Zones
from autosota.seeds import Seeds
from autosota.store import EXPERIMENTS, MEASUREMENTS, Store
from autosota.workspace import Workspace
from tests import kit

TRAIN = """\
import argparse, random
import judge
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--momentum", type=float, default=0.1)
parser.add_argument("--hidden", type=int, default=8)
options = parser.parse_args()
random.seed(options.seed)
skill = 1 - abs(options.lr - 0.08) - abs(options.momentum - 0.6) / 4 - abs(options.hidden - 20) / 100
judge.report(skill + random.gauss(0, 0.001 + options.lr / 100))
"""
JUDGE = "def report(skill):\n    print('accuracy:', skill)\n"
FLAT = TRAIN.replace("skill = 1 - abs", "skill = 1 - 0 * abs").replace("- abs", "- 0 * abs")


@contextmanager
def opened(folder: Path, code: str = TRAIN, workers: int = 1, noise: float = 0.002) -> Iterator[Scheduler]:
    repository = folder / "repository"
    if not repository.exists():
        kit.write(repository, {"train.py": code, "judge.py": JUDGE})
    store = Store(folder / "run")
    workspace = Workspace(folder / "run" / "history.git", repository)
    base = workspace.snapshot()
    environment = kit.environment(base, evaluate="python train.py --seed {seed}", protected=("judge.py",))
    environment = environment.model_copy(update={"zones": Zones(protected=("judge.py",), reached=("judge.py", "train.py"))})
    rubric = Rubric(metrics=(kit.ACCURACY,), tree=Criterion(id="1", requirements="reproduce", weight=1))
    evaluation = Evaluation(
        workspace=workspace, executor=sandboxes.open_executor("local", folder / "scratch"), environment=environment,
        metrics=rubric.metrics, limits=Limits(seconds=60), scratch=folder / "exports", store=store, protocol="p",
    )  # fmt: skip
    measured = tuple(evaluation.measure(base, seed, "noise") for seed in (11, 12, 13))
    baseline = Baseline(
        measurements=measured, mean={"accuracy": 0.7}, noise={"accuracy": noise}, seconds=0.1, cpu_seconds=0.1,
        reproduced="unknown", deterministic=False,
    )  # fmt: skip
    case = Case(rubric=rubric, environment=environment, baseline=baseline, analysis=None, tree=workspace.tree(base))
    engine = LocalEngine(workers)
    ideator, supervisor = Ideator(), Supervisor()
    if not store.ideas():
        for idea in ideator.propose(case):
            store.append_idea(idea, supervisor.screen_idea(idea, case))
    try:
        yield Scheduler(
            case=case, search=search.make("leap", metric=kit.ACCURACY, seed=1), ideator=ideator, supervisor=supervisor,
            evaluation=evaluation, workspace=workspace, store=store, engine=engine,
            progress=Progress(), seeds=Seeds(b"s" * 32).draw("search", 2), protocol="p",
        )  # fmt: skip
    finally:
        engine.close()
        workspace.close()


def test_headroom_is_found_and_confirmed_and_the_budget_holds(tmp_path: Path) -> None:
    with opened(tmp_path) as scheduler:
        reason = scheduler.explore(Budget(trials=14))
        late = scheduler.confirm(Seeds(b"s" * 32), deadline=0.0)
        confirmed = scheduler.confirm(Seeds(b"s" * 32))
        again = scheduler.confirm(Seeds(b"s" * 32), deadline=0.0)
    assert late is not None and late.confirmation.labels == ("time-ended",) and late.confirmation.gain is None
    assert again is not None and confirmed is not None and again.confirmation.gain == confirmed.confirmation.gain
    assert "14 evaluations" in reason
    spent = {(e.commit, t.seed) for e in scheduler.history for t in e.measurements}
    assert len(spent) == 14
    assert confirmed is not None
    gain = confirmed.confirmation.gain
    assert gain is not None and gain.low > 0 and gain.pairs >= 3
    # Without isolation nothing is ever confirmed.
    assert confirmed.confirmation.grade == "SUGGESTIVE" and "not-isolated" in confirmed.confirmation.labels


def test_without_headroom_nothing_is_claimed(tmp_path: Path) -> None:
    with opened(tmp_path, code=FLAT) as scheduler:
        scheduler.explore(Budget(trials=10))
        confirmed = scheduler.confirm(Seeds(b"s" * 32))
    assert confirmed is None or confirmed.confirmation.grade == "UNCONFIRMED"


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_run_cut_anywhere_ends_as_an_undisturbed_one(cut: float, tmp_path: Path) -> None:
    with opened(tmp_path / "whole") as scheduler:
        scheduler.explore(Budget(trials=8))
    whole = [e.model_dump(exclude={"seconds", "measurements"}) for e in scheduler.history]
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    run = tmp_path / "cut" / "run"
    experiments = (run / EXPERIMENTS).read_bytes()
    (run / EXPERIMENTS).write_bytes(experiments[: int(len(experiments) * cut)])
    before = (run / MEASUREMENTS).read_bytes()
    with opened(tmp_path / "cut") as scheduler:
        scheduler.explore(Budget(trials=8))
    assert [e.model_dump(exclude={"seconds", "measurements"}) for e in scheduler.history] == whole
    assert (run / MEASUREMENTS).read_bytes() == before, "a finished evaluation was repeated"


def test_two_workers_keep_one_ledger_and_the_budget(tmp_path: Path) -> None:
    with opened(tmp_path, workers=2) as scheduler:
        scheduler.explore(Budget(trials=9))
    numbers = sorted(experiment.number for experiment in scheduler.store.experiments())
    assert numbers == list(range(1, len(numbers) + 1))
    assert len({(e.commit, t.seed) for e in scheduler.history for t in e.measurements}) <= 9
    scheduler.store.measurements()


def test_seeds_of_different_purposes_never_meet() -> None:
    plan = Seeds(b"x" * 32)
    drawn = [set(plan.draw(purpose, 300)) for purpose in ("noise", "search", "confirm", "verify")]
    assert all(len(seeds) == 300 and all(0 <= seed < 2**31 for seed in seeds) for seeds in drawn)
    assert len(set.union(*drawn)) == 1200
    assert plan.draw("confirm", 3, "a") != plan.draw("confirm", 3, "b")
    assert plan.draw("search", 2) == plan.draw("search", 5)[:2]
