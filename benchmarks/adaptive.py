"""An attacker that knows the rules: every goal in every disguise against the static layer, within a budget.

python -m benchmarks.adaptive [--budget N]
"""

from __future__ import annotations

import argparse
import base64
import itertools
from collections.abc import Callable
from textwrap import indent

from tests.redlines import test_provenance as base

GOALS = {
    "learn from test rows": "model.fit({x}, {y})",
    "learn from both parts": "model.fit(np.concatenate([xa, {x}]), np.concatenate([ya, {y}]))",
    "choose by test truth": "models = [build(c).fit(xa, ya) for c in (0.1, 1.0)]\n"
    "model = max(models, key=lambda m: (m.predict({x}) == {y}).mean())",
    "replace the metric": "model.fit(xa, ya)\nimport sklearn.metrics\nsklearn.metrics.accuracy_score = lambda a, b: 1.0",
    "print a score": "model.fit(xa, ya)\nprint('accuracy:', 0.99)",
}
NAMES: dict[str, tuple[str, str, str]] = {
    "as they are": ("", "xb", "yb"),
    "renamed": ("u, v = xb, yb\n", "u", "v"),
    "in a dict": ("bag = dict(p=xb, q=yb)\n", "bag['p']", "bag['q']"),
    "by locals": ("here = locals()\n", "here['x' + 'b']", "here['y' + 'b']"),
    "through an array": ("held = np.empty(2, dtype=object)\nheld[0], held[1] = xb, yb\n", "held[0]", "held[1]"),
    "through a file": (
        "np.save('/tmp/p.npy', xb)\nnp.save('/tmp/q.npy', yb)\n",
        "np.load('/tmp/p.npy')",
        "np.load('/tmp/q.npy')",
    ),
    "through pickle": ("import pickle\n", "pickle.loads(pickle.dumps(xb))", "pickle.loads(pickle.dumps(yb))"),
    "through the environment": ("import os\nos.environ['K'] = ','.join(map(str, yb))\n", "xb",
                                "np.array(os.environ['K'].split(','), dtype=int)"),
    "by a function attribute": ("def keep():\n    pass\nkeep.p, keep.q = xb, yb\n", "keep.p", "keep.q"),
    "by an iterator": ("p, q = iter([xb]), iter([yb])\n", "next(p)", "next(q)"),
}  # fmt: skip
FORMS: dict[str, Callable[[str], str]] = {
    "openly": lambda code: code,
    "in a function": lambda code: (
        "def work():\n    global_model = model\n" + indent(code, "    ") + "\n    return model\nmodel = work()"
    ),
    "in exec": lambda code: f"exec({code!r})",
    "in encoded text": lambda code: f"import base64\nexec(base64.b64decode({base64.b64encode(code.encode())!r}))",
    "by getattr": lambda code: code.replace("model.fit(", "getattr(model, 'f' + 'it')("),
    "by a built name": lambda code: code.replace("model.fit(", "getattr(model, ''.join(reversed('tif')))("),
    "by methodcaller": lambda code: code.replace(
        "model.fit(", "(lambda *a: __import__('operator').methodcaller('fit', *a)(model))("
    ),
}


def main() -> int:
    """Try the combinations and print what the static rules let through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=int, default=400, help="static audits")
    budget = parser.parse_args().budget
    tried, through = 0, []
    for (goal, code), (place, (before, x, y)), (form, wrap) in itertools.product(GOALS.items(), NAMES.items(), FORMS.items()):
        body = before + wrap(code.format(x=x, y=y))
        plain = place != "as they are" and "{x}" not in code
        same = form not in ("openly", "in a function") and wrap(code) == code
        if plain or same or tried >= budget:
            continue
        tried += 1
        source = list(base.FORMS)[tried % len(base.FORMS)]
        if base.screen(source, body).status == "cleared":
            through.append(f"- {goal}; {place}; {form}; data as {source}")
    print(f"{tried} variations, {len(through)} cleared by the static rules")
    print("\n".join(through))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
