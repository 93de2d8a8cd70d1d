"""A learning rate that falls to zero at the end."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import Loop, loops, rate_like, scheduled, scheduled_text
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_ADAPTIVE = frozenset(("SGDClassifier", "SGDRegressor", "MLPClassifier", "MLPRegressor"))
"""Estimators whose learning_rate may be "adaptive"."""
_SCHEDULERS = re.compile(r"lr_scheduler|get_cosine_schedule|LRScheduler")


class RateCooldown(PythonLever):
    """For hand-written loops, loops around a torch optimizer, and scikit-learn's constant-rate SGD."""

    name = "rate_cooldown"
    title = "Let the learning rate fall in the last epochs"
    level: Level = "CODE"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.84
    rationale = (
        "With a constant rate stochastic gradient descent keeps bouncing around the minimum. Falling to zero over the last "
        "third settles in it, "
        "at no cost and without slowing the way there (Robbins and Monro 1951; Haegele et al. 2024, constant rate with cooldown)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        yield from self._library(source)
        for loop in loops(source, view):
            if not scheduled(loop) and not view.mentions(_SCHEDULERS):
                edits = Edits(source)
                if loop.optimizers:
                    self._torch(loop, edits)
                elif loop.own_optimizers:
                    self._object(loop, edits)
                else:
                    self._arrays(loop, edits)
                yield Place(loop.node.lineno, f"loop in {loop.where}", edits)

    def _library(self, source: Source) -> Iterator[Place]:
        for call in source.calls():
            name = source.name(call.func)
            rate = keyword(call, "learning_rate")
            if name.startswith("sklearn.") and isinstance(rate, ast.Constant) and rate.value == "constant":
                short = name.rsplit(".", 1)[-1]
                if short in _ADAPTIVE and (not short.startswith("MLP") or _is_sgd(call)):
                    edits = Edits(source)
                    edits.replace(rate, '"adaptive"')
                    yield Place(call.lineno, f"{short} in {source.scope(call) or 'module'}", edits)

    def _torch(self, loop: Loop, edits: Edits) -> None:
        if len(loop.optimizers) != 1:
            edits.failed = "more than one optimizer"
            return
        optimizer = loop.optimizers[0]
        factor = self._factor(loop, edits)
        edits.before(
            loop.node.body[0],
            f"for group in {optimizer}.param_groups:",
            f'    group["lr"] = group.setdefault("initial_lr", group["lr"]) * {factor}',
        )

    def _object(self, loop: Loop, edits: Edits) -> None:
        optimizer = loop.own_optimizers[0]
        if len(loop.own_optimizers) != 1 or scheduled_text(optimizer.text):
            edits.failed = "more than one optimizer, or one that changes its rate itself"
            return
        rate, initial = f"{optimizer.name}.{optimizer.rate}", loop.source.fresh("initial_rate")
        edits.before(loop.node, f"{initial} = {rate}")
        edits.before(loop.node.body[0], f"{rate} = {initial} * {self._factor(loop, edits)}")

    def _arrays(self, loop: Loop, edits: Edits) -> None:
        source = loop.source
        inside = set(ast.walk(loop.node))
        rates = {source.segment(update.rate) for update in loop.updates}
        loads = [node for node in source.walk(loop.node) if isinstance(node, ast.expr) and _is_load(source, node)]
        loads = [node for node in loads if source.segment(node) in rates]
        if all(update.statement in inside for update in loop.updates):
            factor = source.fresh("cooldown", "rate_cooldown")
            edits.before(loop.node.body[0], f"{factor} = {self._factor(loop, edits)}")
            for node in loads:
                if self._multiplies(source, node):
                    edits.wrap(node, f"{factor} * ", "")
            return
        outside = {source.segment(update.rate) for update in loop.updates if update.statement not in inside}
        if len(outside) == 1 and next(iter(outside)).startswith("self.") and source.class_of(loop.node):
            rate = next(iter(outside))
            initial = source.fresh("initial_rate")
            edits.before(loop.node, f"{initial} = {rate}")
            edits.before(loop.node.body[0], f"{rate} = {initial} * {self._factor(loop, edits)}")
            edits.after(loop.node, f"{rate} = {initial}")
            return
        passed = [node for node in source.walk(loop.node) if isinstance(node, ast.expr) and self._passed(source, node)]
        if not passed:
            edits.failed = "the rate is out of the loop's reach"
            return
        factor = source.fresh("cooldown", "rate_cooldown")
        edits.before(loop.node.body[0], f"{factor} = {self._factor(loop, edits)}")
        for node in passed:
            edits.wrap(node, f"{factor} * ", "")

    def _factor(self, loop: Loop, edits: Edits) -> str:
        counter = loop.counter
        if counter == "_":
            counter = loop.source.fresh("epoch", "epoch_number")
            edits.replace(loop.node.target, counter)
        return f"min(1.0, 3.0 * (1.0 - {loop.progress(counter)}))"

    def _multiplies(self, source: Source, node: ast.expr) -> bool:
        """Is it a factor that is not divided by, or an argument, so that a product can stand in its place?"""
        parent = source.parents.get(node)
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Mult):
            return True
        return (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and parent.left is node) or self._passed(
            source, node
        )

    def _passed(self, source: Source, node: ast.expr) -> bool:
        """Is it a learning rate handed to a function that is not a display?"""
        parent = source.parents.get(node)
        call = source.parents.get(parent) if isinstance(parent, ast.keyword) else parent
        if not isinstance(call, ast.Call) or not rate_like(node) or not isinstance(getattr(node, "ctx", None), ast.Load):
            return False
        return source.name(call.func).rsplit(".", 1)[-1] not in ("print", "info", "debug", "format", "append", "log", "write")


def _is_load(source: Source, node: ast.AST) -> bool:
    return rate_like(node) and isinstance(getattr(node, "ctx", None), ast.Load)


def _is_sgd(call: ast.Call) -> bool:
    solver = keyword(call, "solver")
    return isinstance(solver, ast.Constant) and solver.value == "sgd"


LEVER = RateCooldown()
