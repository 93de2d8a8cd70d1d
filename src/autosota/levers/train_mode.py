"""Dropout and batch normalization in the right mode."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import loops
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_MODAL = re.compile(r"Dropout|BatchNorm|dropout\s*=")
_EVAL = re.compile(r"\.eval\(\)|\.train\(False\)|training\s*=\s*False|\.train\(mode")


class TrainMode(PythonLever):
    """Networks with dropout or batch normalization that predict without ever calling `eval()`, or never go back to `train()`."""

    name = "train_mode"
    title = "Switch dropout and batch normalization to the right mode"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.95
    rationale = (
        "Dropout left on while predicting adds noise to every output, batch statistics make a prediction depend on its "
        "neighbors, and a network "
        "left in evaluation mode trains without either (Srivastava et al. 2014; Ioffe and Szegedy 2015)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if not any("torch" in each.imports.values() and _MODAL.search(each.text) for each in view.everything):
            return
        text = "\n".join(each.text for each in view.everything)
        if not _EVAL.search(text):
            yield from self._predicting(source)
        elif ".train(" not in text:
            for loop in loops(source, view):
                models = re.findall(r"([\w.]+)\.eval\(\)", loop.text)
                if loop.optimizers and models:
                    edits = Edits(source)
                    edits.before(loop.node.body[0], f"{models[0]}.train()")
                    yield Place(loop.node.lineno, f"loop in {loop.where}", edits)

    def _predicting(self, source: Source) -> Iterator[Place]:
        """Blocks under `torch.no_grad()` that call a model."""
        for node in source.walk():
            if not isinstance(node, ast.With) or not any("no_grad" in source.segment(item.context_expr) for item in node.items):
                continue
            models = [
                call.func.id
                for call in source.calls(node)
                if isinstance(call.func, ast.Name) and re.search(r"model|net", call.func.id, re.IGNORECASE)
            ]
            if models and ".backward(" not in source.segment(node):
                edits = Edits(source)
                if any(isinstance(each, ast.Return) for each in ast.walk(node)):
                    edits.failed = "the block returns, so the mode cannot be put back"
                was = source.fresh("was_training")
                edits.before(node, f"{was} = {models[0]}.training", f"{models[0]}.eval()")
                edits.after(node, f"{models[0]}.train({was})")
                yield Place(node.lineno, f"{models[0]} in {source.scope(node) or 'module'}", edits)


LEVER = TrainMode()
