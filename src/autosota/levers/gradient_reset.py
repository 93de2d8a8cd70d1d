"""Gradients start from zero at every step."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import Loop, loops, names_used
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope


class GradientReset(PythonLever):
    """torch files that never call `zero_grad`; hand-written loops that add to a gradient made once before the loop."""

    name = "gradient_reset"
    title = "Reset the gradient before each step"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.94
    rationale = (
        "The gradient of every step is added to that of all steps before, so the update follows old gradients with ever "
        "larger length; "
        "resetting it gives the update the method describes."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        yield from self._torch(source, view)
        for loop in loops(source, view):
            forgotten = self._forgotten(loop)
            if forgotten and not any(f"{name}.fill(" in loop.text for name in forgotten):
                edits = Edits(source)
                direct = [update for update in loop.own if source.parents.get(update.statement) is loop.node]
                if len(direct) != len(loop.own):
                    continue
                edits.before(loop.node.body[0], *(f"{name} = {source.segment(zeros)}" for name, zeros in forgotten.items()))
                yield Place(loop.node.lineno, f"{', '.join(forgotten)} in {loop.where}", edits)

    def _forgotten(self, loop: Loop) -> dict[str, ast.expr]:
        """Name → its zeros, for gradients made before the loop, added to in it, stepped along, and never made anew."""
        source = loop.source
        used = names_used([update.direction for update in loop.own if update.direction is not None])
        made: dict[str, ast.expr] = {}
        for each in self._block(source, loop.node):
            if not (isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and isinstance(each.value, ast.Call)):
                continue
            if source.name(each.value.func) in ("numpy.zeros", "numpy.zeros_like"):
                made[each.targets[0].id] = each.value
        added: set[str] = set()
        renewed: set[str] = set()
        for node in ast.walk(loop.node):
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                (added if isinstance(node.op, ast.Add) else renewed).add(node.target.id)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                renewed |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
                renewed.add(node.value.id)
        return {name: zeros for name, zeros in made.items() if name in added & used and name not in renewed}

    def _torch(self, source: Source, view: View) -> Iterator[Place]:
        if "torch" not in source.text or any("zero_grad" in each.text or ".grad = None" in each.text for each in view.everything):
            return
        for call in source.calls():
            statement = source.statement(call)
            if not (isinstance(call.func, ast.Attribute) and call.func.attr == "backward" and isinstance(statement, ast.Expr)):
                continue
            parent = source.parents.get(statement)
            if not isinstance(parent, ast.For | ast.While):
                continue
            for step in source.calls(parent):
                if (
                    isinstance(step.func, ast.Attribute)
                    and step.func.attr == "step"
                    and "opt" in source.segment(step.func.value).lower()
                ):
                    edits = Edits(source)
                    edits.before(statement, f"{source.segment(step.func.value)}.zero_grad()")
                    yield Place(call.lineno, f"backward in {source.scope(call) or 'module'}", edits)
                    break

    def _block(self, source: Source, loop: ast.For) -> list[ast.stmt]:
        """Statements before the loop in the same block."""
        body: list[ast.stmt] = getattr(source.parents.get(loop), "body", [])
        return body[: body.index(loop)] if loop in body else []


LEVER = GradientReset()
