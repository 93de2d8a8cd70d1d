"""Uniform draws spread evenly over the cube."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_TARGET = re.compile(
    r"pop(ulation)?$|swarm|particles?|positions?|candidates?|points?|initial|^x0?s?$|^u$|designs?|samples?|starts?", re.IGNORECASE
)
_SEARCH = re.compile(
    r"popul|swarm|particle|monte|carlo|integr|random_search|evolution|genetic|optimi[sz]|search|anneal", re.IGNORECASE
)
_HELPER = '''
def {name}(uniform, low=0.0, high=1.0):
    """Latin hypercube: every column has one point in each of as many equal strata as there are rows."""
    unit = (uniform - low) / (high - low)
    strata = {np}.argsort({np}.argsort(unit, axis=0), axis=0)
    inside = unit * len(unit) - {np}.floor(unit * len(unit))
    return low + (high - low) * (strata + inside) / len(unit)
'''


class StratifiedDraws(PythonLever):
    """`rng.random((n, d))` and `rng.uniform(low, high, (n, d))` that start a population or feed a Monte Carlo integral."""

    name = "stratified_draws"
    title = "Latin hypercube in place of independent uniform draws"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.7
    leap = True
    rationale = (
        "Independent points leave holes and clusters; one point per stratum and coordinate covers the cube evenly with the "
        "same number of points "
        "(McKay, Beckman and Conover 1979; Owen 1997, scrambled nets)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if re.search(r"qmc|sobol|halton|latin|stratif", source.text, re.IGNORECASE) or not _SEARCH.search(source.text):
            return
        for node in source.walk():
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            target = source.segment(node.targets[0]).rsplit(".", 1)[-1]
            bounds = _uniform(source, node.value)
            if bounds is None or not _TARGET.search(target) or self._in_loop(source, node):
                continue
            edits, helper = Edits(source), source.fresh("latin_hypercube")
            edits.helper(_HELPER.format(name=helper, np=edits.use("numpy")))
            edits.wrap(node.value, f"{helper}(", f"{''.join(f', {bound}' for bound in bounds)})")
            yield Place(node.lineno, f"{target} in {source.scope(node) or 'module'}", edits)

    def _in_loop(self, source: Source, node: ast.AST) -> bool:
        """Drawn again and again? Then the rounds cover the cube by themselves."""
        function = source.function(node)
        return any(isinstance(each, ast.For | ast.While) and source.function(each) is function for each in source.ancestors(node))


def _uniform(source: Source, call: ast.Call) -> tuple[str, ...] | None:
    """The bounds of a two-dimensional uniform draw, none for the unit cube."""
    name = source.segment(call.func).rsplit(".", 1)[-1]
    size = keyword(call, "size") or (call.args[-1] if call.args else None)
    if name == "rand" and len(call.args) == 2 and source.name(call.func).startswith("numpy."):
        return ()
    if not (isinstance(size, ast.Tuple) and len(size.elts) == 2):
        return None
    if name in ("random", "random_sample"):
        return ()
    low, high = keyword(call, "low"), keyword(call, "high")
    if name == "uniform":
        low, high = low or (call.args[0] if call.args else None), high or (call.args[1] if len(call.args) > 1 else None)
        if isinstance(low, ast.Tuple) or isinstance(high, ast.Tuple):
            return ()
        return (source.segment(low), source.segment(high)) if low and high else () if not low and not high else None
    return None


LEVER = StratifiedDraws()
