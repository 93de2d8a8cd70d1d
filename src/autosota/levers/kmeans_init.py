"""k-means++ seeding in place of uniformly drawn centers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_CLUSTERING = re.compile(r"k_?-?means|lloyd|cluster|centroid", re.IGNORECASE)
_MODELS = frozenset({"KMeans", "MiniBatchKMeans", "BisectingKMeans"})
_HELPER = '''
def {name}(points, count, generator):
    """Centers drawn one by one with probability proportional to the squared distance to those already drawn."""
    points = {np}.asarray(points)
    total = len(points)
    draw = {np}.random if generator is None else generator
    chosen = [int(draw.choice(total))]
    nearest = (({np}.asarray(points - points[chosen[0]], dtype=float)) ** 2).reshape(total, -1).sum(axis=1)
    for _ in range(1, count):
        mass = nearest.sum()
        index = int(draw.choice(total, p=nearest / mass)) if mass > 0 else int(draw.choice(total))
        chosen.append(index)
        distance = (({np}.asarray(points - points[index], dtype=float)) ** 2).reshape(total, -1).sum(axis=1)
        nearest = {np}.minimum(nearest, distance)
    return points[chosen]
'''


class KMeansInit(PythonLever):
    """scikit-learn's `init="random"`, and centers that own code draws with `choice(n, k, replace=False)` or a permutation."""

    name = "kmeans_init"
    title = "Seed k-means with k-means++"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.92
    leap = True
    rationale = (
        "Centers drawn uniformly often fall into the same cluster and Lloyd's iterations cannot repair that; drawing them "
        "by squared distance "
        "bounds the expected cost by O(log k) of the optimum (Arthur and Vassilvitskii 2007, k-means++)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        yield from self._library(source)
        if "k-means++" not in source.text and "kmeans_plus_plus" not in source.text and _CLUSTERING.search(source.text):
            yield from self._by_hand(source)

    def _library(self, source: Source) -> Iterator[Place]:
        for call, name in estimators.made(source, _MODELS):
            init = keyword(call, "init")
            if isinstance(init, ast.Constant) and init.value == "random":
                edits = Edits(source)
                edits.replace(init, '"k-means++"')
                yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)

    def _by_hand(self, source: Source) -> Iterator[Place]:
        for node in source.walk():
            if not (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Load)
                and isinstance(node.value, ast.Name | ast.Attribute)
            ):
                continue
            scope = source.scope(node)
            function = source.function(node)
            around = source.text if isinstance(function, ast.Module) else source.segment(function)
            if not _CLUSTERING.search(around) and not _CLUSTERING.search(scope) and not _CLUSTERING.search(source.path):
                continue
            drawn = _drawn(source, node)
            if drawn is None or not _is_centers(source, node):
                continue
            count, generator = drawn
            edits = Edits(source)
            helper = source.fresh("kmeans_plus_plus")
            edits.helper(_HELPER.format(name=helper, np=edits.use("numpy")))
            edits.replace(node, f"{helper}({source.segment(node.value)}, {count}, {generator})")
            yield Place(node.lineno, f"centers in {scope or 'module'}", edits)


def _is_centers(source: Source, node: ast.Subscript) -> bool:
    """Is it assigned to, or returned as, the initial centers?"""
    statement = source.statement(node)
    if isinstance(statement, ast.Assign):
        names = " ".join(source.segment(target) for target in statement.targets)
        return bool(re.search(r"cent|mu|mean|proto|seed|init", names, re.IGNORECASE))
    return isinstance(statement, ast.Return) and bool(re.search(r"init|seed|cent|start", source.scope(node), re.IGNORECASE))


def _drawn(source: Source, node: ast.Subscript) -> tuple[str, str] | None:
    """(number of centers, generator) when the index is a uniform draw without replacement, directly or through a variable."""
    index: ast.expr = node.slice
    if isinstance(index, ast.Name):
        function = source.function(node)
        assigned = [
            each.value
            for each in source.walk(function)
            if isinstance(each, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == index.id for target in each.targets)
        ]
        if len(assigned) != 1:
            return None
        index = assigned[0]
    if (
        isinstance(index, ast.Subscript)
        and isinstance(index.slice, ast.Slice)
        and index.slice.lower is None
        and index.slice.step is None
    ):
        call, count = index.value, index.slice.upper
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "permutation"
            and count is not None
        ):
            return source.segment(count), _generator(source, call.func.value)
        return None
    if not (isinstance(index, ast.Call) and isinstance(index.func, ast.Attribute) and index.func.attr == "choice"):
        return None
    replace = keyword(index, "replace") or (index.args[2] if len(index.args) > 2 else None)
    size = keyword(index, "size") or (index.args[1] if len(index.args) > 1 else None)
    if not (isinstance(replace, ast.Constant) and replace.value is False) or size is None or keyword(index, "p") is not None:
        return None
    return source.segment(size), _generator(source, index.func.value)


def _generator(source: Source, node: ast.expr) -> str:
    return "None" if source.name(node) == "numpy.random" else source.segment(node)


LEVER = KMeansInit()
