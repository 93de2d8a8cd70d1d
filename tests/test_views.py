"""Runs, experiments and endings in words and as JSON."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from autosota import views
from autosota.errors import UsageError
from autosota.records import Change
from autosota.store import Store
from autosota.workspace import Workspace
from tests.report import example_run
from tests.report.test_report import hostile_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: one finished, one under way, one unreadable."""
    folder = tmp_path_factory.mktemp("runs")
    example_run.write(folder / "digits" / "heron")
    example_run.write(folder / "digits" / "finch", until="experiments")
    broken = example_run.write(folder / "other" / "wren", until="task")
    (broken.folder / "08-result.json").write_text("{")
    for age, name in enumerate(("digits/finch", "digits/heron", "other/wren")):
        for path in (folder / name).iterdir():
            os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    return folder


def plain(text: str) -> str:
    """The text, checked to be fit for a terminal."""
    assert not any(ord(sign) < 32 and sign != "\n" for sign in text)
    assert text == text.rstrip() and max(map(len, text.split("\n"))) < 700
    return text


def test_a_run_is_shown_with_verdict_numbers_and_files(runs: Path) -> None:
    store = Store(runs / "digits" / "heron")
    text = plain(views.run_text(store))
    for phrase in ("CONFIRMED, guarded; selected-on-test", "0.9052 ± 0.0052", "0.912", "20*", "experiment 9: ", "R2"):
        assert phrase in text, phrase
    data = json.loads(json.dumps(views.run_json(store)))
    assert data["finished"] and data["result"]["grade"] == "CONFIRMED" and data["best"]["number"] == 20
    assert data["experiments"] == {"total": 24, "improved": 6, "not_improved": 15, "failed": 1, "rejected": 1, "stopped": 1}


def test_an_unfinished_run_is_shown(runs: Path) -> None:
    text = plain(views.run_text(Store(runs / "digits" / "finch")))
    assert "Unfinished: 24 experiments, best so far 0.9343 (experiment 20)" in text
    assert "CONFIRMED" not in text


def test_an_experiment_is_shown_with_measurements_verdict_and_setting(runs: Path) -> None:
    store = Store(runs / "digits" / "heron")
    text = plain(views.experiment_text(store, 9))
    assert "rejected, CODE, made on experiment 8" in text and "protected-changed, reject" in text and "an honest way:" in text
    assert "  lr = 0.0213" in views.experiment_text(store, 20)
    data = json.loads(json.dumps(views.experiment_json(store, 20)))
    assert data["idea_record"]["id"] == "param-optimizer" and data["diff"] == ""


def test_an_experiments_diff_is_the_one_to_its_parent(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "a.py").write_text("LR = 0.1\n")
    store = example_run.write(tmp_path / "run", until="analysis")
    workspace = Workspace(store.folder / "history.git", repository)
    base = workspace.snapshot()
    commit = workspace.commit(base, [Change(path="a.py", content=b"LR = 0.2\n")])
    workspace.close()
    environment = store.environment()
    assert environment is not None
    store.save(environment.model_copy(update={"commit": base}))
    made = example_run.write(tmp_path / "other", until="experiments").experiments()[0]
    store.append_experiment(made.model_copy(update={"commit": commit}))
    assert "-LR = 0.1\n+LR = 0.2" in plain(views.experiment_text(store, 1))


def test_an_unknown_experiment_is_a_usage_error(runs: Path) -> None:
    with pytest.raises(UsageError) as caught:
        views.experiment_text(Store(runs / "digits" / "heron"), 99)
    assert "no experiment 99" in caught.value.message and caught.value.hint == "it has 1 to 24"


def test_runs_are_listed_newest_first_and_broken_ones_named(runs: Path) -> None:
    rows = json.loads(json.dumps(views.list_json(runs)))
    assert [row["run"] for row in rows] == ["digits/finch", "digits/heron", "other/wren"]
    assert [row["state"] for row in rows] == ["searching", "finished", "unreadable"]
    assert rows[1]["grade"] == "CONFIRMED" and rows[1]["gain"]["pairs"] == 5
    lines = plain(views.list_text(runs)).split("\n")
    assert len(lines) == 4 and "CONFIRMED" in lines[2] and "unreadable" in lines[3]


def test_no_runs_is_said(tmp_path: Path) -> None:
    assert views.list_text(tmp_path / "absent") == f"no runs under {tmp_path / 'absent'}"
    assert views.list_json(tmp_path) == []


def test_the_end_of_a_run_names_grade_numbers_and_files(tmp_path: Path) -> None:
    store = example_run.write(tmp_path)
    store.write("report.html", "<html>")
    lines = plain(views.finished(store)).split("\n")
    assert lines[0] == "CONFIRMED (guarded)" and "95 % interval" in lines[1] and len(lines) <= 10
    assert f"report   {tmp_path / 'report.html'}" in lines and lines[-1] == f"again    autosota verify {tmp_path}"


def test_the_end_of_a_run_whose_baseline_is_not_the_papers(tmp_path: Path) -> None:
    store = example_run.write(tmp_path, until="baseline")
    baseline = store.baseline()
    assert baseline is not None
    store.save(baseline.model_copy(update={"reproduced": "no"}))
    assert views.finished(store).startswith("The paper's number was not reproduced: 0.9052, paper 0.912.")


@dataclass
class Outcome:
    store: Store


def test_the_end_of_a_replication(tmp_path: Path) -> None:
    text = plain(views.replication(Outcome(example_run.write(tmp_path, until="baseline"))))
    assert text.startswith("Reproduced.") and "2 repairs" in text and "90% of what could be decided passes" in text
    assert "Unfinished" in views.replication(Outcome(Store(tmp_path / "empty")))


def test_the_end_of_an_audit_tells_what_was_found(runs: Path, tmp_path: Path) -> None:
    result = Store(runs / "digits" / "heron").result()
    assert result is not None
    text = plain(views.audited(result.model_copy(update={"grade": "REJECTED"}), tmp_path))
    assert text.startswith("REJECTED (guarded)") and "constraint-unread, note" in text and str(tmp_path) in text


def test_hostile_text_cannot_drive_the_terminal(tmp_path: Path) -> None:
    store = hostile_run(tmp_path)
    for text in (views.run_text(store), views.experiment_text(store, 9), views.finished(store), views.list_text(tmp_path),
                 views.replication(Outcome(store))):  # fmt: skip
        assert "\x1b" not in text and "\u202e" not in text
