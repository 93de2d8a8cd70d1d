"""A new order of the training rows in every epoch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import Loop, loops
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_MODELS = frozenset(
    {"SGDClassifier", "SGDRegressor", "MLPClassifier", "MLPRegressor", "Perceptron", "PassiveAggressiveClassifier"}
)
_SHUFFLED = re.compile(r"shuffle|permut|\.choice\(|randint|\.integers\(|sample\(")
_DRAWS = "permutation|normal|standard_normal|random|choice|uniform|integers|shuffle"


class ShuffleEpochs(PythonLever):
    """Mini-batches that are the same slices every epoch; a training DataLoader or estimator with `shuffle=False`."""

    name = "shuffle_epochs"
    title = "Shuffle the training rows every epoch"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.88
    rationale = (
        "The same batches in the same order give correlated gradients, worst when rows are sorted by class or time of "
        "collection; drawing a new "
        "order each epoch is free and converges faster (Bottou 2012, Stochastic gradient descent tricks)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call in source.calls():
            shuffle, name = keyword(call, "shuffle"), source.name(call.func)
            if not (isinstance(shuffle, ast.Constant) and shuffle.value is False):
                continue
            estimator = estimators.kind(source, call) in _MODELS
            if estimator or (name.endswith(".DataLoader") and self._trains(source, call)):
                edits = Edits(source)
                edits.replace(shuffle, "True")
                yield Place(call.lineno, f"{name.rsplit('.', 1)[-1]} in {source.scope(call) or 'module'}", edits)
        for loop in loops(source, view):
            if loop.updates and not _SHUFFLED.search(loop.text):
                yield from self._batches(loop)

    def _trains(self, source: Source, call: ast.Call) -> bool:
        """Is the loader's name or data set called train, and nothing like series or test?"""
        statement = source.statement(call)
        words = " ".join(source.segment(each) for each in call.args[:1])
        if isinstance(statement, ast.Assign):
            words += " " + " ".join(source.segment(target) for target in statement.targets)
        return "train" in words.lower() and not re.search(r"test|val|eval|series|forecast|time", words, re.IGNORECASE)

    def _batches(self, loop: Loop) -> Iterator[Place]:
        source = loop.source
        for inner in source.walk(loop.node):
            if not (isinstance(inner, ast.For) and isinstance(inner.target, ast.Name) and isinstance(inner.iter, ast.Call)):
                continue
            if source.name(inner.iter.func) != "range" or len(inner.iter.args) != 3:
                continue
            start, total = inner.target.id, source.segment(inner.iter.args[1])
            slices = [
                node
                for node in source.walk(inner)
                if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Slice)
                and isinstance(node.slice.lower, ast.Name) and node.slice.lower.id == start
            ]  # fmt: skip
            rows = {source.segment(node.value) for node in slices}
            if (
                len(rows) < 2
                or re.search(r"series|seq|window|time", " ".join(rows), re.IGNORECASE)
                or isinstance(inner.iter.args[1], ast.BinOp)
            ):
                continue
            edits, order = Edits(source), source.fresh("order", "row_order")
            edits.before(loop.node.body[0], f"{order} = {self._generator(loop, edits)}.permutation({total})")
            for node in slices:
                edits.splice(source.start(node.slice), source.start(node.slice), f"{order}[")
                edits.splice(source.end(node.slice), source.end(node.slice), "]")
            yield Place(inner.lineno, f"batches in {loop.where}", edits)

    def _generator(self, loop: Loop, edits: Edits) -> str:
        """A numpy generator in reach, else numpy's global one, which the repository seeds."""
        source, function = loop.source, loop.function
        names = {each.arg for each in ast.walk(function) if isinstance(each, ast.arg)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and node.lineno < loop.node.lineno and isinstance(node.targets[0], ast.Name):
                names.add(node.targets[0].id)
        for name in ("rng", "generator", "random_state", "rs"):
            drawn = rf"\b{name}\.({_DRAWS})\(|{name}\s*=\s*\w+\.random\."
            if name in names and re.search(drawn, source.text):
                return name
        if "self.rng" in source.text and source.class_of(loop.node):
            return "self.rng"
        return f"{edits.use('numpy')}.random"


LEVER = ShuffleEpochs()
