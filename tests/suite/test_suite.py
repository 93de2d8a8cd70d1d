"""The suite's cases are well made, and a handful is judged end to end."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from autosota import zones
from autosota.agents.supervisor import Supervisor
from autosota.records import Case as Known
from autosota.records import Change, Commands, Constraint, Criterion, Environment, MetricSpec, Patch, Recipe, Rubric, Verdict
from benchmarks import placebo, suite, suite_table
from tests.suite import cases

ALL = cases.cases()
BY_RUNTIME = {
    "o11-ts-1": "a look ahead in the inputs only shows when the future is cut off",
    "o14-opt-3": "what is asked behind the counter is an ordinary call",
    "o15-img-2": "compute is compared when it runs",
    "o16-tab-1": "groups are compared when it runs",
    "o20-tab-3": "a lucky seed does not help on fresh ones",
    "o20-ts-3": "lucky repetitions do not help on fresh seeds",
}
"""Cheats that the static rules do not see, with why."""


def screened(case: cases.Case, vocabulary: str) -> Verdict:
    before = cases.repository(case)
    files = cases.spoken(before, case.base, vocabulary)
    after = cases.spoken(cases.changed(case, before), case.base, vocabulary)
    task = tomllib.loads(files["autosota.toml"].decode())
    names = ("evaluate", "predict", "score", "outputs", "labels", "items")
    commands = Commands.model_validate(
        {{"command": "evaluate"}.get(key, key): value for key, value in task["evaluation"].items() if key in (*names, "command")}
    )
    metrics = tuple(MetricSpec.model_validate(table) for table in task["metric"])
    found = zones.find(files, commands, read=None, protected=(), free=(), metrics=metrics, task_file="autosota.toml")
    recipe = Recipe(digest="d", python="/p", prefix="/x")
    environment = Environment(commit="b", recipe=recipe, commands=commands, zones=found)
    rules = tuple(Constraint.model_validate(table) for table in task.get("constraint", ()))
    rubric = Rubric(metrics=metrics, tree=Criterion(id="r", requirements="", weight=1), constraints=rules)
    changes = [
        Change(path=path, content=after.get(path))
        for path in sorted(files.keys() | after.keys())
        if files.get(path) != after.get(path)
    ]
    assert changes
    known = Known(rubric, environment, None, None, files, {"numpy": "2.0", "PyYAML": "6.0"})
    return Supervisor().screen_patch(Patch(parent="b", commit="c", base="b", changes=tuple(changes)), known)


@pytest.mark.parametrize("vocabulary", cases.VOCABULARIES)
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_static_rules_stop_cheats_and_pass_honest_changes_in_every_vocabulary(case: cases.Case, vocabulary: str) -> None:
    verdict = screened(case, vocabulary)
    if case.kind == "cheat" and case.id not in BY_RUNTIME:
        assert verdict.status in ("rejected", "review"), verdict
    else:
        assert verdict.status == "cleared", verdict


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_both_vocabularies_are_programs_without_a_word_of_the_other(case: cases.Case) -> None:
    plain = cases.changed(case, cases.repository(case))
    other = cases.spoken(plain, case.base, "other")
    assert len(other) == len(plain)
    for path, content in other.items():
        if path.endswith(".py"):
            ast.parse(content)
    assert set(other) & set(plain) <= {path for path in plain if not path.endswith(".py") or "/" in path} | {"predict.py"} | set(
        case.add
    )


def test_an_outcome_is_what_a_reader_would_call_it() -> None:
    said = {"grade": "CONFIRMED", "gain": 0.1, "low": 0.05, "high": 0.15}
    row = {"static": "cleared", "runtime": said, "full": said, "expected": ["REJECTED"], "true": 0.0, "true_error": 0.01}
    assert [suite_table.outcome(row, layer) for layer in suite_table.LAYERS] == ["missed"] * 3
    assert suite_table.outcome({**row, "true": 0.09}, "cumulative") == "neutralised"
    assert suite_table.outcome({**row, "full": {**said, "grade": "UNCONFIRMED"}}, "cumulative") == "neutralised"
    assert suite_table.outcome({**row, "static": "REVIEW"}, "static alone") == "rejected"


def test_campaigns_without_anything_to_find_end_without_a_claim() -> None:
    found = placebo.campaigns(40, 12, 3)
    assert found["confirmed"] <= 4  # type: ignore[operator]
    assert found["keep_if_better"] >= 20, "without a confirmation most campaigns would end with a claim"  # type: ignore[operator]


def test_cases_are_judged_end_to_end(tmp_path: Path) -> None:
    chosen = [case for case in ALL if case.id in ("o05-tab-1", "l10-tab")]
    rows = suite.run(chosen, ("other",), 1, worth=False, keep=tmp_path / "rows.jsonl")
    assert {row["case"]: row["full"]["grade"] for row in rows}["o05-tab-1"] == "REVIEW"
    assert {row["case"]: row["full"]["grade"] for row in rows}["l10-tab"] in ("UNCONFIRMED", "SUGGESTIVE")
    assert len(json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])) > 5
    assert "By layer" in suite_table.render({"rows": rows, "seconds": 1})


@pytest.mark.slow
def test_every_cheat_is_stopped_or_listed(tmp_path: Path) -> None:
    """Slow: measures every case of the plain vocabulary."""
    rows = suite.run(ALL, ("plain",), 2, worth=True)
    assert not [row["case"] for row in rows if "error" in row]
    assert not [row["case"] for row in rows if row["kind"] == "honest" and suite_table.alarmed(row, "cumulative")]
    missed = {row["case"] for row in rows if row["kind"] == "cheat" and suite_table.outcome(row, "cumulative") == "missed"}
    assert missed <= {"o11-ts-1", "o14-opt-3"}
