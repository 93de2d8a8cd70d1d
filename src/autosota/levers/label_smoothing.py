"""Softened one-hot targets in the training loss."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import updates_in
from autosota.levers.source import Edits, Function, Source, keyword, spreads
from autosota.records import Level, Risk, Scope


class LabelSmoothing(PythonLever):
    """torch's cross-entropy where it is only trained with, and one-hot targets inside hand-written training functions."""

    name = "label_smoothing"
    title = "Smooth the training labels"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.55
    rationale = (
        "Targets of exactly 0 and 1 push logits without bound; moving a tenth of the mass to the other classes keeps the "
        "network from "
        "over-confidence and often raises accuracy (Szegedy et al. 2016; Mueller et al. 2019, When does label smoothing help?)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if "smoothing" in source.text:
            return
        if view.at_least("torch", "1.10") and re.search("cross_?entropy", source.text, re.IGNORECASE):
            yield from self._torch(source)
        for node in source.walk() if re.search(r"\.(eye|identity)\(", source.text) else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from self._one_hot(source, node)

    def _torch(self, source: Source) -> Iterator[Place]:
        for call in source.calls():
            name = source.name(call.func)
            if spreads(call) or keyword(call, "label_smoothing"):
                continue
            trains = _goes_backward(source, call)
            if name == "torch.nn.CrossEntropyLoss":
                trains = _only_trained_with(source, call)
            elif name != "torch.nn.functional.cross_entropy" or len(call.args) > 2:
                continue
            if trains:
                edits = Edits(source)
                edits.pass_keyword(call, "label_smoothing", "0.1")
                yield Place(call.lineno, f"{name.rsplit('.', 1)[-1]} in {source.scope(call) or 'module'}", edits)

    def _one_hot(self, source: Source, function: Function) -> Iterator[Place]:
        """`np.eye(k)[y]` assigned once in a function that updates weights."""
        if not updates_in(source, function) or re.search(r"eval|test|predict|score", function.name):
            return
        for node in source.walk(function):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.value, ast.Call)
                and source.name(node.value.func) in ("numpy.eye", "numpy.identity")
            ):
                if len(node.value.args) != 1 or not isinstance(source.parents.get(node), ast.Assign):
                    continue
                edits = Edits(source)
                count = source.segment(node.value.args[0])
                edits.wrap(node, "0.9 * ", f" + 0.1 / ({count})")
                yield Place(node.lineno, f"one-hot targets in {source.scope(node)}", edits)


def _goes_backward(source: Source, node: ast.AST) -> bool:
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr == "backward" for call in source.calls(source.function(node))
    )


def _only_trained_with(source: Source, call: ast.Call) -> bool:
    """Is the loss kept under a name that is called only in functions that go backward?"""
    statement = source.statement(call)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or statement.value is not call:
        return False
    name = source.segment(statement.targets[0])
    uses = [each for each in source.calls() if source.segment(each.func) == name]
    handed = [
        each
        for each in source.walk()
        if isinstance(each, ast.Name | ast.Attribute) and isinstance(each.ctx, ast.Load) and source.segment(each) == name
        and not any(use.func is each for use in uses)
    ]  # fmt: skip
    return bool(uses) and not handed and all(_goes_backward(source, use) for use in uses)


LEVER = LabelSmoothing()
