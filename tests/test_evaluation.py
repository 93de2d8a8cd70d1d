"""Numbers are made by the host from the baseline's protected files and the candidate's free ones, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from autosota import sandboxes
from autosota.commands import HOPELESS
from autosota.evaluation import Evaluation
from autosota.exports import Swap
from autosota.ports import Limits
from autosota.records import Change, Environment, Mount, SeedPlace
from autosota.store import Store
from autosota.workspace import Workspace
from tests import kit

FILES = {
    "model.py": "RATE = 0.5\n",
    "evaluate.py": "import sys, model\nseed = int(sys.argv[2])\nprint('accuracy:', model.RATE + seed / 1000)\n",
    ".gitignore": "data/\nresults/\n",
    "data/labels.txt": "7\n",
}
FROM_ENVIRONMENT = "import os\nprint('accuracy', int(os.environ['AUTOSOTA_SEED']) / 1000 + .5)"
FROM_KEY = {
    "c.yaml": "run:\n  seed: 3  # kept\n",
    "evaluate.py": "t = open('c.yaml').read()\nprint('accuracy:', .5 + int(t.split('seed:')[1].split()[0]) / 1000)",
}
Make = Callable[..., Evaluation]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    kit.write(tmp_path / "repository", FILES)
    made = Workspace(tmp_path / "history.git", tmp_path / "repository")
    yield made
    made.close()


@pytest.fixture
def make(tmp_path: Path, workspace: Workspace) -> Make:
    executor = sandboxes.open_executor("local", tmp_path / "scratch")

    def build(environment: Environment, limits: Limits | None = None) -> Evaluation:
        return Evaluation(
            workspace=workspace, executor=executor, environment=environment, metrics=(kit.ACCURACY,),
            limits=limits or Limits(seconds=20), scratch=tmp_path / "exports", store=Store(tmp_path / "run"), protocol="p",
        )  # fmt: skip

    return build


def test_a_candidate_is_measured_and_recorded_once(workspace: Workspace, make: Make, tmp_path: Path) -> None:
    base = workspace.snapshot()
    evaluation = make(kit.environment(base, evaluate="python evaluate.py --seed {seed}", protected=("evaluate.py",)))
    better = workspace.commit(base, [Change(path="model.py", content=b"RATE = 0.75\n")])
    assert evaluation.measure(base, 1, "noise").values == {"accuracy": 0.501}
    first = evaluation.measure(better, 1, "search")
    assert first.values == {"accuracy": 0.751} and first.protocol == "p" and first.cpu_seconds > 0
    assert evaluation.measure(better, 1, "search") == first
    assert len(Store(tmp_path / "run").measurements()) == 2


def test_protected_files_come_from_the_baseline_whatever_the_candidate_did(workspace: Workspace, make: Make) -> None:
    base = workspace.snapshot()
    evaluation = make(kit.environment(base, evaluate="python evaluate.py --seed {seed}", protected=("evaluate.py",)))
    cheat = workspace.commit(base, [Change(path="evaluate.py", content=b"print('accuracy: 1.0')\n")])
    gone = workspace.commit(base, [Change(path="evaluate.py", content=None)])
    assert evaluation.attempt(cheat, 2).values == evaluation.attempt(gone, 2).values == {"accuracy": 0.502}


@pytest.mark.parametrize(
    ("place", "files", "line"),
    [
        (SeedPlace(kind="placeholder"), {}, "python evaluate.py --seed {seed}"),
        (SeedPlace(kind="option", option="--seed"), {}, "cd . && python -u evaluate.py && true"),
        (SeedPlace(kind="option", option="--seed"), {}, "python evaluate.py --seed 7"),
        (SeedPlace(kind="environment"), {"evaluate.py": FROM_ENVIRONMENT}, "python evaluate.py"),
        (SeedPlace(kind="key", file="c.yaml", key="run.seed"), FROM_KEY, "python evaluate.py"),
    ],
)  # fmt: skip
def test_the_host_sets_the_seed_wherever_its_place_is(
    place: SeedPlace, files: dict[str, str], line: str, make: Make, workspace: Workspace
) -> None:
    kit.write(workspace.repository, files)
    base = workspace.snapshot()
    evaluation = make(kit.environment(base, seed=place, evaluate=line, protected=tuple(files)))
    assert evaluation.attempt(base, 42).values == {"accuracy": 0.542}


def test_a_stale_metrics_file_of_the_repository_is_not_believed(workspace: Workspace, make: Make) -> None:
    kit.write(workspace.repository, {"metrics.json": '{"accuracy": 0.99}', "evaluate.py": "pass\n"})
    base = workspace.snapshot()
    attempt = make(kit.environment(base, evaluate="python evaluate.py", metrics="metrics.json")).attempt(base, 1)
    assert attempt.failure is not None and not attempt.values


def test_predict_never_sees_labels_and_only_declared_outputs_cross(workspace: Workspace, make: Make) -> None:
    kit.write(workspace.repository, {
        ".gitignore": "",
        "predict.py": "import os, sys, pathlib\nout = pathlib.Path(sys.argv[1])\n"
                      "(out / 'p.txt').write_text('7' if os.path.exists('data/labels.txt') else '6')\n"
                      "(out / 'extra.txt').write_text('x')\n",
        "score.py": "import sys, pathlib\nout, labels = map(pathlib.Path, sys.argv[1:3])\n"
                    "assert not (out / 'extra.txt').exists()\n"
                    "truth = (labels / 'data/labels.txt').read_text().strip()\n"
                    "print('accuracy:', float((out / 'p.txt').read_text() == truth))\n",
    })  # fmt: skip
    base = workspace.snapshot()
    commands = {"predict": "python predict.py {outputs}", "score": "python score.py {outputs} {labels}", "outputs": ("p.txt",),
                "labels": ("data/labels.txt",)}  # fmt: skip
    evaluation = make(kit.environment(base, **commands))
    assert evaluation.attempt(base, 1).values == {"accuracy": 0.0}
    cheat = workspace.commit(base, [Change(path="score.py", content=b"print('accuracy: 1.0')\n")])
    assert evaluation.attempt(cheat, 1).values == {"accuracy": 0.0}
    silent = workspace.commit(base, [Change(path="predict.py", content=b"pass\n")])
    assert evaluation.attempt(silent, 1).failure == "predict delivered no p.txt"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("pass", "accuracy"),
        ("print('accuracy: nan')", "nan"),
        ("print('accuracy: 0.1'); print('accuracy: 0.2')", "accuracy"),
        ("raise SystemExit('no data')", "exit code 1: no data"),
        ("import time; time.sleep(60)", "time limit"),
    ],
)
def test_what_goes_wrong_is_a_value_in_words(code: str, words: str, workspace: Workspace, make: Make) -> None:
    kit.write(workspace.repository, {"evaluate.py": code})
    base = workspace.snapshot()
    attempt = make(kit.environment(base, evaluate="python evaluate.py"), Limits(seconds=3)).attempt(base, 1)
    assert attempt.failure is not None and words in attempt.failure.lower()


def test_complete_metrics_before_a_crash_count_with_a_note(workspace: Workspace, make: Make) -> None:
    kit.write(workspace.repository, {"evaluate.py": "print('accuracy: 0.5')\nraise SystemExit(3)\n"})
    base = workspace.snapshot()
    attempt = make(kit.environment(base, evaluate="python evaluate.py")).attempt(base, 1)
    assert attempt.failure is None and attempt.values == {"accuracy": 0.5}
    assert any("exit code 3" in note for note in attempt.notes)


def test_a_traced_run_lists_the_repository_files_it_read(workspace: Workspace, make: Make) -> None:
    base = workspace.snapshot()
    environment = kit.environment(base, evaluate="python -c \"open('data/labels.txt')\" && python evaluate.py --seed {seed}")
    zones = environment.zones.model_copy(update={"ignored": ("data/",)})
    attempt = make(environment.model_copy(update={"zones": zones})).attempt(base, 1, trace=True)
    assert {"data/labels.txt", "evaluate.py", "model.py"} <= attempt.read


def test_a_run_far_behind_in_its_progress_is_ended_early(workspace: Workspace, make: Make) -> None:
    slow = "import sys, time\nfor loss in (0.9, 0.8, 0.7):\n    print('epoch 1 | val loss:', loss, flush=True)\n"
    kit.write(
        workspace.repository,
        {"evaluate.py": slow + "if 'slow' in open('model.py').read():\n    time.sleep(600)\nprint('accuracy: 0.5')"},
    )
    base = workspace.snapshot()
    environment = kit.environment(base, evaluate="python evaluate.py", progress="val loss:min")
    evaluation = make(environment)
    assert evaluation.measure(base, 1, "noise").progress == (0.9, 0.8, 0.7)
    stuck = workspace.commit(base, [Change(path="model.py", content=b"RATE = 'slow'\n")])
    seen: list[tuple[float, ...]] = []

    def hopeless(progress: Sequence[float]) -> bool:
        seen.append(tuple(progress))
        return len(progress) == 3

    measurement = evaluation.measure(stuck, 1, "search", hopeless=hopeless)
    assert measurement.failure == HOPELESS and seen[-1] == (0.9, 0.8, 0.7)


SEES = {
    ".gitignore": "data/\n",
    "model.py": "GUESS = 6\n",
    "run.py": "import model\ntruth = int(open('data/labels.txt').read())\nopen('guess.txt', 'w').write(str(model.GUESS))\n"
              "print('accuracy:', float(model.GUESS == truth))\n",
    "data/labels.txt": "7\n",
}  # fmt: skip


def test_swapped_files_are_seen_by_both_arms_and_win_over_a_candidates_own(workspace: Workspace, make: Make) -> None:
    kit.write(workspace.repository, SEES)
    base = workspace.snapshot()
    environment = kit.environment(base, evaluate="python run.py", labels=("data/labels.txt",))
    zones = environment.zones.model_copy(update={"ignored": ("data/",)})
    evaluation = make(environment.model_copy(update={"zones": zones}))
    cheat = workspace.commit(base, [Change(path="data/labels.txt", content=b"6")])
    swap = Swap("six", {"data/labels.txt": b"6"}, keep=("guess.txt", "absent.txt"))
    assert evaluation.attempt(base, 1).values == {"accuracy": 0.0}
    swapped = evaluation.attempt(base, 1, swap=swap)
    assert (swapped.values, swapped.kept) == ({"accuracy": 1.0}, {"guess.txt": b"6"})
    assert evaluation.attempt(cheat, 1, swap=Swap("eight", {"data/labels.txt": b"8"})).values == {"accuracy": 0.0}
    first = evaluation.measure(base, 1, "probe", swap=swap)
    assert (first.arm, first.values) == ("six", {"accuracy": 1.0}) and evaluation.measure(base, 1, "probe").values != first.values


def test_labels_in_an_ignored_or_a_mounted_folder_are_out_of_predicts_sight(
    workspace: Workspace, make: Make, tmp_path: Path
) -> None:
    outside = kit.write(tmp_path / "outside", {"far.txt": "1", "inputs.txt": "x"})
    kit.write(workspace.repository, {**SEES, "data/inputs.txt": "x", "predict.py":
        "import os, sys\nseen = [d + '/' + n for d in ('data', 'more') for n in os.listdir(d)]\n"
        "open(sys.argv[1] + '/p.txt', 'w').write(' '.join(sorted(seen)))\n",
        "score.py": "import sys\no, l = sys.argv[1:]\nseen = open(o + '/p.txt').read()\n"
        "truth = open(l + '/data/labels.txt').read() + open(l + '/more/far.txt').read()\n"
        "print('accuracy:', float(seen == 'data/inputs.txt more/inputs.txt') + float(truth == '7\\n1'))\n",
    })  # fmt: skip
    base = workspace.snapshot()
    environment = kit.environment(
        base, predict="python predict.py {outputs}", score="python score.py {outputs} {labels}", outputs=("p.txt",),
        labels=("data/labels.txt", "more/far.txt"),
    )  # fmt: skip
    zones = environment.zones.model_copy(update={"ignored": ("data/",)})
    mounts = (Mount(source=str(outside), target="more"),)
    attempt = make(environment.model_copy(update={"zones": zones, "mounts": mounts})).attempt(base, 1)
    assert attempt.values == {"accuracy": 2.0}
    assert attempt.outputs == {"p.txt": b"data/inputs.txt more/inputs.txt"}
