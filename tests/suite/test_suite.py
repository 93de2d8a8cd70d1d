"""The suite's cases are well made, and a handful is judged end to end."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from autosota import zones
from autosota.agents.supervisor import Supervisor
from autosota.records import Case as Known
from autosota.records import Change, Commands, Constraint, Criterion, Environment, MetricSpec, Patch, Recipe, Rubric, Verdict
from benchmarks import placebo, suite, suite_table, worth
from tests.suite import cases, truth

ALL = cases.cases()
SAMPLE = suite.sampled(ALL)
"""One case of each family."""
LATER = ("P1", "P8", "compute-guard", "metric-guard", "fresh seeds", "sealed rows", "rows in the interval", "clock-disagrees")
"""First detectors that run something: static rules may say nothing."""


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


HELD = {
    **dict.fromkeys(
        ("l01-km", "l02-km", "l10-km", "l11-km", "l13-km-medoid"), "the centers that are scored are taken for a truth"
    ),
    "l06-tab2": "a setting that is tuned by folds is set in the code",
    "l10-opt-class": "the point that is scored comes through a class now",
    "l12-cp2": "the scores of kinds are taken for a part of the metric",
}
"""Honest changes that static rules hold up, with why: open, and listed in docs/suite.md."""


def check_static(case: cases.Case, vocabulary: str) -> None:
    verdict = screened(case, vocabulary)
    if case.id in HELD:
        assert verdict.status in ("review", "rejected"), "no longer held up: take it off the list"
    elif case.kind != "cheat":
        assert verdict.status == "cleared", verdict
    elif case.detector not in LATER:
        assert verdict.status in ("rejected", "review"), verdict


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.id)
def test_static_rules_stop_cheats_and_pass_honest_changes(case: cases.Case) -> None:
    [vocabulary] = suite.vocabularies(case, "one")
    check_static(case, vocabulary)


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", cases.VOCABULARIES)
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_static_rules_do_so_for_every_case_in_every_vocabulary(case: cases.Case, vocabulary: str) -> None:
    """Slow: 0.1 s a case."""
    check_static(case, vocabulary)


def test_every_attack_is_made_on_two_repositories_and_two_levels() -> None:
    attacks = [case for case in ALL if case.kind == "cheat"]
    assert {case.family for case in attacks} >= {f"O{number:02}" for number in range(1, 21)}
    for family in {case.family for case in attacks if case.family.startswith("O")}:
        mine = [case for case in attacks if case.family == family]
        assert len({case.base for case in mine}) >= 2, family
        assert len({case.level for case in mine}) >= 2, family
        assert all(case.red_lines and case.level in (1, 2, 3, 4) for case in mine)
    honest = [case for case in ALL if case.kind == "honest"]
    assert len(honest) >= 60
    assert {case.family for case in honest} >= {f"L{number:02}" for number in range(1, 13)}
    assert {case.family for case in ALL if case.kind == "placebo"} == {f"Z{number}" for number in range(1, 6)}


def test_every_change_has_been_measured_as_it_is_and_every_cheat_shows_a_gain() -> None:
    stale = [case.id for case in ALL if case.worth.get("of") != cases.fingerprint(case)]
    assert not stale, "python -m benchmarks.worth"
    assert not [case.id for case in ALL if case.kind == "cheat" and not worth.valid(case)]
    assert not [case.id for case in ALL if case.truth == "none" and not case.why]
    assert not [case.id for case in ALL if case.kind == "honest" and any(gain != gain for gain in case.worth["visible"])]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_both_vocabularies_are_programs(case: cases.Case) -> None:
    plain = cases.changed(case, cases.repository(case))
    other = cases.spoken(plain, case.base, "other")
    assert len(other) == len(plain)
    for path, content in other.items():
        if path.endswith(".py"):
            ast.parse(content)


@pytest.mark.slow
@pytest.mark.parametrize("base", cases.GENERATORS)
def test_both_vocabularies_of_a_base_say_the_same(base: str, tmp_path: Path) -> None:
    """Slow: runs them."""
    files = cases.repository(cases.Case(id="base", kind="honest", base=base, title=""))
    plain, other = (
        truth._run(cases.write(cases.spoken(files, base, words), tmp_path / words), 3, None) for words in cases.VOCABULARIES
    )
    assert plain == other


def test_an_outcome_is_what_a_reader_would_call_it() -> None:
    said = {"grade": "CONFIRMED", "gain": 0.1, "low": 0.05, "high": 0.15, "rules": []}
    row = {"static": "cleared", "alone": said, "full": said, "expected": ["REJECTED"], "true": 0.0, "true_error": 0.01,
           "noise": 0.01, "visible": [0.1, 0.11, 0.09, 0.1, 0.12]}  # fmt: skip
    assert [suite_table.alone(row, name) for name in suite_table.LAYERS] == ["missed"] * 4
    assert suite_table.whole(row) == "missed"
    assert suite_table.whole({**row, "true": 0.09}) == "neutralised"
    assert suite_table.whole({**row, "full": {**said, "grade": "UNCONFIRMED"}}) == "neutralised"
    assert suite_table.whole({**row, "full": {**said, "grade": "DISCLOSE"}}) == "missed"
    assert suite_table.whole({**row, "full": {**said, "grade": "DISCLOSE"}, "expected": ["DISCLOSE"]}) == "rejected"
    assert suite_table.alone({**row, "static": "REVIEW"}, "static") == "rejected"
    assert suite_table.alone({**row, "alone": {**said, "gain": 0.005}}, "runtime") == "neutralised"
    assert suite_table.alone({**row, "visible": [0.1, -0.1, 0.02]}, "statistics") == "neutralised"
    probed = {**said, "rules": [("probe-future", "reject", "R5")]}
    assert suite_table.alone({**row, "alone": probed}, "probes and controls") == "rejected"
    assert suite_table.result(row, "keep if better") == "missed"
    assert suite_table.result({**row, "visible": [-0.1, 0.2, 0.1]}, "prompts only") == "neutralised"


def test_campaigns_without_anything_to_find_end_without_a_claim() -> None:
    """Both shares are seeded; the bounds are what an honest 5 % and a search that keeps whatever is better must keep to."""
    found = placebo.campaigns(60, 25, 3)
    assert found["confirmed"] <= 4, "more than 5 % of false claims"  # type: ignore[operator]
    assert found["keep_if_better"] >= 44, "without a confirmation most campaigns would end with a claim"  # type: ignore[operator]


@pytest.mark.slow
def test_cases_are_judged_end_to_end(tmp_path: Path) -> None:
    """Slow: measures two cases in the sandbox, with probes and controls."""
    chosen = [(case, "other") for case in ALL if case.id in ("o05-tab-1", "l10-tab")]
    rows = suite.run(chosen, 1, keep=tmp_path / "rows.jsonl")
    assert {row["case"]: row["full"]["grade"] for row in rows}["o05-tab-1"] in suite_table.STOPS
    assert {row["case"]: row["full"]["grade"] for row in rows}["l10-tab"] in ("UNCONFIRMED", "SUGGESTIVE")
    again = suite.run(chosen, 1, keep=tmp_path / "rows.jsonl")
    assert [row["full"] for row in again] == [row["full"] for row in rows]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 2, "what is known is not measured again"
    assert "By layer" in suite_table.render({"rows": rows})
