"""Decoupled weight decay."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import has_activation, loops
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_HAS = re.compile(
    r"weight_?decay|\bwd\b|l2|_reg\b|\breg(ularization)?\b|lambda_|\blam\b|ridge|penalty|\*= 1\.0 - 1e-4", re.IGNORECASE
)
_MATRIX = re.compile(r"(^|[._])(w\d*|weights?\d*|kernel\d*|theta|v\d)$|^W|\.W", re.IGNORECASE)


class WeightDecay(PythonLever):
    """torch's Adam becomes AdamW; weight matrices of hand-written networks shrink a little with each step."""

    name = "weight_decay"
    title = "Decoupled weight decay"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.6
    rationale = (
        "Shrinking weights directly, instead of through the adaptive gradient, regularizes all of them alike and "
        "generalizes better "
        "(Loshchilov and Hutter 2019, Decoupled weight decay regularization; Krogh and Hertz 1991)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call in source.calls():
            if source.name(call.func) == "torch.optim.Adam" and isinstance(call.func, ast.Attribute):
                edits = Edits(source)
                end = source.end(call.func)
                edits.splice(end, end, "W")
                yield Place(call.lineno, f"Adam in {source.scope(call) or 'module'}", edits)
        for loop in loops(source, view):
            shrinking = [update for update in loop.own if update.descent and _MATRIX.search(source.segment(update.target))]
            if not shrinking or _HAS.search(source.text) or not has_activation(source.text):
                continue
            edits = Edits(source)
            for update in shrinking:
                target, rate = source.segment(update.target), source.segment(update.rate)
                edits.before(update.statement, f"{target} *= 1.0 - 1e-4 * {rate}")
            yield Place(loop.node.lineno, f"loop in {loop.where}", edits)


LEVER = WeightDecay()
