"""A schedule that can fire within the run."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, number
from autosota.records import Level, Risk, Scope

_PATIENCE = {"ReduceLROnPlateau": ("patience", 3), "StepLR": ("step_size", 1), "EarlyStopping": ("patience", -1)}
_EPOCHS = (
    "epochs",
    "n_epochs",
    "num_epochs",
    "max_epochs",
    "nb_epochs",
    "n_steps",
    "num_steps",
    "max_steps",
    "total_steps",
    "steps",
    "n_iter",
    "iterations",
)


class LateSchedule(PythonLever):
    """Patience or step size of a scheduler that is not smaller than the number of epochs, both known from the code."""

    name = "late_schedule"
    title = "Let the learning-rate schedule fire within the run"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.93
    rationale = (
        "The scheduler waits longer than the whole training lasts, so the learning rate never changes; waiting a tenth of "
        "the run lets it do "
        "what it is there for (Bengio 2012, Practical recommendations, section 3.1.1)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        total = view.once("late_schedule.total", lambda: _total(view))
        if total is None:
            return
        if not any(name in source.text for name in _PATIENCE):
            return
        for call in source.calls():
            name = source.name(call.func).rsplit(".", 1)[-1]
            if name not in _PATIENCE:
                continue
            word, position = _PATIENCE[name]
            value = keyword(call, word) or (call.args[position] if 0 <= position < len(call.args) else None)
            waits = _value(source, value)
            if value is not None and waits is not None and waits >= total:
                edits = Edits(source)
                edits.replace(value, str(max(1, int(total) // 10)))
                yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


def _value(source: Source, node: ast.expr | None) -> float | None:
    """A literal, or the value of a constant or option of the same file."""
    if node is None or number(node) is not None:
        return number(node)
    last = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return _declared(source).get(last)


def _total(view: View) -> float | None:
    """The number of rounds, where the code declares it once, or the same everywhere."""
    found = {value for source in view.sources for name, value in _declared(source).items() if name.lower() in _EPOCHS}
    return found.pop() if len(found) == 1 else None


def _declared(source: Source) -> dict[str, float]:
    """Numbers given to names: constants, class fields, defaults of parameters and of options."""
    found: dict[str, float] = {}
    for node in source.walk():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (value := number(node.value)) is not None:
            found[node.targets[0].id] = value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and (value := number(node.value)) is not None:
            found[node.target.id] = value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            flags = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            value = number(keyword(node, "default"))
            if flags and value is not None:
                found[flags[-1].lstrip("-").replace("-", "_")] = value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.args.defaults:
            for parameter, default in zip(node.args.args[-len(node.args.defaults) :], node.args.defaults, strict=False):
                if (value := number(default)) is not None:
                    found[parameter.arg] = value
    return found


LEVER = LateSchedule()
