"""Heavy-ball momentum for plain gradient steps."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import Loop, Update, loops
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

_HAS = re.compile(r"momentum|veloc|nesterov|adam|rmsprop|beta_?[12]|m_hat|adagrad|sqrt\(\s*(cache|v|s|acc)", re.IGNORECASE)


class Momentum(PythonLever):
    """For updates written in the loop itself, and for torch's SGD without momentum."""

    name = "momentum"
    title = "Add momentum to plain gradient steps"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "medium"
    priority = 0.66
    leap = True
    rationale = (
        "A running sum of past gradients speeds up slow directions and damps the others, which plain steps need many more "
        "epochs for "
        "(Polyak 1964; Sutskever et al. 2013, On the importance of initialization and momentum)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call in source.calls():
            if (
                source.name(call.func) == "torch.optim.SGD"
                and keyword(call, "momentum") is None
                and not spreads(call)
                and len(call.args) <= 2
            ):
                edits = Edits(source)
                edits.pass_keyword(call, "momentum", "0.9, nesterov=True")
                yield Place(call.lineno, f"SGD in {source.scope(call) or 'module'}", edits)
        for loop in loops(source, view):
            if loop.own and not _HAS.search(source.text):
                edits = Edits(source)
                velocity = source.fresh("velocity")
                edits.before(loop.node, f"{velocity} = {{}}")
                for update in loop.own:
                    self._rewrite(loop, update, velocity, edits)
                yield Place(loop.node.lineno, f"loop in {loop.where}", edits)

    def _rewrite(self, loop: Loop, update: Update, velocity: str, edits: Edits) -> None:
        source, target = loop.source, _text(loop, update)
        if isinstance(update.target, ast.Subscript) and not isinstance(update.target.slice, ast.Constant | ast.Name):
            edits.failed = "the parameter is a computed part of an array"
            return
        if isinstance(update.target, ast.Subscript) and isinstance(update.target.slice, ast.Name):
            key = f"({source.segment(update.target.value)!r}, {update.target.slice.id})"
        else:
            key = repr(target)
        plus = isinstance(update.statement, ast.AugAssign) and isinstance(update.statement.op, ast.Add)
        if isinstance(update.statement, ast.Assign) and isinstance(update.statement.value, ast.BinOp):
            plus = isinstance(update.statement.value.op, ast.Add)
        sign = "+" if plus else "-"
        edits.before(
            update.statement, f"{velocity}[{key}] = 0.9 * {velocity}.get({key}, 0.0) {sign} ({source.segment(update.step)})"
        )
        if isinstance(update.statement, ast.AugAssign):
            edits.replace(update.statement, f"{target} += {velocity}[{key}]")
        else:
            edits.replace(update.statement, f"{target} = {target} + {velocity}[{key}]")


def _text(loop: Loop, update: Update) -> str:
    """The parameter's text."""
    return loop.source.segment(update.target)


LEVER = Momentum()
