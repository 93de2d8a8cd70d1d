"""Bounded gradient norms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import loops
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_HAS = re.compile(r"clip_grad|clip_norm|np\.clip\(\s*(d|g)|max_norm|grad_clip|clipnorm|min\(1\.0, 5\.0", re.IGNORECASE)
_UNSTABLE = re.compile(r"LSTM|GRU|RNN|Transformer|attention|recurrent|h_prev|policy|actor", re.IGNORECASE)


class GradientClipping(PythonLever):
    """torch: `clip_grad_norm_` before the step. Hand-written loops: the factor beside the rate is scaled down to norm 5."""

    name = "gradient_clipping"
    title = "Clip the gradient norm"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.45
    rationale = (
        "A few very large gradients undo the progress of many steps, above all in recurrent and attention models; bounding "
        "the norm keeps the "
        "direction (Pascanu et al. 2013; Zhang et al. 2020, Why gradient clipping accelerates training)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if _HAS.search(source.text):
            return
        for call in source.calls():
            model = self._model(source, call)
            statement = source.statement(call)
            if model and isinstance(statement, ast.Expr):
                edits = Edits(source)
                edits.before(statement, f"{edits.use('torch')}.nn.utils.clip_grad_norm_({model}.parameters(), 1.0)")
                yield Place(call.lineno, f"step in {source.scope(call) or 'module'}", edits)
        for loop in loops(source, view):
            plain = [update for update in loop.own if update.direction is not None]
            if plain and _UNSTABLE.search(source.text):
                edits = Edits(source)
                numpy = edits.use("numpy")
                for update in plain:
                    direction = source.segment(update.direction) if update.direction else ""
                    if update.direction is not None:
                        edits.wrap(update.direction, "(", f") * min(1.0, 5.0 / ({numpy}.linalg.norm({direction}) + 1e-12))")
                yield Place(loop.node.lineno, f"loop in {loop.where}", edits)

    def _model(self, source: Source, call: ast.Call) -> str:
        """The one torch model of the file, where the call is its optimizer's step and the model is in reach."""
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "step" and ".backward(" in source.text):
            return ""
        models = set(re.findall(r"([\w.]+)\.parameters\(\)", source.text))
        if "opt" not in source.segment(call.func.value).lower() or len(models) != 1:
            return ""
        model = models.pop()
        local = {each.id for each in ast.walk(source.function(call)) if isinstance(each, ast.Name)}
        return model if model.split(".")[0] in local else ""


LEVER = GradientClipping()
