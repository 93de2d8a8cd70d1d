"""Forecasts as changes from the last known value."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Function, Source
from autosota.records import Level, Risk, Scope

_FORECAST = re.compile(r"forecast|horizon|autoregress|\blags?\b|look_?back", re.IGNORECASE)
_DONE = re.compile(r"np\.diff\(|\.diff\(|anchor|last_value|inputs\[:, -1|windows?\[:, -1|\[:, -1:\]|RevIN|detrend", re.IGNORECASE)


class AnchoredWindows(PythonLever):
    """An own linear model with `fit(windows, targets)` and `predict(windows)`, fed with windows cut from a series."""

    name = "anchored_windows"
    title = "Forecast changes from the last value of each window"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "medium"
    priority = 0.87
    leap = True
    rationale = (
        "A series that drifts leaves the range of its training windows; subtracting each window's last value from its "
        "inputs and targets and "
        "adding it back to the forecast removes the level (Zeng et al. 2023, Are Transformers effective for time series "
        "forecasting?, NLinear)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if not _FORECAST.search(source.text) or view.mentions(_DONE) or not any(_cuts_windows(each) for each in view.sources):
            return
        for node in source.module.body:
            if not isinstance(node, ast.ClassDef):
                continue
            methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
            fit, predict = methods.get("fit"), methods.get("predict")
            if fit is None or predict is None or not re.search(r"@|lstsq|solve\(|\.dot\(", source.segment(node)):
                continue
            inputs, given = _parameters(fit), _parameters(predict)
            returns = [each for each in ast.walk(predict) if isinstance(each, ast.Return)]
            if (
                len(inputs) != 2
                or len(given) != 1
                or len(returns) != 1
                or returns[0].value is None
                or "self.predict(" in source.segment(node)
            ):
                continue
            edits = Edits(source)
            windows, targets = inputs
            edits.before(
                _first(fit),
                f"last = {windows}[:, -1:]  # levels drift, changes do not",
                f"{windows}, {targets} = {windows} - last, {targets} - (last if {targets}.ndim == 2 else last[:, 0])",
            )
            edits.before(_first(predict), f"last = {given[0]}[:, -1:]", f"{given[0]} = {given[0]} - last")
            edits.before(returns[0], f"change = {source.segment(returns[0].value)}")
            edits.replace(returns[0].value, "change + (last if change.ndim == 2 else last[:, 0])")
            if {"last", "change"} & {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}:
                continue
            yield Place(node.lineno, node.name, edits)


def _parameters(function: Function) -> list[str]:
    """Names of the required parameters after `self`."""
    arguments = function.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
        return []
    return [each.arg for each in arguments.args[1:]]


def _first(function: Function) -> ast.stmt:
    """The first statement after the docstring."""
    opening = function.body[0]
    documented = isinstance(opening, ast.Expr) and isinstance(opening.value, ast.Constant) and len(function.body) > 1
    return function.body[1] if documented else opening


def _cuts_windows(source: Source) -> bool:
    """Does the file cut `series[i : i + lags]`, or use a sliding window view?"""
    if "sliding_window_view" in source.text:
        return True
    for node in source.walk():
        if isinstance(node, ast.Slice) and isinstance(node.lower, ast.Name) and isinstance(node.upper, ast.BinOp):
            left = node.upper.left
            if isinstance(node.upper.op, ast.Add) and isinstance(left, ast.Name) and left.id == node.lower.id:
                return not re.search(r"batch|^bs$", source.segment(node.upper.right), re.IGNORECASE)
    return False


LEVER = AnchoredWindows()
