"""Claims on rows that search never saw, from the command line: withheld rows, sealed files, and the form of outputs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosota import config, crossed, preparation, resampling, sandboxes
from autosota.agents.supervisor import failures
from autosota.errors import UsageError
from autosota.evaluation import Evaluation
from autosota.ports import Limits
from autosota.records import Change, OutputForm
from autosota.store import Store
from autosota.workspace import Workspace
from tests import kit
from tests.kit import CommandLine

ROWS = 400
PREDICT = """\
import csv, os, random, sys
import settings
seed, out = int(sys.argv[1]), sys.argv[2]
draw = random.Random(seed)
with open("data/inputs.csv") as file:
    rows = list(csv.DictReader(file))
with open(os.path.join(out, "answers.csv"), "w") as file:
    file.write("id,answer\\n")
    for row in rows:
        value = float(row["x"]) + draw.gauss(0, 0.05)
        answer = settings.MEMORY.get(row["id"], int(value > settings.CUT))
        file.write(f"{row['id']},{answer}\\n")
"""
SCORE = """\
import csv, sys
def column(path, name):
    with open(path) as file:
        return {row["id"]: row[name] for row in csv.DictReader(file)}
truth = column(sys.argv[2] + "/data/labels.csv", "label")
answers = column(sys.argv[1] + "/answers.csv", "answer")
assert answers.keys() == truth.keys(), "every row needs one answer"
print("accuracy:", sum(answers[key] == truth[key] for key in truth) / len(truth))
"""
TASK = """\
[evaluation]
predict = "python predict.py {seed} {outputs}"
score = "python score.py {outputs} {labels}"
outputs = ["answers.csv"]
labels = ["data/labels.csv"]
seeds = 3
EXTRA
[[metric]]
name = "accuracy"
direction = "max"
primary = true
"""


def data(seed: int) -> dict[str, str]:
    """Rows whose label is whether x is positive, wrong in one of eight."""
    draw = random.Random(seed)
    x = [draw.uniform(-1, 1) for _ in range(ROWS)]
    label = [int(value > 0) ^ (draw.random() < 0.125) for value in x]
    return {
        "data/inputs.csv": "id,x\n" + "".join(f"r{i},{value}\n" for i, value in enumerate(x)),
        "data/labels.csv": "id,label\n" + "".join(f"r{i},{value}\n" for i, value in enumerate(label)),
    }


def task(folder: Path, extra: str) -> Path:
    """A repository whose cut is far from the best one."""
    kit.write(folder / "repository", {
        "predict.py": PREDICT, "score.py": SCORE, "settings.py": "CUT = 0.6\nMEMORY = {}\n", **data(1),
        "autosota.toml": TASK.replace("EXTRA", extra),
    })  # fmt: skip
    return folder / "repository"


def whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def candidate(repository: Path, settings: str) -> Path:
    changed = repository.with_name("candidate")
    for path in repository.rglob("*"):
        if path.is_file():
            (changed / path.relative_to(repository)).parent.mkdir(parents=True, exist_ok=True)
            (changed / path.relative_to(repository)).write_bytes(path.read_bytes())
    (changed / "settings.py").write_text(settings)
    return changed


@pytest.fixture
def autosota(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def audit(autosota: CommandLine, repository: Path, changed: Path, *more: object) -> kit.Ended:
    return autosota.run(
        "audit", "--task", repository / "autosota.toml", "--candidate", changed, "--python", __import__("sys").executable,
        "--out", autosota.folder / "out", "--json", *more,
    )  # fmt: skip


def test_a_true_gain_is_claimed_on_the_withheld_rows(autosota: CommandLine) -> None:
    repository = task(autosota.folder, "withhold = 0.4")
    result = audit(autosota, repository, candidate(repository, "CUT = 0.0\nMEMORY = {}\n")).data
    assert (result["grade"], result["assurance"]) == ("CONFIRMED", "sealed"), result
    assert result["gain"]["low"] > 0 and result["gain_visible"]["absolute"] > 0
    assert result["gain"]["absolute"] != result["gain_visible"]["absolute"]
    lines = [json.loads(line) for line in (autosota.folder / "out" / "measurements.jsonl").read_text().splitlines()]
    noise = next(line for line in lines if line["purpose"] == "noise")
    assert set(noise["also"]) == {"whole"} and whole(noise["values"]["accuracy"] * ROWS * 0.6)
    claim = next(line for line in lines if line["purpose"] == "confirm")
    assert set(claim["also"]) == {"visible"} and whole(claim["values"]["accuracy"] * ROWS * 0.4)


def test_answers_learned_by_heart_are_worth_nothing_on_sealed_rows(autosota: CommandLine) -> None:
    repository = task(autosota.folder, 'sealed = "../sealed"')
    kit.write(autosota.folder / "sealed", data(2))
    known = dict(line.split(",") for line in data(1)["data/labels.csv"].splitlines()[1:])
    learned = {key: int(value) for key, value in known.items()}
    result = audit(autosota, repository, candidate(repository, f"CUT = 0.6\nMEMORY = {learned!r}\n"), "--accept", "see it").data
    assert result["grade"] in ("UNCONFIRMED", "REJECTED"), result
    if result["gain"] is not None and result["gain_visible"] is not None:
        assert result["gain_visible"]["absolute"] > 0.1 > result["gain"]["absolute"]


@pytest.mark.parametrize(
    ("sealed", "words"),
    [
        ("gone", "no folder"),
        ("repository/data", "lies in the repository"),
        ("odd", "replaces nothing"),
        ("shared/new", "candidates see at shared"),
    ],
)
def test_a_sealed_folder_must_replace_something_out_of_sight(sealed: str, words: str, tmp_path: Path) -> None:
    repository = task(tmp_path, f'sealed = "../{sealed}"')
    kit.write(tmp_path / "odd", {"data/other.csv": "x"})
    kit.write(tmp_path / "shared", {"new/data/labels.csv": "x"})
    (repository / "autosota.toml").open("a").write("\n[mounts]\nshared = '../shared'\n")
    workspace = Workspace(tmp_path / "history.git", repository)
    with pytest.raises(UsageError, match=words):
        preparation.sealed(config.resolve({"task": str(repository / "autosota.toml")}), workspace, workspace.snapshot())
    workspace.close()


@pytest.fixture
def measured(tmp_path: Path) -> Iterator[tuple[Evaluation, Workspace, str]]:
    """The evaluation of the repository, without a command line."""
    repository = task(tmp_path, "")
    workspace = Workspace(tmp_path / "history.git", repository)
    base = workspace.snapshot()
    environment = kit.environment(
        base, predict="python predict.py {seed} {outputs}", score="python score.py {outputs} {labels}",
        outputs=("answers.csv",), labels=("data/labels.csv",), form=OutputForm(ids="unique"),
    )  # fmt: skip
    yield Evaluation(
        workspace=workspace, executor=sandboxes.open_executor("local", tmp_path / "scratch"), environment=environment,
        metrics=(kit.ACCURACY,), limits=Limits(seconds=20), scratch=tmp_path / "exports", store=Store(tmp_path / "run"),
    ), workspace, base  # fmt: skip
    workspace.close()


def test_outputs_that_break_their_schema_are_no_candidate(measured: tuple[Evaluation, Workspace, str]) -> None:
    evaluation, workspace, base = measured
    short = PREDICT.replace("for row in rows:", "for row in rows[:-1]:").encode()
    cut = workspace.commit(base, [Change(path="predict.py", content=short)])
    assert evaluation.measure(base, 1, "confirm").ok
    failed = evaluation.measure(cut, 1, "confirm")
    assert failed.failure == "the outputs break their schema: answers.csv: 1 ids are missing, e.g. 'r399'"
    violation = failures([failed])
    assert violation is not None and (violation.red_line, violation.rule) == ("R3", "schema-breach")


def test_rows_left_out_in_turn_show_the_noise_that_items_show(measured: tuple[Evaluation, Workspace, str]) -> None:
    evaluation, workspace, base = measured
    better = workspace.commit(base, [Change(path="settings.py", content=b"CUT = 0.0\nMEMORY = {}\n")])
    runs = [evaluation.measure(commit, 1, "confirm") for commit in (base, better)]
    groups = [resampling.pseudo_values(evaluation, run, kit.ACCURACY) for run in runs]
    items = [evaluation.items(commit, 1) for commit in (base, better)]
    assert groups[0] is not None and groups[1] is not None and items[0] is not None and items[1] is not None
    assert sum(groups[1].values()) / resampling.GROUPS == pytest.approx(runs[1].values["accuracy"])
    by_groups = crossed.from_groups(groups[0], groups[1])
    by_items = crossed.from_items([(items[0], items[1])], [runs[1].values["accuracy"] - runs[0].values["accuracy"]])
    assert by_groups is not None and by_items is not None
    assert 0.5 < by_groups.error / by_items.error < 2.0
