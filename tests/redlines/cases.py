"""Base repositories and the means to change them, for tests of the static rules. Layouts differ; names are unlike each other."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from autosota import zones
from autosota.agents.supervisor import Supervisor
from autosota.records import (
    Case,
    Change,
    Commands,
    Constraint,
    Criterion,
    Environment,
    MetricSpec,
    Patch,
    Recipe,
    Rubric,
    Verdict,
)

Files = dict[str, str]

PACKAGED: Files = {
    "judge.py": """
        import json, sys
        import yaml
        from sklearn.metrics import accuracy_score, log_loss
        from engine.rows import fetch
        from engine.brain import assemble

        def main():
            settings = yaml.safe_load(open("settings.yaml"))
            seed = int(sys.argv[1])
            a, b, c, d = fetch(settings["rows"]["held"], seed)
            brain = assemble(settings["brain"], seed)
            brain.fit(a, c)
            guess = brain.predict(b)
            print(json.dumps({"accuracy": accuracy_score(d, guess), "log_loss": log_loss(d, brain.predict_proba(b))}))

        main()
    """,
    "engine/__init__.py": "",
    "engine/rows.py": """
        import numpy as np
        from sklearn.model_selection import train_test_split

        def fetch(held, seed):
            table = np.loadtxt("table/rows.csv", delimiter=",")
            return train_test_split(table[:, :-1], table[:, -1], test_size=held, random_state=seed)
    """,
    "engine/brain.py": """
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        class Brain:
            def __init__(self, strength=1.0, rounds=100, seed=0):
                self.strength, self.rounds, self.seed = strength, rounds, seed

            def fit(self, x, y):
                self.inner = LogisticRegression(C=self.strength, max_iter=self.rounds).fit(x, y)
                return self

            def predict_proba(self, x):
                return self.inner.predict_proba(x)

            def predict(self, x):
                return self.inner.predict(x)

        def assemble(settings, seed):
            return Brain(strength=settings["strength"], rounds=settings["rounds"], seed=seed)
    """,
    "settings.yaml": """
        rows:
          held: 0.3
        brain:
          strength: 0.01
          rounds: 20
        seeds: [1, 2, 3]
        topk: 10
    """,
    "requirements.txt": "numpy\nscikit-learn\n",
    "table/rows.csv": "1,2,0\n3,4,1\n",
    "README.md": "words",
}

SINGLE: Files = {
    "study.py": """
        import argparse
        import numpy as np
        import pandas as pd
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.metrics import f1_score
        from sklearn.model_selection import train_test_split

        def features(frame):
            return np.c_[frame["u"], frame["v"]]

        def build(trees, depth):
            return RandomForestClassifier(n_estimators=trees, max_depth=depth)

        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--trees", type=int, default=10)
            parser.add_argument("--depth", type=int, default=2)
            parser.add_argument("--seed", type=int, default=0)
            args = parser.parse_args()
            np.random.seed(args.seed)
            frame = pd.read_csv("info.csv")
            truth = frame["w"].values
            p, q, r, s = train_test_split(features(frame), truth, test_size=0.25, random_state=args.seed)
            forest = build(args.trees, args.depth)
            forest.fit(p, r)
            answer = forest.predict(q)
            print("f1:", f1_score(s, answer, average="macro"))

        if __name__ == "__main__":
            main()
    """,
    "info.csv": "u,v,w\n1,2,0\n",
}

HANDMADE: Files = {
    "run.sh": "#!/bin/sh\npython -m core.start --seed $1\n",
    "core/__init__.py": "",
    "core/start.py": """
        import argparse
        import numpy as np
        from core.wave import series, cut
        from core.net import Net, learn

        RATE = 0.05
        ROUNDS = 40

        def mse(a, b):
            return float(np.mean((a - b) ** 2))

        def start():
            parser = argparse.ArgumentParser()
            parser.add_argument("--seed", type=int, default=0)
            parser.add_argument("--context", type=int, default=16)
            parser.add_argument("--width", type=int, default=8)
            args = parser.parse_args()
            rng = np.random.default_rng(args.seed)
            x, y, u, v = cut(series(2000), args.context)
            net = Net(args.context, args.width, rng)
            learn(net, x, y, RATE, ROUNDS, rng)
            out = net.forward(u)
            print(f"MSE: {mse(out, v):.5f}")

        start()
    """,
    "core/wave.py": """
        import numpy as np

        def series(length):
            t = np.arange(length)
            return np.sin(t / 9.0) + 0.1 * np.random.default_rng(3).normal(size=length)

        def cut(values, context):
            rows = np.stack([values[i : i + context] for i in range(len(values) - context)])
            after = values[context:]
            edge = int(0.7 * len(rows))
            return rows[:edge], after[:edge], rows[edge:], after[edge:]
    """,
    "core/net.py": """
        import numpy as np

        class Net:
            def __init__(self, context, width, rng):
                self.a = rng.normal(size=(context, width)) / context
                self.b = np.zeros(width)

            def forward(self, rows):
                return np.tanh(rows @ self.a) @ self.b

        def learn(net, rows, after, rate, rounds, rng):
            for _ in range(rounds):
                order = rng.permutation(len(rows))
                for i in order:
                    hidden = np.tanh(rows[i] @ net.a)
                    error = hidden @ net.b - after[i]
                    net.b -= rate * error * hidden
    """,
}

LINES = {
    "PACKAGED": (PACKAGED, "python judge.py {seed}", ("accuracy", "log_loss")),
    "SINGLE": (SINGLE, "python study.py --seed {seed}", ("f1",)),
    "HANDMADE": (HANDMADE, "bash run.sh {seed}", ("MSE",)),
}
PACKAGES = {"numpy": "2.0", "scikit-learn": "1.5", "pandas": "2.0", "PyYAML": "6.0"}


def tree(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: dedent(text).encode() for path, text in files.items()}


def case(base: str, *, constraints: tuple[Constraint, ...] = (), specs: tuple[MetricSpec, ...] = ()) -> Case:
    """The base with zones found by analysis, as a run would."""
    files, line, names = LINES[base]
    smaller = ("loss", "mse")
    metrics = specs or tuple(
        MetricSpec(name=name, direction="min" if name.lower().endswith(smaller) else "max", primary=index == 0)
        for index, name in enumerate(names)
    )
    commands = Commands(evaluate=line)
    found = zones.find(tree(files), commands, read=None, protected=(), free=(), metrics=metrics)
    environment = Environment(commit="b", recipe=Recipe(digest="d", python="/p", prefix="/x"), commands=commands, zones=found)
    rubric = Rubric(metrics=metrics, tree=Criterion(id="r", requirements="", weight=1), constraints=constraints)
    return Case(rubric, environment, None, None, tree(files), PACKAGES)


def patch(base: str, *edits: tuple[str, str, str], add: Mapping[str, str | bytes] | None = None, drop: tuple[str, ...] = (),
          links: Mapping[str, str] | None = None, modes: tuple[str, ...] = ()) -> Patch:  # fmt: skip
    """A patch from edits (path, old, new); every old text must be there."""
    files = {path: dedent(text) for path, text in LINES[base][0].items()}
    changed: dict[str, Change] = {}
    for path, old, new in edits:
        assert old in files[path], f"{old!r} is not in {path}"
        files[path] = files[path].replace(old, new)
        changed[path] = Change(path=path, content=files[path].encode())
    for path, content in (add or {}).items():
        changed[path] = Change(path=path, content=dedent(content).encode() if isinstance(content, str) else content)
    for path in drop:
        changed[path] = Change(path=path, content=None)
    for path, target in (links or {}).items():
        changed[path] = Change(path=path, content=target.encode(), mode="120000")
    for path in modes:
        changed[path] = Change(path=path, content=files[path].encode(), mode="100755")
    return Patch(parent="b", commit="c", base="b", changes=tuple(changed.values()))


def screen(base: str, change: Patch, **options: object) -> Verdict:
    return Supervisor().screen_patch(change, case(base, **options))  # type: ignore[arg-type]
