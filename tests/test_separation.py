"""Scripts cut where predictions meet the truth, and scripts that rules must leave alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autosota import separation
from autosota.records import MetricSpec
from tests import kit
from tests.e2e.conftest import autosota  # noqa: F401 - a fixture
from tests.kit import CommandLine

ACCURACY = (MetricSpec(name="accuracy", direction="max", primary=True),)
LOADING = """
import csv, sys
import numpy as np

def load(path):
    rows = list(csv.DictReader(open(path)))
    return np.array([[float(row["a"]), float(row["b"])] for row in rows]), np.array([int(row["kind"]) for row in rows])
"""
TRAINING = """
x_train, y_train = load("data/train.csv")
x_test, y_test = load("data/test.csv")
weights = np.zeros(2)
for step in range(50):
    weights += 0.1 * ((y_train - (x_train @ weights > 0)) @ x_train) / len(x_train)
"""
SCORING = """
predicted = (x_test @ weights > 0).astype(int)
accuracy = float(np.mean(predicted == y_test))
print(f"accuracy: {accuracy:.4f}")
"""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())


FORMS = {
    "module": LOADING + TRAINING + SCORING,
    "main": f"{LOADING}\ndef main():\n{indented(TRAINING + SCORING)}\nif __name__ == '__main__':\n    main()\n",
    "guard": f"{LOADING}\nif __name__ == '__main__':\n{indented(TRAINING + SCORING)}",
    "class": LOADING
    + """
class Line:
    def fit(self, x, y):
        self.weights = np.linalg.lstsq(x, 2.0 * y - 1.0, rcond=None)[0]
        return self

    def predict(self, x):
        return (x @ self.weights > 0).astype(int)

x_train, y_train = load("data/train.csv")
x_test, y_test = load("data/test.csv")
model = Line().fit(x_train, y_train)
print("accuracy:", np.mean(model.predict(x_test) == y_test))
""",
}


def data(folder: Path) -> Path:
    generator = __import__("numpy").random.default_rng(3)
    for name, count in (("train", 120), ("test", 80)):
        x = generator.normal(size=(count, 2))
        y = (x[:, 0] - x[:, 1] + 0.4 * generator.normal(size=count) > 0).astype(int)
        rows = "\n".join(f"{a:.4f},{b:.4f},{kind}" for (a, b), kind in zip(x, y, strict=True))
        kit.write(folder / "data", {f"{name}.csv": f"a,b,kind\n{rows}\n"})
    return folder


def ran(folder: Path, script: str, **variables: str) -> str:
    done = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=True, env=variables)
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_both_halves_say_what_the_whole_said(form: str, tmp_path: Path) -> None:
    found = separation.cut({"run.py": FORMS[form].encode()}, "python run.py", ACCURACY)
    folder = data(tmp_path / "tree")
    kit.write(folder, {"run.py": FORMS[form], **found.files})
    whole = ran(folder, "run.py")
    crossed = str(tmp_path)
    assert ran(folder, found.predict, PREDICTIONS=crossed) == ""
    assert ran(folder, found.score, PREDICTIONS=crossed) == whole
    assert whole.startswith("accuracy:")
    score = ast.unparse(ast.parse(found.files[found.score]))
    assert "data/test.csv" in score and "data/train.csv" not in score


@pytest.mark.parametrize(
    "code, words",
    [
        ("print('accuracy:', 0.5)\n", "rules do not see"),
        (LOADING + TRAINING.replace("for step", "print('accuracy:', 0.1)\nfor step"), "rules do not see"),
        (LOADING + "from helpers import report\nx, y = load('data/test.csv')\nreport(x, y)\n", "does not report"),
        (
            LOADING + TRAINING + "for part in range(3):\n    weights = weights.copy()\n    weights += part\n"
            "    print('accuracy:', np.mean((x_test @ weights > 0) == y_test))\n",
            "goes on",
        ),
    ],
    ids=["nothing-made", "no-score", "elsewhere", "alternating"],
)  # fmt: skip
def test_what_rules_cannot_cut_says_where(code: str, words: str) -> None:
    helpers = b"def report(x, y):\n    print('accuracy:', (x[:, 0] > 0).mean())\n"
    with pytest.raises(separation.Inseparable, match=words):
        separation.cut({"run.py": code.encode(), "helpers.py": helpers}, "python run.py", ACCURACY)


def test_a_proposal_is_sealed_and_measures_the_same(autosota: CommandLine) -> None:  # noqa: F811
    folder = data(autosota.folder / "repository")
    kit.write(folder, {"run.py": FORMS["main"]})
    before = kit.contents(folder)
    options = ("--python", sys.executable, "--eval", "python run.py", "--metric", "accuracy:max", "--json")
    found = autosota.run("split", folder, *options).finished()
    assert kit.contents(folder) == before
    assert (found["labels"], found["blanked"]) == (["data/test.csv"], {"data/test.csv": "kind"})
    proposal = Path(found["path"])
    kinds = {line.rsplit(",", 1)[1] for line in (proposal / "inputs/data/test.csv").read_text().splitlines()[1:]}
    assert len(kinds) == 1
    patch = proposal.with_name("none.patch")
    patch.write_text("")
    static = autosota.run("audit", "--static", "--task", proposal / "autosota.toml", "--candidate", patch, "--json")
    assert static.finished()["assurance"] == "sealed"
    assert json.dumps(found["values"]["accuracy"]) != "[]"
    autosota.run("split", folder, *options).failed(2, "exists", "--out")
