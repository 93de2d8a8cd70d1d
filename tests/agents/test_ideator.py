"""The ideator's library: enough ideas, each with what it needs, the same ids whenever it is made again."""

import dataclasses

import pytest

from autosota.agents.ideator import LARGEST_GROUP, Ideator
from autosota.errors import UsageError
from autosota.records import (
    Case,
    Commands,
    Constraint,
    Criterion,
    Environment,
    Experiment,
    Idea,
    MetricSpec,
    Recipe,
    Rubric,
    Zones,
)

TRAIN = b'''"""Trains a classifier."""

import argparse

import yaml
from sklearn.linear_model import LogisticRegression, SGDClassifier


def build(config, args):
    if config["kind"] == "sgd":
        return SGDClassifier(alpha=args.alpha, max_iter=config["epochs"])
    return LogisticRegression(C=args.strength)


def network(config):
    rate, momentum = config["learning_rate"], config["momentum"]
    return rate, momentum, config["batch_size"], config["hidden"], config["dropout"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--strength", type=float, default=1.0)
    args = parser.parse_args()
    print(build(yaml.safe_load(open("config.yaml")), args))
'''
CONFIG = b"kind: sgd\nepochs: 20\nbatch_size: 32\nlearning_rate: 0.1  # first\nhidden: 64\ndropout: 0.2\nmomentum: 0.9\n"


def case(tree=None, metric="accuracy", **zones):
    spec = MetricSpec(name=metric, direction="max", primary=True)
    return Case(
        rubric=Rubric(
            metrics=(spec,),
            tree=Criterion(id="root", requirements="", weight=1.0),
            constraints=(Constraint(text="64 hidden units", file="config.yaml", key="hidden"),),
        ),
        environment=Environment(
            commit="0" * 40,
            recipe=Recipe(digest="", python="", prefix=""),
            commands=Commands(evaluate="python train.py"),
            zones=Zones.model_validate({"protected": ("score.py",), "reached": ("train.py", "config.yaml"), **zones}),
        ),
        baseline=None,
        analysis=None,
        tree=tree or {"train.py": TRAIN, "config.yaml": CONFIG, "score.py": b"THRESHOLD = 0.5\n"},
    )


def analysed(**options):
    made = case(**options)
    return dataclasses.replace(made, analysis=Ideator().analyse(made, None))


def tried(idea, status="not_improved", number=1):
    return Experiment(number=number, parent=0, idea=idea.id, title="", level=idea.level, step=number, status=status, commit=None)


def test_the_analysis_says_what_is_reached():
    analysis = analysed().analysis
    assert {"alpha", "strength", "epochs", "learning_rate"} <= {knob.name for knob in analysis.knobs}
    assert "hidden" not in {knob.name for knob in analysis.knobs}
    assert "scale_features" in {site.lever for site in analysis.sites}
    for words in ("`train.py` (entry point)", "LogisticRegression", "sklearn", "**accuracy** (higher is better)"):
        assert words in analysis.summary
    assert analysis.constraints[0].key == "hidden"
    assert analysis.estimate_seconds is None


def test_ten_ideas_of_all_levels_without_doubles():
    ideas = Ideator().propose(analysed())
    assert len(ideas) >= 10
    assert {idea.level for idea in ideas} == {"PARAM", "CODE", "ALGO"}
    assert len({idea.id for idea in ideas}) == len(ideas)
    spaces = [frozenset(knob.id for knob in idea.knobs) for idea in ideas if idea.level == "PARAM"]
    assert len(set(spaces)) == len(spaces)
    for idea in ideas:
        assert idea.rationale
        assert 0 < idea.priority <= 1
        assert (len(idea.knobs) in range(1, LARGEST_GROUP + 1)) == (idea.level == "PARAM")
        assert (idea.site is not None) == (idea.level != "PARAM")
    assert [idea.priority for idea in ideas] == sorted((idea.priority for idea in ideas), reverse=True)


def test_a_cheap_structural_fix_comes_first_then_what_matters_most():
    ideas = Ideator().propose(analysed())
    assert ideas[0].source == "lever:scale_features"
    first = next(idea for idea in ideas if idea.level == "PARAM")
    assert "most important" in first.title
    assert len(first.knobs) > 1


def test_levers_for_another_metric_are_left_out():
    assert "lever:class_weight" not in {idea.source for idea in Ideator().propose(analysed())}
    assert "lever:class_weight" in {idea.source for idea in Ideator().propose(analysed(metric="balanced accuracy"))}


def test_ids_are_the_same_again_and_survive_edits_elsewhere():
    made = analysed()
    moved = {**made.tree, "train.py": TRAIN.replace(b'"""Trains a classifier."""', b'"""Trains."""\n\n# a comment\n')}
    first = {idea.id for idea in Ideator().propose(made)}
    assert first == {idea.id for idea in Ideator().propose(analysed())}
    assert first == {idea.id for idea in Ideator().propose(made, (), moved)}


def test_after_a_lever_its_idea_is_gone_and_the_rest_keeps_its_name():
    made = analysed()
    before = Ideator().propose(made)
    (change,) = Ideator().write(before[0], {}, made.tree)
    later = Ideator().propose(made, (tried(before[0], "improved"),), {**made.tree, change.path: change.content})
    assert before[0].id not in {idea.id for idea in later}
    assert {idea.id for idea in before if idea.level == "PARAM"} <= {idea.id for idea in later}
    knob = next(knob for idea in later for knob in idea.knobs if knob.name == "strength")
    assert knob.line > next(knob for idea in before for knob in idea.knobs if knob.name == "strength").line


def test_a_later_state_brings_new_knobs_and_loses_dead_ones():
    made = analysed()
    tree = {
        **made.tree,
        "config.yaml": CONFIG.replace(b"dropout: 0.2\n", b"weight_decay: 0.01\n"),
        "train.py": TRAIN.replace(b'config["dropout"]', b'config["weight_decay"]'),
    }
    names = {knob.name for idea in Ideator().propose(made, (), tree) for knob in idea.knobs}
    assert "weight_decay" in names
    assert "dropout" not in names


def test_writing_a_search_setting_keeps_comments():
    made = analysed()
    idea = next(idea for idea in Ideator().propose(made) if any(knob.name == "learning_rate" for knob in idea.knobs))
    knob = next(knob for knob in idea.knobs if knob.name == "learning_rate")
    (change,) = Ideator().write(idea, {knob.id: 0.03}, made.tree)
    assert b"learning_rate: 0.03  # first\n" in change.content


def test_an_idea_without_a_lever_needs_a_coder():
    idea = Idea(id="x", title="x", level="CODE", scope="meso", risk="low", priority=0.5, rationale="", source="person")
    with pytest.raises(UsageError):
        Ideator().write(idea, {}, {})


def test_protected_files_offer_nothing():
    ideas = Ideator().propose(analysed(protected=("train.py", "config.yaml", "score.py")))
    assert ideas == ()
