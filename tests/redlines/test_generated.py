"""What our own ideator proposes on the examples is honest work: no idea and no patch of it may be held up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from autosota import zones
from autosota.agents.ideator import Ideator
from autosota.agents.supervisor import Supervisor
from autosota.records import Case, Commands, Criterion, Environment, Idea, MetricSpec, Patch, Recipe, Rubric, Scalar
from autosota.taskfile import FILE_NAME, load

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINES = {
    "co2-forecast": ("python evaluate.py --seed {seed}", "MASE"),
    "digits-mlp": (None, "accuracy"),
    "digits-mlp-torch": ("python main.py --seed {seed}", "accuracy"),
    "kitchen-sinks": ("python train.py --seed {seed}", "Test accuracy"),
    "noisy-wine": ("python -m noisywine.evaluate --seed {seed}", "Accuracy"),
    "palette": ("python evaluate.py --seed {seed}", "mse"),
}


def example(name: str) -> Case:
    line, metric = LINES[name]
    root = EXAMPLES / name / "repository"
    tree = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    commands, protected = Commands(evaluate=line), ()
    if (root / FILE_NAME).exists():
        given = load(root / FILE_NAME).evaluation
        protected = given.protected
        commands = Commands(
            evaluate=given.command, predict=given.predict, score=given.score, outputs=given.outputs, labels=given.labels,
            metrics=given.metrics,
        )  # fmt: skip
    specs = (MetricSpec(name=metric, direction="max", primary=True),)
    found = zones.find(tree, commands, read=None, protected=protected, free=(), metrics=specs, task_file=FILE_NAME)
    environment = Environment(commit="b", recipe=Recipe(digest="d", python="/p", prefix="/x"), commands=commands, zones=found)
    rubric = Rubric(metrics=specs, tree=Criterion(id="r", requirements="", weight=1))
    return Case(rubric, environment, None, None, tree, {"numpy": "2.1", "scikit-learn": "1.7"})


def draw(idea: Idea, generator: random.Random) -> dict[str, Scalar]:
    setting: dict[str, Scalar] = {}
    for knob in idea.knobs:
        space = knob.space
        low, high = space.low or 0.0, space.high or 0.0
        values = {
            "choice": lambda s=space: generator.choice(s.choices),
            "int": lambda a=low, b=high: generator.randint(int(a), int(b)),
        }
        setting[knob.id] = values[space.kind]() if space.kind in values else generator.uniform(low, high)
    return setting


@pytest.mark.parametrize("name", LINES)
def test_every_generated_idea_and_patch_passes(name: str) -> None:
    case, supervisor, ideator, generator = example(name), Supervisor(), Ideator(), random.Random(name)
    case = Case(case.rubric, case.environment, None, ideator.analyse(case, None), case.tree, case.packages)
    ideas = ideator.propose(case)
    assert ideas
    for idea in ideas:
        assert supervisor.screen_idea(idea, case).status == "cleared", idea
        changes = ideator.write(idea, draw(idea, generator), case.tree)
        verdict = supervisor.screen_patch(Patch(parent="b", commit="c", base="b", changes=tuple(changes)), case)
        assert verdict.status == "cleared", (idea.title, verdict)


@pytest.mark.parametrize(
    ("name", "protected", "free"),
    [("co2-forecast", {"evaluate.py", "src/data.py", "src/metrics.py", "data/co2.csv"}, {"src/ensemble.py"}),
     ("digits-mlp", {"score.py", "mlp/data.py", "data/test_labels.csv", "data/train.npz"},
      {"mlp/network.py", "mlp/training.py", "predict.py"}),
     ("digits-mlp-torch", {"torchmlp/data.py", "data/digits.npz"}, {"torchmlp/model.py"}),
     ("kitchen-sinks", {"kitchensinks/data.py", "kitchensinks/metrics.py"}, {"kitchensinks/model.py", "train.py"}),
     ("noisy-wine", {"noisywine/data.py", "noisywine/evaluate.py", "data/wine.csv"}, {"noisywine/decoder.py"}),
     ("palette", {"palette/images.py", "palette/quality.py"}, {"palette/quantizer.py"})],
)  # fmt: skip
def test_zones_of_the_examples(name: str, protected: set[str], free: set[str]) -> None:
    found = example(name).environment.zones
    assert protected <= set(found.protected)
    assert not free & set(found.protected)
