"""Metrics, directions and reported numbers from task file, tables and output; the rubric tree and its score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autosota import rubrics
from autosota.agents.objective import Objective, compare, load_rubric
from autosota.errors import UsageError
from autosota.paper.results import reported
from autosota.records import Criterion, MetricSpec, Paper, Readiness, Repository, Rubric, Table, Task
from autosota.taskfile import TaskFile

HEAD = ("Method", "Accuracy (%) ↑", "Log loss ↓")
ROWS = (
    ("Trees [1]", "88.2 ± 0.4", "0.41 ± 0.02"),
    ("Boosting", "**93.5**", "0.27"),
    ("FOO (ours)", "93.1 ± 0.2", "**0.25 ± 0.01**"),
    ("Oracle", "99.0", "0.01"),
)


def table(header: tuple[str, ...] = HEAD, rows: tuple[tuple[str, ...], ...] = ROWS, caption: str = "Table 1: Results.") -> Table:
    return Table(caption=caption, header=header, rows=rows, page=4)


def paper(*tables: Table, abstract: str = "", title: str = "FOO: wines told apart") -> Paper:
    return Paper(source="paper.pdf", digest="0", title=title, abstract=abstract, tables=tables)


def task(read: Paper | None) -> Task:
    repository = Repository(source="foo", kind="directory", path="/foo")
    return Task(paper=read, repository=repository, readiness=Readiness(ready=True, reasons=("source files: 1 Python",)))


def file(**content: object) -> TaskFile:
    return TaskFile.model_validate(content)


def objective(read: Paper | None, printed: dict[str, list[float]] | None = None, **content: object) -> Rubric:
    return Objective().run(task(read), file(**content), printed=printed)


def brief(rubric: Rubric) -> list[tuple[str, str, float | None]]:
    return [(spec.name, spec.direction, spec.reported) for spec in rubric.metrics]


# ── the task file ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_task_file_wins_over_the_paper() -> None:
    metrics = [{"name": "loss", "direction": "min"}, {"name": "accuracy", "direction": "max", "primary": True, "reported": 93.1}]
    rubric = objective(paper(table()), metric=metrics)
    assert brief(rubric) == [("accuracy", "max", 93.1), ("loss", "min", None)]
    assert rubric.primary.primary and rubric.primary.spread == 0.2
    assert rubric.primary.evidence is not None and rubric.primary.evidence.page == 4


def test_the_first_metric_is_primary_where_none_is_named() -> None:
    rubric = objective(None, metric=[{"name": "f1", "direction": "max"}, {"name": "accuracy", "direction": "max"}])
    assert [spec.primary for spec in rubric.metrics] == [True, False] and rubric.primary.name == "f1"


def test_what_the_task_file_leaves_open_is_filled_from_name_and_paper() -> None:
    rubric = objective(paper(table()), metric=[{"name": "log_loss"}])
    assert brief(rubric) == [("log_loss", "min", 0.25)] and "0.25" in rubric.notes[0]
    arrows = paper(table(("Method", "Frobs ↓"), (("FOO (ours)", "3.5"),)))
    assert brief(objective(arrows, metric=[{"name": "frobs"}])) == [("frobs", "min", 3.5)]
    with pytest.raises(UsageError, match="frobs") as failure:
        objective(None, metric=[{"name": "frobs"}])
    assert "--metric frobs:max" in failure.value.hint


def test_constraints_go_into_the_rubric() -> None:
    rubric = objective(None, metric=[{"name": "f1"}], constraint=[{"text": "32 colors", "file": "a.py", "key": "COLORS"}])
    assert rubric.constraints[0].key == "COLORS"


# ── the paper's tables ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_papers_own_row_is_taken_not_the_best_nor_the_last() -> None:
    rubric = objective(paper(table()))
    assert brief(rubric) == [("Accuracy", "max", 93.1), ("Log loss", "min", 0.25)]
    assert rubric.primary.spread == 0.2 and rubric.primary.setting == "FOO (ours)"


@pytest.mark.parametrize(
    ("header", "rows", "title", "expected"),
    [
        (("Model", "F1"), (("A", "0.8"), ("FOO", "0.9"), ("B", "0.7")), "FOO: wines", ("F1", 0.9)),
        (("Model", "F1"), (("A", "0.8"), ("BarNet-L", "**0.9**"), ("B", "0.7")), "BarNet for wines", ("F1", 0.9)),
        (("Metric", "A", "Ours", "B"), (("F1", "0.8", "0.9", "0.7"), ("Accuracy", "1", "2", "3")), "Wines", ("F1", 0.9)),
        (("Model", "F1"), (("A", "0.8"), ("Proposed method", "0.9")), "Wines", ("F1", 0.9)),
    ],
)
def test_ways_to_mark_the_own_method(
    header: tuple[str, ...], rows: tuple[tuple[str, ...], ...], title: str, expected: tuple[str, float]
) -> None:
    first = reported(paper(table(header, rows), title=title))[0]
    assert (first.name, first.value) == expected and first.certain


def test_a_row_that_is_only_guessed_gives_no_number_to_compare_with() -> None:
    rubric = objective(paper(table(("Model", "F1"), (("A", "0.8"), ("B", "0.9")))))
    assert brief(rubric) == [("F1", "max", None)] and "guessed" in rubric.notes[-1]
    several = (("FOO", "0.7"), ("FOO", "0.9"))
    assert not any(report.certain for report in reported(paper(table(("Model", "F1"), several))))


@pytest.mark.parametrize(
    ("head", "caption", "expected"),
    [
        ("Frob ↑", "Table 1", "max"),
        ("Accuracy ↓", "Table 1", "min"),
        ("Frob", "Table 1: lower is better.", "min"),
        ("MSE", "Table 1. Lower MSE and higher PSNR are better.", "min"),
        ("PSNR", "Table 1. Lower MSE and higher PSNR are better.", "max"),
    ],
)
def test_arrows_and_captions_decide_the_direction(head: str, caption: str, expected: str) -> None:
    rubric = objective(paper(table(("Model", head), (("FOO (ours)", "3.0"),), caption)), printed={head.split()[0]: [3.1]})
    assert rubric.primary.direction == expected


def test_the_abstract_names_the_headline() -> None:
    by_value = paper(table(), abstract="FOO reaches 0.25 on the test set.")
    assert objective(by_value).primary.name == "Log loss"
    by_name = paper(table(), abstract="FOO lowers the log loss.")
    assert objective(by_name).primary.name == "Log loss"


def test_metrics_are_those_the_evaluation_prints_under_its_names() -> None:
    rubric = objective(paper(table()), printed={"epoch": [1.0, 2.0], "test_acc": [0.93], "fit_seconds": [3.0]})
    assert brief(rubric) == [("test_acc", "max", 93.1)]
    assert any("Log loss" in note and "not printed" in note for note in rubric.notes)


def test_the_unit_is_fixed_by_what_the_baseline_prints() -> None:
    assert objective(paper(table()), printed={"test_acc": [0.93]}).primary.scale == 100.0
    assert objective(paper(table()), printed={"test.accuracy": [93.0]}).primary.scale == 1.0
    declared = [{"name": "error rate", "direction": "min", "reported": 7.96}]
    assert objective(None, printed={"Error rate": [0.0801, 0.0799]}, metric=declared).primary.scale == 100.0


def test_with_nothing_reported_the_only_known_metric_decides() -> None:
    rubric = objective(None, printed={"accuracy": [0.93], "fit_seconds": [3.0], "epoch": [3.0]})
    assert brief(rubric) == [("accuracy", "max", None)]


@pytest.mark.parametrize(
    ("read", "printed", "words"),
    [
        (None, None, "no metric is known"),
        (None, {"frobs": [1.0]}, "frobs (direction unknown)"),
        (None, {"accuracy": [0.9], "f1": [0.8]}, "accuracy (max), f1 (max)"),
        (paper(table(("Model", "Zorps"), (("FOO (ours)", "1"),))), {"frobs": [1.0]}, "frobs"),
    ],
)
def test_where_rules_cannot_decide_the_candidates_and_the_flag_are_named(
    read: Paper | None, printed: dict[str, list[float]] | None, words: str
) -> None:
    with pytest.raises(UsageError) as failure:
        objective(read, printed)
    assert words in failure.value.message and "--metric " in failure.value.hint


def test_data_sets_in_columns_take_the_metric_from_the_caption() -> None:
    wide = table(
        ("Model", "CIFAR-10", "SVHN"), (("A", "90.0", "91.0"), ("FOO (ours)", "95.0", "96.0")), "Table 2: Test accuracy in %."
    )
    found = [(report.name, report.dataset, report.value) for report in reported(paper(wide))]
    assert found == [("accuracy", "CIFAR-10", 95.0), ("accuracy", "SVHN", 96.0)]
    rubric = objective(paper(wide), printed={"accuracy": [0.955]})
    assert rubric.primary.name == "accuracy" and rubric.primary.direction == "max"


# ── the rubric ────────────────────────────────────────────────────────────────────────────────────────────────────────


def conserved(criterion: Criterion) -> bool:
    parts = criterion.sub_tasks
    return (not parts or sum(part.weight for part in parts) == pytest.approx(criterion.weight)) and all(
        conserved(part) for part in parts
    )


def test_the_tree_conserves_weights_and_names_its_checks() -> None:
    command = {"command": "cd src && python evaluate.py --seed {seed}"}
    rubric = objective(paper(table(), table(caption="Table 2: More.")), evaluation=command)
    leaves = list(rubrics.leaves(rubric.tree))
    assert rubric.tree.weight == 1.0 and conserved(rubric.tree)
    checks = [leaf.check for leaf in leaves]
    for check in ("repository-ready", "file-exists:evaluate.py", "environment", "evaluation-runs", "metric:Accuracy"):
        assert check in checks
    assert {leaf.task_category for leaf in leaves} == set(rubrics.CATEGORIES)
    assert len({leaf.id for leaf in leaves}) == len(leaves)
    (accuracy,) = [leaf for leaf in leaves if leaf.check == "metric:Accuracy"]
    assert accuracy.evidence[0].page == 4 and "93.1" in accuracy.requirements
    assert objective(paper(table(), table(caption="Table 2: More.")), evaluation=command) == rubric


def test_the_score_is_the_share_of_decided_weight() -> None:
    agent, rubric = Objective(), objective(paper(table()))
    assert rubric.score is None and [leaf.check for leaf in rubrics.leaves(rubric.tree) if leaf.passed] == ["repository-ready"]
    assert Rubric(metrics=rubric.metrics, tree=Criterion(id="x", requirements="y", weight=1)).score is None
    weights = {leaf.check: leaf.weight for leaf in rubrics.leaves(rubric.tree)}
    scored = agent.score(rubric, {"environment": True, "metric:Accuracy": False})
    passed = weights["repository-ready"] + weights["environment"]
    expected = passed / (passed + weights["metric:Accuracy"])
    assert scored.score == pytest.approx(expected)
    assert agent.score(scored, {"metric:Accuracy": True}).score == 1.0


def test_a_tree_stops_at_small_weights_and_at_its_depth() -> None:
    draft = rubrics.Draft("leaf")
    for level in range(10):
        draft = rubrics.Draft(f"level {level}", parts=(draft,))

    def depth(criterion: Criterion) -> int:
        return 1 + max((depth(part) for part in criterion.sub_tasks), default=0)

    assert depth(rubrics.grow(draft)) == rubrics.DEEPEST
    tiny = rubrics.Draft("tiny", share=0.001, parts=(rubrics.Draft("below"),))
    grown = rubrics.grow(rubrics.Draft("root", parts=(rubrics.Draft("large"), tiny)))
    assert not grown.sub_tasks[1].sub_tasks and conserved(grown)


def test_published_rubrics_load_and_come_back(tmp_path: Path) -> None:
    def leaf(name: str, weight: int) -> dict[str, object]:
        return {"id": name, "requirements": f"{name} holds", "weight": weight, "sub_tasks": [],
                "task_category": "Code Execution", "finegrained_task_category": "Experimental Setup"}  # fmt: skip

    inner = {**leaf("b", 3), "sub_tasks": [leaf("c", 1), leaf("d", 1)], "task_category": None, "finegrained_task_category": None}
    data = {**leaf("root", 1), "sub_tasks": [leaf("a", 1), inner], "task_category": None}
    path = tmp_path / "rubric.json"
    path.write_text(json.dumps(data))
    tree = load_rubric(path)
    assert {leaf.id: leaf.weight for leaf in rubrics.leaves(tree)} == {"a": 0.25, "c": 0.375, "d": 0.375} and conserved(tree)
    path.write_text(json.dumps(rubrics.dump(tree)))
    assert load_rubric(path) == tree
    for content in ("[]", "{", '{"id": 1}', json.dumps({**data, "sub_tasks": [leaf("a", 0)]})):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"rubric\.json: not a rubric"):
            load_rubric(path)


# ── reproduced ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "tolerance", "within", "difference"),
    [
        ([0.905, 0.905], None, True, 0.005),
        ([0.95, 0.95], None, False, 0.05),
        ([0.92, 0.98], None, True, 0.05),
        ([0.95], 0.05, True, 0.05),
        ([0.96], 0.05, False, 0.06),
        ([0.85, 0.85], None, False, -0.05),
    ],
)
def test_near_enough_is_two_deviations_or_one_per_cent(
    values: list[float], tolerance: float | None, within: bool, difference: float
) -> None:
    spec = MetricSpec(name="accuracy", direction="max", reported=0.9, tolerance=tolerance)
    assert compare(spec, values) == (within, pytest.approx(difference))


def test_nothing_reported_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="accuracy"):
        compare(MetricSpec(name="accuracy", direction="max"), [1.0])
