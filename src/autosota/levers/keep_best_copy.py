"""A copy of the best weights, not another name for the latest ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope


class KeepBestCopy(PythonLever):
    """`best = model.state_dict()`, and `best_w = w` while `w` is changed in place: both follow the training that goes on."""

    name = "keep_best_copy"
    title = "Copy the best weights when keeping them"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.96
    rationale = (
        "What is kept as best is a reference to arrays that training goes on changing, so the weights restored in the end "
        "are the last ones, "
        "not the best on validation; copying them does what the code says."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for node in source.walk():
            if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not self._in_loop(source, node):
                continue
            if "best" not in source.segment(node.targets[0]).lower():
                continue
            edits, value = Edits(source), node.value
            if (
                isinstance(value, ast.Call)
                and isinstance(value.func, ast.Attribute)
                and value.func.attr == "state_dict"
                and not value.args
            ):
                if "torch" in source.text:
                    edits.wrap(value, f"{edits.use('copy', 'deepcopy')}(", ")")
                    yield Place(node.lineno, f"{source.segment(node.targets[0])} in {source.scope(node) or 'module'}", edits)
            elif isinstance(value, ast.Name | ast.Attribute) and self._changed_in_place(source, node, value):
                end = source.end(value)
                edits.splice(end, end, ".copy()")
                yield Place(node.lineno, f"{source.segment(node.targets[0])} in {source.scope(node) or 'module'}", edits)

    def _in_loop(self, source: Source, node: ast.AST) -> bool:
        return any(isinstance(each, ast.For | ast.While) for each in source.ancestors(node))

    def _changed_in_place(self, source: Source, node: ast.Assign, value: ast.expr) -> bool:
        """Is the array changed with `-=`, `+=` or an item assignment, and made by numpy, in the same function?"""
        text, function = source.segment(value), source.function(node)
        changed = made = False
        for each in source.walk(function):
            if isinstance(each, ast.AugAssign):
                target = each.target.value if isinstance(each.target, ast.Subscript) else each.target
                changed |= source.segment(target) == text and isinstance(each.op, ast.Sub | ast.Add | ast.Mult)
            elif isinstance(each, ast.Assign) and any(source.segment(target) == text for target in each.targets):
                calls = [source.name(call.func) for call in source.calls(each.value)]
                draws = any(name.rsplit(".", 1)[-1] in ("standard_normal", "normal", "uniform", "randn") for name in calls)
                if isinstance(each.value, ast.Call | ast.BinOp) and (draws or any(name.startswith("numpy.") for name in calls)):
                    scalar = any(
                        name.rsplit(".", 1)[-1] in ("float", "mean", "sum", "norm", "max", "min", "int", "item") for name in calls
                    )
                    made |= not scalar
        return changed and made


LEVER = KeepBestCopy()
