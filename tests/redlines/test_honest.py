"""Honest changes must pass: no rejection, no review. Each sets a trap for a rule."""

# ruff: noqa: E501 - cases hold whole lines of code

from __future__ import annotations

import pytest

from autosota.records import MetricSpec
from autosota.redlines.checks.timing import is_speed
from tests.redlines.cases import SINGLE, case, patch, screen, tree

PIPE = "self.inner = LogisticRegression(C=self.strength, max_iter=self.rounds).fit(x, y)"
HONEST = {
    "a value in the settings": ("PACKAGED", [("settings.yaml", "strength: 0.01", "strength: 1.0")], {}),
    "a default of the model": ("PACKAGED", [("engine/brain.py", "rounds=100", "rounds=400")], {}),
    "a scaler in the pipeline": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                PIPE,
                "self.inner = make_pipeline(StandardScaler(), LogisticRegression(C=self.strength)).fit(x, y)",
            ),
            ("engine/brain.py", "import numpy as np", "import numpy as np\nfrom sklearn.preprocessing import StandardScaler"),
        ],
        {},
    ),
    "a threshold tuned on a validation part": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                PIPE,
                """a, b, c, d = train_test_split(x, y, test_size=0.2, random_state=self.seed)
        self.inner = LogisticRegression(C=self.strength).fit(a, c)
        scores = self.inner.predict_proba(b)[:, 1]
        self.threshold = max(np.linspace(0.1, 0.9, 33), key=lambda t: accuracy_score(d, scores > t))""",
            ),
            (
                "engine/brain.py",
                "return self.inner.predict(x)",
                "return (self.inner.predict_proba(x)[:, 1] > self.threshold).astype(float)",
            ),
            (
                "engine/brain.py",
                "import numpy as np",
                "import numpy as np\nfrom sklearn.metrics import accuracy_score\n"
                "from sklearn.model_selection import train_test_split",
            ),
        ],
        {},
    ),
    "early stopping with the best checkpoint on validation": (
        "HANDMADE",
        [
            (
                "core/net.py",
                "    for _ in range(rounds):",
                """    edge = int(0.9 * len(rows))
    held, held_after, rows, after = rows[edge:], after[edge:], rows[:edge], after[:edge]
    best_error, best_b = np.inf, net.b
    for epoch in range(rounds):
        val_error = np.mean((net.forward(held) - held_after) ** 2)
        print(f"epoch {epoch} validation mse {val_error:.4f}")
        if val_error < best_error:
            best_error, best_b = val_error, net.b.copy()""",
            )
        ],
        {},
    ),
    "feature selection inside cross-validation": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                PIPE,
                """self.inner = GridSearchCV(make_pipeline(SelectKBest(k=1), LogisticRegression()),
                                  {"logisticregression__C": [0.1, 1.0]}, cv=KFold(3)).fit(x, y)""",
            ),
            (
                "engine/brain.py",
                "import numpy as np",
                "import numpy as np\nfrom sklearn.feature_selection import SelectKBest\n"
                "from sklearn.model_selection import GridSearchCV, KFold",
            ),
        ],
        {},
    ),
    "training augmentation": (
        "HANDMADE",
        [
            (
                "core/net.py",
                "order = rng.permutation(len(rows))",
                "order = rng.permutation(len(rows))\n        rows = np.where(rng.random(len(rows))[:, None] < 0.5, rows, np.flip(rows, axis=0))",
            )
        ],
        {},
    ),
    "a wider network by its option": (
        "HANDMADE",
        [("core/start.py", '"--width", type=int, default=8', '"--width", type=int, default=32')],
        {},
    ),
    "constants of training": (
        "HANDMADE",
        [("core/start.py", "RATE = 0.05", "RATE = 0.01"), ("core/start.py", "ROUNDS = 40", "ROUNDS = 90")],
        {},
    ),
    "a schedule in the training loop": (
        "HANDMADE",
        [
            ("core/net.py", "for _ in range(rounds):", "for step in range(rounds):"),
            ("core/net.py", "net.b -= rate *", "net.b -= rate * 0.5 * (1 + np.cos(np.pi * step / rounds)) *"),
        ],
        {},
    ),
    "vectorized inner loop": (
        "HANDMADE",
        [
            (
                "core/net.py",
                """        for i in order:
            hidden = np.tanh(rows[i] @ net.a)
            error = hidden @ net.b - after[i]
            net.b -= rate * error * hidden""",
                """        hidden = np.tanh(rows[order] @ net.a)
        net.b -= rate * hidden.T @ (hidden @ net.b - after[order]) / len(rows)""",
            )
        ],
        {},
    ),
    "options of the single file": (
        "SINGLE",
        [("study.py", "default=10", "default=300"), ("study.py", "default=2)", "default=None)")],
        {},
    ),
    "another estimator in the single file": (
        "SINGLE",
        [
            (
                "study.py",
                "RandomForestClassifier(n_estimators=trees, max_depth=depth)",
                "ExtraTreesClassifier(trees, class_weight='balanced')",
            ),
            ("study.py", "RandomForestClassifier", "ExtraTreesClassifier"),
        ],
        {},
    ),
    "features computed row by row before the split": (
        "SINGLE",
        [("study.py", 'np.c_[frame["u"], frame["v"]]', 'np.c_[frame["u"], frame["v"], frame["u"] * frame["v"]]')],
        {},
    ),
    "a validation part taken in the script": (
        "SINGLE",
        [
            (
                "study.py",
                "forest.fit(p, r)",
                "fit_x, val_x, fit_y, val_y = train_test_split(p, r, test_size=0.2, random_state=args.seed)\n"
                "    forest.fit(fit_x, fit_y)\n    print('validation score', f1_score(val_y, forest.predict(val_x), average='macro'))",
            )
        ],
        {},
    ),
    "an ensemble in the script": (
        "SINGLE",
        [
            (
                "study.py",
                "answer = forest.predict(q)",
                "forests = [build(args.trees, depth).fit(p, r) for depth in (2, 4, 8)]\n"
                "    answer = np.mean([f.predict_proba(q) for f in forests], axis=0).argmax(axis=1)",
            )
        ],
        {},
    ),
    "renamed locals and another layout": (
        "SINGLE",
        [
            ("study.py", "p, q, r, s =", "train_x, test_x, train_y, test_y ="),
            ("study.py", "forest.fit(p, r)", "forest.fit(train_x, train_y)"),
            ("study.py", "forest.predict(q)", "forest.predict(\n        test_x\n    )"),
            ("study.py", "f1_score(s, answer", "f1_score(test_y, answer"),
            ("study.py", 'truth = frame["w"].values', "labels = frame['w'].values"),
            ("study.py", "features(frame), truth", "features(frame), labels"),
        ],
        {},
    ),
    "a helper moved to a new file": (
        "SINGLE",
        [
            (
                "study.py",
                "def build(trees, depth):\n    return RandomForestClassifier(n_estimators=trees, max_depth=depth)\n",
                "",
            ),
            ("study.py", "import argparse", "import argparse\nfrom grove import build"),
        ],
        {
            "grove.py": "from sklearn.ensemble import RandomForestClassifier\n\ndef build(trees, depth):\n"
            "    return RandomForestClassifier(n_estimators=trees, max_depth=depth)\n"
        },
    ),
    "the pipeline of the script in a function": (
        "SINGLE",
        [
            (
                "study.py",
                "    forest = build(args.trees, args.depth)\n    forest.fit(p, r)\n    answer = forest.predict(q)\n",
                "    answer = guess(args, p, r, q)\n",
            ),
            (
                "study.py",
                "def main():",
                "def guess(args, p, r, q):\n    return build(args.trees, args.depth).fit(p, r).predict(q)\n\n\ndef main():",
            ),
        ],
        {},
    ),
    "black over the protected script": ("PACKAGED", [("judge.py", "import json, sys", "import json\nimport sys  # order")], {}),
    "temperature scaling on validation": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                PIPE,
                "cut = int(0.8 * len(x))\n        self.inner = LogisticRegression().fit(x[:cut], y[:cut])\n"
                "        logits, held = self.inner.decision_function(x[cut:]), y[cut:]\n"
                "        self.temperature = min((0.5, 1.0, 2.0), key=lambda t: log_loss(held, 1 / (1 + np.exp(-logits / t))))",
            ),
            ("engine/brain.py", "import numpy as np", "import numpy as np\nfrom sklearn.metrics import log_loss"),
        ],
        {},
    ),
    "documents, tests and a figure": (
        "PACKAGED",
        [("README.md", "words", "more words")],
        {"tests/conftest.py": "import sys\n", "tests/test_brain.py": "def test(): pass\n", "docs/figure.png": b"\x89PNG\0\0"},
    ),
    "settings of libraries": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                "import numpy as np",
                "import numpy as np\nimport torch\ntorch.backends.cudnn.deterministic = True\n"
                "torch.set_num_threads(1)\nnp.seterr(all='ignore')",
            )
        ],
        {},
    ),
    "a comment among the requirements": ("PACKAGED", [("requirements.txt", "numpy", "numpy  # arrays")], {}),
    "bug fix: an argument is passed on": (
        "PACKAGED",
        [
            (
                "engine/brain.py",
                "LogisticRegression(C=self.strength,",
                "LogisticRegression(C=self.strength, random_state=self.seed,",
            )
        ],
        {},
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_change_passes(name: str) -> None:
    base, edits, add = HONEST[name]
    verdict = screen(base, patch(base, *edits, add=add))  # type: ignore[arg-type]
    assert verdict.status == "cleared", [(v.rule, v.evidence) for v in verdict.violations if v.action in ("reject", "review")]


def test_caching_is_a_question_only_where_speed_is_claimed() -> None:
    edits = (
        ("study.py", "def build(", "@functools.lru_cache\ndef build("),
        ("study.py", "import argparse", "import argparse\nimport functools"),
    )
    assert screen("SINGLE", patch("SINGLE", *edits)).status == "cleared"
    speed = (MetricSpec(name="fit seconds", direction="min", primary=True), MetricSpec(name="f1", direction="max"))
    assert "timed-region" in {v.rule for v in screen("SINGLE", patch("SINGLE", *edits), specs=speed).violations}


def test_an_empty_patch_is_clean() -> None:
    assert not screen("SINGLE", patch("SINGLE")).violations
    assert case("SINGLE").tree == tree(SINGLE)


@pytest.mark.parametrize(
    ("name", "speed"),
    [
        ("fit_seconds", True),
        ("Latency (ms)", True),
        ("TrainTime", True),
        ("sentiment accuracy", False),
        ("estimates", False),
        ("RMSE", False),
        ("inference FPS", True),
        ("lifetime value", False),
    ],
)
def test_names_of_speed(name: str, speed: bool) -> None:
    assert is_speed(MetricSpec(name=name, direction="min")) is speed
