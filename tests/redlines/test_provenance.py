"""Test rows that come back from helpers, and honest uses of the same: followed through tuples, dicts, objects, modules, loaders."""

# ruff: noqa: E501 - cases hold whole lines of code

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from autosota import zones
from autosota.agents.supervisor import Supervisor
from autosota.records import Case, Change, Commands, Criterion, Environment, MetricSpec, Patch, Recipe, Rubric, Verdict

LOAD = """
import numpy as np
from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from sklearn.model_selection import train_test_split
from sklearn.datasets import load_iris

Quad = namedtuple("Quad", "xa xb ya yb")

@dataclass
class Box:
    xa: object
    xb: object
    ya: object
    yb: object

class Store:
    def __init__(self, seed):
        rows, marks = load_iris(return_X_y=True)
        self.xa, self.xb, self.ya, self.yb = train_test_split(rows, marks, test_size=0.3, random_state=seed)

    def learn_part(self):
        return self.xa, self.ya

    def last_part(self):
        return self.xb, self.yb

def get(seed):
    rows, marks = load_iris(return_X_y=True)
    return train_test_split(rows, marks, test_size=0.3, random_state=seed)

def get_dict(seed):
    a, b, c, d = get(seed)
    return {"first": (a, c), "second": (b, d)}

def get_quad(seed):
    return Quad(*get(seed))

def get_box(seed):
    a, b, c, d = get(seed)
    return Box(a, b, c, d)

def get_cut(seed):
    rows, marks = load_iris(return_X_y=True)
    cut = int(0.7 * len(rows))
    return rows[:cut], marks[:cut], rows[cut:], marks[cut:]
"""
FORMS = {
    "tuple": ("from pkg.source import get", "xa, xb, ya, yb = get(seed)"),
    "dict": ("from pkg.source import get_dict", 'parts = get_dict(seed)\nxa, ya = parts["first"]\nxb, yb = parts["second"]'),
    "namedtuple": ("from pkg.source import get_quad", "q = get_quad(seed)\nxa, xb, ya, yb = q.xa, q.xb, q.ya, q.yb"),
    "dataclass": ("import pkg.source as source", "q = source.get_box(seed)\nxa, xb, ya, yb = q.xa, q.xb, q.ya, q.yb"),
    "object": ("from pkg.source import Store", "s = Store(seed)\nxa, ya = s.learn_part()\nxb, yb = s.last_part()"),
    "slices": ("from pkg import source", "xa, ya, xb, yb = source.get_cut(seed)"),
}
HONEST = {
    "plain": "model.fit(xa, ya)",
    "validation": "u, v, w, z = train_test_split(xa, ya, test_size=0.2, random_state=seed)\nbest = max((0.1, 1.0), key=lambda c: build(c).fit(u, w).score(v, z))\nmodel = build(best).fit(xa, ya)",
    "scaled": "scaler = StandardScaler().fit(xa)\nxa, xb = scaler.transform(xa), scaler.transform(xb)\nmodel.fit(xa, ya)",
    "ensemble": "models = [build(c).fit(xa, ya) for c in (0.1, 1.0)]\nmodel = models[0]",
    "halves": "model.fit(np.concatenate([xa[:20], xa[20:]]), np.concatenate([ya[:20], ya[20:]]))",
    "augmented": "noisy = xa + 0.01 * np.random.default_rng(seed).normal(size=xa.shape)\nmodel.fit(np.vstack([xa, noisy]), np.hstack([ya, ya]))",
    "folds": "scores = []\nfor i, j in KFold(3).split(xa):\n    scores.append(build(1.0).fit(xa[i], ya[i]).score(xa[j], ya[j]))\nmodel.fit(xa, ya)",
    "held slice": "k = int(0.8 * len(xa))\nbest, top = None, -1\nfor c in (0.1, 1.0):\n    m = build(c).fit(xa[:k], ya[:k])\n    s = m.score(xa[k:], ya[k:])\n    if s > top:\n        best, top = m, s\nmodel = best",
    "looped": "for start in range(0, len(xa), 10):\n    model.partial_fit(xa[start:start + 10], ya[start:start + 10], classes=[0, 1, 2])",
    "logged": "model.fit(xa, ya)\nprint('rows', len(xb), xb.shape)",
}  # fmt: skip
CHEATS = {
    "test part": "model.fit(xb, yb)",
    "both": "model.fit(np.concatenate([xa, xb]), np.concatenate([ya, yb]))",
    "stacked": "model.fit(np.vstack((xa, xb)), np.hstack((ya, yb)))",
    "lists": "model.fit(list(xa) + list(xb), list(ya) + list(yb))",
    "alias": "more, marks = xb, yb\nmodel.fit(more, marks)",
    "starred": "pair = (xb, yb)\nmodel.fit(*pair)",
    "keywords": "model.fit(**{'X': xb, 'y': yb})",
    "partial": "from functools import partial\nlearn = partial(model.fit, xb)\nlearn(yb)",
    "gathered": "pool = []\nfor a, b in ((xa, ya), (xb, yb)):\n    pool.append((a, b))\nfor a, b in pool:\n    model.fit(a, b)",
    "comprehension": "rows = [r for part in (xa, xb) for r in part]\nmarks = [m for part in (ya, yb) for m in part]\nmodel.fit(rows, marks)",
    "helper": "def learn(m, rows, marks):\n    return m.fit(rows, marks)\nlearn(model, xb, yb)",
    "by name": "getattr(model, 'fit')(xb, yb)",
    "few rows": "model.fit(np.append(xa, xb[:30], axis=0), np.append(ya, yb[:30]))",
    "later": "model.fit(xa, ya)\nmodel.partial_fit(xb, yb)",
    "chosen": "models = [build(c).fit(xa, ya) for c in (0.1, 1.0)]\nmodel = max(models, key=lambda m: (m.predict(xb) == yb).mean())",
    "kept": "top = -1\nfor c in (0.1, 1.0):\n    m = build(c).fit(xa, ya)\n    right = (m.predict(xb) == yb).mean()\n    if right > top:\n        top, model = right, m",
    "index": "models = [build(c).fit(xa, ya) for c in (0.1, 1.0)]\nmodel = models[int(np.argmax([(m.predict(xb) == yb).mean() for m in models]))]",
    "scaled on it": "scaler = StandardScaler().fit(xb)\nxa, xb = scaler.transform(xa), scaler.transform(xb)\nmodel.fit(xa, ya)",
    "state": "class Keep:\n    pass\nk = Keep()\nk.rows, k.marks = xb, yb\nmodel.fit(k.rows, k.marks)",
    "dict": "bag = {}\nbag['r'] = xb\nbag['m'] = yb\nmodel.fit(bag['r'], bag['m'])",
    "closure": "def rows():\n    return xb, yb\nmodel.fit(*rows())",
    "zip": "pairs = list(zip(xb, yb))\nmodel.fit([a for a, _ in pairs], [b for _, b in pairs])",
}  # fmt: skip
TRAIN = """
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import StandardScaler
{imports}

def build(c):
    return SGDClassifier(alpha=0.01 / c)

def run(seed):
{split}
    model = build(1.0)
{body}
    return model, xb, yb
"""
MAIN = """
import sys
from sklearn.metrics import accuracy_score
from pkg.train import run

model, rows, marks = run(int(sys.argv[1]))
print("accuracy:", accuracy_score(marks, model.predict(rows)))
"""


def screen(form: str, body: str) -> Verdict:
    imports, split = FORMS[form]

    def source(inner: str) -> bytes:
        return TRAIN.format(imports=imports, split=indent(split, "    "), body=indent(inner, "    ")).encode()

    tree = {
        "main.py": MAIN.encode(),
        "pkg/__init__.py": b"",
        "pkg/source.py": LOAD.encode(),
        "pkg/train.py": source(HONEST["plain"]),
    }
    metrics = (MetricSpec(name="accuracy", direction="max", primary=True),)
    commands = Commands(evaluate="python main.py {seed}")
    found = zones.find(tree, commands, read=None, protected=(), free=(), metrics=metrics)
    environment = Environment(commit="b", recipe=Recipe(digest="d", python="/p", prefix="/x"), commands=commands, zones=found)
    case = Case(Rubric(metrics=metrics, tree=Criterion(id="r", requirements="", weight=1)), environment, None, None, tree, {})
    change = Change(path="pkg/train.py", content=source(dedent(body)))
    return Supervisor().screen_patch(Patch(parent="b", commit="c", base="b", changes=(change,)), case)


def pairs(names: dict[str, str], step: int) -> list[tuple[str, str]]:
    """Every name with one form, so that all forms occur."""
    forms = list(FORMS)
    return [(forms[(index * step) % len(forms)], name) for index, name in enumerate(names)]


@pytest.mark.parametrize(("form", "name"), pairs(CHEATS, 1))
def test_test_rows_from_a_helper_are_seen(form: str, name: str) -> None:
    verdict = screen(form, CHEATS[name])
    assert {"test-to-learning", "test-labels-used"} & {v.rule for v in verdict.violations}, verdict


@pytest.mark.parametrize(("form", "name"), pairs(HONEST, 5))
def test_honest_uses_of_a_helper_pass(form: str, name: str) -> None:
    verdict = screen(form, HONEST[name])
    assert verdict.status == "cleared", [(v.rule, v.evidence) for v in verdict.violations if v.action in ("reject", "review")]
