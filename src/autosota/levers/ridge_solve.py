"""A small ridge in least-squares fits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_HELPER = '''
def {name}(features, targets, strength=1e-2):
    """Least squares with a penalty of `strength` times the features' mean square on every coefficient."""
    features = {np}.asarray(features, dtype=float)
    gram = features.T @ features
    penalty = strength * {np}.trace(gram) / max(1, gram.shape[0])
    return {np}.linalg.solve(gram + penalty * {np}.eye(gram.shape[0]), features.T @ targets)
'''


class RidgeSolve(PythonLever):
    """`np.linalg.lstsq(X, y)[0]` and scikit-learn's LinearRegression."""

    name = "ridge_solve"
    title = "Least squares with a small ridge"
    level: Level = "CODE"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.74
    rationale = (
        "With correlated columns, such as the lags of a series, least squares spends its freedom on noise; a small penalty "
        "on the coefficients "
        "trades a little bias for much variance (Hoerl and Kennard 1970, Ridge regression)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for node in source.walk():
            edits = Edits(source)
            if isinstance(node, ast.Call) and source.name(node.func) == "sklearn.linear_model.LinearRegression":
                extra = [each for each in node.keywords if each.arg not in ("fit_intercept", "positive")]
                if extra or keyword(node, "positive") is not None or node.args:
                    continue
                edits.replace(node.func, edits.use("sklearn.linear_model", "Ridge"))
                yield Place(node.lineno, f"LinearRegression in {source.scope(node) or 'module'}", edits)
                continue
            call = _least_squares(source, node)
            if call is not None and isinstance(node, ast.expr):
                helper = source.fresh("ridge_regression")
                edits.helper(_HELPER.format(name=helper, np=edits.use("numpy")))
                edits.replace(node, f"{helper}({source.segment(call.args[0])}, {source.segment(call.args[1])})")
                yield Place(node.lineno, f"lstsq in {source.scope(node) or 'module'}", edits)
            elif isinstance(node, ast.Assign) and (call := _unpacked(source, node)) is not None:
                target = node.targets[0]
                first = target.elts[0] if isinstance(target, ast.Tuple) else target
                helper = source.fresh("ridge_regression")
                edits.helper(_HELPER.format(name=helper, np=edits.use("numpy")))
                edits.replace(
                    node, f"{source.segment(first)} = {helper}({source.segment(call.args[0])}, {source.segment(call.args[1])})"
                )
                yield Place(node.lineno, f"lstsq in {source.scope(node) or 'module'}", edits)


def _least_squares(source: Source, node: ast.AST) -> ast.Call | None:
    """The call in `np.linalg.lstsq(X, y, ...)[0]`."""
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Call)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == 0
    ):
        call = node.value
        if source.name(call.func) == "numpy.linalg.lstsq" and len(call.args) >= 2:
            return call
    return None


def _unpacked(source: Source, node: ast.Assign) -> ast.Call | None:
    """The call in `w, *_ = np.linalg.lstsq(X, y, ...)` where the rest is thrown away."""
    target, call = node.targets[0], node.value
    if len(node.targets) != 1 or not isinstance(target, ast.Tuple) or not isinstance(call, ast.Call) or not target.elts:
        return None
    rest = [each.value if isinstance(each, ast.Starred) else each for each in target.elts[1:]]
    thrown = all(isinstance(each, ast.Name) and each.id.startswith("_") for each in rest)
    return call if thrown and source.name(call.func) == "numpy.linalg.lstsq" and len(call.args) >= 2 else None


LEVER = RidgeSolve()
