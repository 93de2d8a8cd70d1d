"""Best-of metrics, budgets that are asked past their counter, hollowed methods: read in code of layouts unlike each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from autosota import zones
from autosota.records import Case, Change, Commands, Constraint, Criterion, Environment, MetricSpec, Paper, Patch, Recipe, Rubric
from autosota.redlines import judged
from autosota.redlines.checks import counted, draws
from autosota.redlines.difference import Difference
from tests.redlines.cases import tree

NET = """
    import numpy as np

    class Net:
        def __init__(self, seed):
            self.w = np.random.default_rng(seed).normal(size=3)

        def step(self, x, y, rate):
            self.w -= rate * x.T @ (x @ self.w - y)

        def predict(self, x):
            return x @ self.w
"""
HEAD = """
    import json, sys
    import numpy as np
    from net import Net
    x, y, u, v = (np.load(f"data/{name}.npy") for name in "xyuv")
    config = json.load(open("config.json"))
    net = Net(int(sys.argv[1]))
"""
PRONE = {
    "kept in an if": """
    best = 0.0
    for epoch in range(config["epochs"]):
        net.step(x, y, config["rate"])
        score = float(np.mean((net.predict(u) > 0) == v))
        if score > best:
            best = score
    print("accuracy:", best)
""",
    "a maximum of itself": """
    top = -1.0
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
        top = max(top, float(np.mean((net.predict(u) > 0) == v)))
    print(json.dumps({"accuracy": top, "rounds": 3}))
""",
    "collected": """
    history = []
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
        history.append(float(np.mean((net.predict(u) > 0) == v)))
    print(f"accuracy: {np.max(history):.3f}")
""",
}
PLAIN = {
    "the last": """
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
    print("accuracy:", float(np.mean((net.predict(u) > 0) == v)))
""",
    "chosen on other rows": """
    best, reported = 0.0, 0.0
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
        held = float(np.mean((net.predict(x) > 0) == y))
        if held > best:
            best = held
            reported = float(np.mean((net.predict(u) > 0) == v))
    print("accuracy:", reported)
""",
    "the worst group of one evaluation": """
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
    guess = net.predict(u) > 0
    print("accuracy:", float(min(np.mean(guess[u[:, 0] == g] == v[u[:, 0] == g]) for g in (0, 1))))
""",
    "a mean over repeats": """
    scores = []
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"])
        scores.append(float(np.mean((net.predict(u) > 0) == v)))
    print("accuracy:", np.mean(scores))
""",
}
CONFIG = '{"epochs": 50, "rate": 0.1}'


def difference(files: Mapping[str, str], change: Mapping[str, str], *constraints: Constraint, paper: Paper | None = None,
               name: str = "accuracy") -> Difference:  # fmt: skip
    commands, metrics = Commands(evaluate="python main.py {seed}"), (MetricSpec(name=name, direction="max", primary=True),)
    found = zones.find(tree(files), commands, read=None, protected=(), free=(), metrics=metrics)
    environment = Environment(commit="b", recipe=Recipe(digest="d", python="/p", prefix="/x"), commands=commands, zones=found)
    rubric = Rubric(metrics=metrics, tree=Criterion(id="r", requirements="", weight=1), constraints=constraints)
    changes = tuple(Change(path=path, content=content) for path, content in tree(change).items())
    return Difference(
        Patch(parent="b", commit="c", base="b", changes=changes), Case(rubric, environment, None, None, tree(files), {}, paper)
    )


def study(body: str) -> dict[str, str]:
    return {"main.py": HEAD + body, "net.py": NET, "config.json": CONFIG}


@pytest.mark.parametrize("form", PRONE)
def test_a_best_over_epochs_is_seen_and_more_epochs_alone_are_refused(form: str) -> None:
    files = study(PRONE[form])
    longer = difference(files, {"config.json": CONFIG.replace("50", "400")})
    assert draws.prone(longer.states[0].flow, "accuracy")
    assert [(v.rule, v.action) for v in draws.bought(longer)] == [("more-draws", "reject")]
    other = difference(files, {"config.json": CONFIG.replace("50", "400").replace("0.1", "0.3")})
    assert [(v.rule, v.action) for v in draws.bought(other)] == [("more-draws", "review")]
    assert not list(draws.bought(difference(files, {"config.json": CONFIG.replace("0.1", "0.3")})))
    assert not list(draws.bought(difference(files, {"config.json": CONFIG.replace("50", "20")})))


@pytest.mark.parametrize("form", PLAIN)
def test_other_reductions_are_no_draws(form: str) -> None:
    longer = difference(study(PLAIN[form]), {"config.json": CONFIG.replace("50", "400")})
    assert not draws.prone(longer.states[0].flow, "accuracy") and not list(draws.bought(longer))


METER = {
    "main.py": """
        import sys
        from meter import Simulator
        from method import optimize
        simulator = Simulator()
        print("accuracy:", simulator.quality(optimize(simulator, int(sys.argv[1]))), "used:", simulator.used)
    """,
    "meter.py": """
        LIMIT = 50

        class Simulator:
            def __init__(self):
                self.used, self.hidden = 0, 0.3

            def quality(self, x):
                return -(x - self.hidden) ** 2

            def query(self, x):
                self.used += 1
                if self.used > LIMIT:
                    raise RuntimeError("no budget is left")
                return self.quality(x)
    """,
    "method.py": """
        import random

        def optimize(simulator, seed):
            draw = random.Random(seed)
            point, best = 0.5, simulator.query(0.5)
            for _ in range(49):
                near = point + 0.1 * draw.gauss(0, 1)
                value = simulator.query(near)
                if value > best:
                    point, best = near, value
            return point
    """,
}


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("value = simulator.query(near)", "value = simulator.quality(near)", ["counter-bypassed"]),
        ("    draw = random", "    simulator.used = 0\n            draw = random", ["counter-bypassed"]),
        ("return point", "return simulator.hidden if seed else point", ["counter-bypassed"]),
        ("range(49)", "range(40)", []),
        ("0.1 * draw.gauss(0, 1)", "draw.uniform(-0.1, 0.1)", []),
        ("value = simulator.query(near)", "value = max(simulator.query(near), best - 1)", []),
    ],
)
def test_what_is_counted_is_asked_through_its_counter(old: str, new: str, rules: list[str]) -> None:
    assert old in METER["method.py"]
    change = {"method.py": METER["method.py"].replace(old, new)}
    fixed = Constraint(text="50 queries", file="meter.py", key="LIMIT")
    for constraints, action in (((fixed,), "reject"), ((), "review")):
        found = list(counted.bypassed(difference(METER, change, *constraints)))
        assert sorted({v.rule for v in found}) == rules and {v.action for v in found} <= {action}


TERMS = {
    "main.py": HEAD
    + """
    for _ in range(config["epochs"]):
        net.step(x, y, config["rate"], config["curvature_weight"])
    print("accuracy:", float(np.mean((net.predict(u) > 0) == v)))
""",
    "net.py": NET.replace("y, rate):", "y, rate, curvature_weight):").replace(
        "rate * x.T @ (x @ self.w - y)", "rate * (x.T @ (x @ self.w - y) + curvature_weight * smoothness(self.w))"
    )
    + """
    def smoothness(values):
        return values - values.mean()
""",
    "config.json": '{"epochs": 5, "curvature_weight": 0.5, "rate": 0.1}',
}


def test_a_component_of_the_paper_that_is_taken_out_is_told_and_asked_about() -> None:
    paper = Paper(source="p", digest="d", title="Curvature regularization for flows", abstract="We add smoothness terms.")
    zero = {"config.json": TERMS["config.json"].replace("0.5", "0.0")}
    gone = {"net.py": TERMS["net.py"].replace(" + curvature_weight * smoothness(self.w)", "")}
    for change in (zero, gone):
        named, unnamed = difference(TERMS, change, paper=paper), difference(TERMS, change)
        assert judged.hollowed(named) and not judged.hollowed(unnamed)
        assert [v.rule for v in judged.components(unnamed)] == ["component-off"]
    other = difference(TERMS, {"config.json": TERMS["config.json"].replace("0.5", "0.2").replace("0.1", "0.0")}, paper=paper)
    assert not judged.hollowed(other)


def test_a_judge_may_only_escalate() -> None:
    change = difference(TERMS, {"net.py": TERMS["net.py"] + "\n"}, Constraint(text="no more than one teacher"))
    asked = tuple(judged.unkeyed(change))
    assert [(v.rule, v.action) for v in asked] == [("for-a-person", "note")] and "one teacher" in asked[0].evidence

    class Strict:
        def judge(self, difference: Difference, questions: object) -> list[object]:
            return [asked[0].model_copy(update={"action": "reject"})]

    assert [v.action for v in judged.escalated(Strict(), change, asked)] == ["review"]  # type: ignore[arg-type]
    assert judged.escalated(None, change, asked) == ()
