"""The mean of the weights over the last third of training."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import Loop, loops
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

_LINEAR = frozenset({"SGDClassifier", "SGDRegressor"})
_AVERAGED = re.compile(r"averag|polyak|\bema\b|_ema|swa|best|moving", re.IGNORECASE)


class WeightAveraging(PythonLever):
    """scikit-learn's `average=True`; in hand-written and torch loops a running mean over the last third of the epochs."""

    name = "weight_averaging"
    title = "Average the weights over the last epochs"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.82
    leap = True
    rationale = (
        "The last iterate of stochastic gradient descent is one noisy draw around the minimum; the mean of many is closer "
        "to it, for the price of "
        "one addition an epoch (Polyak and Juditsky 1992; Izmailov et al. 2018, stochastic weight averaging)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        yield from self._library(source)
        for loop in loops(source, view):
            if _AVERAGED.search(loop.text) or not loop.counter:
                continue
            edits = Edits(source)
            if loop.optimizers:
                self._torch(loop, edits)
            elif loop.own_optimizers:
                self._object(loop, edits)
            else:
                self._arrays(loop, edits)
            yield Place(loop.node.lineno, f"loop in {loop.where}", edits)

    def _library(self, source: Source) -> Iterator[Place]:
        for call, name in estimators.made(source, _LINEAR):
            average = keyword(call, "average")
            if (average is None and not spreads(call)) or (isinstance(average, ast.Constant) and average.value is False):
                edits = Edits(source)
                edits.pass_keyword(call, "average", "True")
                yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)

    def _torch(self, loop: Loop, edits: Edits) -> None:
        models = _models(loop)
        if len(models) != 1:
            edits.failed = "not exactly one model"
            return
        model, counter = models[0], self._counter(loop, edits)
        total, mean = loop.source.fresh("averaged"), loop.source.fresh("mean_weights")
        edits.before(loop.node, f"{total}, {mean} = 0, {{}}")
        edits.after(
            loop.node.body[-1],
            f"if {loop.last_third(counter)}:",
            f"    {total} += 1",
            f"    for key, value in {model}.state_dict().items():",
            "        value = value.detach().clone()",
            f"        if key in {mean} and value.is_floating_point():",
            f"            value = {mean}[key] + (value - {mean}[key]) / {total}",
            f"        {mean}[key] = value",
        )
        edits.after(loop.node, f"if {mean}:", f"    {model}.load_state_dict({mean})")

    def _object(self, loop: Loop, edits: Edits) -> None:
        optimizer = loop.own_optimizers[0]
        if len(loop.own_optimizers) != 1 or not optimizer.parameters or _AVERAGED.search(optimizer.text):
            edits.failed = "not exactly one optimizer with arrays in plain sight"
            return
        arrays, counter = f"{optimizer.name}.{optimizer.parameters}", self._counter(loop, edits)
        total, mean = loop.source.fresh("averaged"), loop.source.fresh("mean_weights")
        edits.before(loop.node, f"{total}, {mean} = 0, [0.0] * len({arrays})")
        edits.after(
            loop.node.body[-1],
            f"if {loop.last_third(counter)}:",
            f"    {total} += 1",
            f"    {mean} = [mean + (array - mean) / {total} for mean, array in zip({mean}, {arrays})]",
        )
        edits.after(loop.node, f"if {total}:", f"    for array, mean in zip({arrays}, {mean}):", "        array[...] = mean")

    def _arrays(self, loop: Loop, edits: Edits) -> None:
        parameters = _parameters(loop)
        if not parameters:
            edits.failed = "the parameters cannot be told"
            return
        counter = self._counter(loop, edits)
        total, mean = loop.source.fresh("averaged"), loop.source.fresh("mean_weights")
        listing = ", ".join(parameters) + ("," if len(parameters) == 1 else "")
        edits.before(loop.node, f"{total}, {mean} = 0, [0.0] * {len(parameters)}")
        edits.after(
            loop.node.body[-1],
            f"if {loop.last_third(counter)}:",
            f"    {total} += 1",
            f"    {mean} = [mean + (value - mean) / {total} for mean, value in zip({mean}, ({listing}))]",
        )
        edits.after(loop.node, f"if {total}:", f"    {listing} = {mean}")

    def _counter(self, loop: Loop, edits: Edits) -> str:
        if loop.counter != "_":
            return loop.counter
        counter = loop.source.fresh("epoch", "epoch_number")
        edits.replace(loop.node.target, counter)
        return counter


def _models(loop: Loop) -> list[str]:
    """What has `parameters()` taken of it in the loop's function."""
    found = re.findall(
        r"([\w.]+)\.parameters\(\)",
        loop.source.segment(loop.function) if not isinstance(loop.function, ast.Module) else loop.source.text,
    )
    return list(dict.fromkeys(found))


def _parameters(loop: Loop) -> list[str]:
    """Texts of the updated arrays that are in reach of the loop; empty where one is an item of a container of unknown kind."""
    source, found = loop.source, []
    inside = set(ast.walk(loop.node))
    for update in loop.updates:
        target = update.target
        if isinstance(target, ast.Subscript):
            if not isinstance(target.slice, ast.Constant):
                return []
        elif isinstance(target, ast.Name) and update.statement not in inside:
            return []
        text = source.segment(target)
        if text not in found:
            found.append(text)
    return found


LEVER = WeightAveraging()
