"""Solvers that are given enough iterations to converge."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, number
from autosota.records import Level, Risk, Scope

_DEFAULTS = {
    "LogisticRegression": 100,
    "LinearSVC": 1000,
    "LinearSVR": 1000,
    "Lasso": 1000,
    "ElasticNet": 1000,
    "GaussianMixture": 100,
    "BayesianGaussianMixture": 100,
    "KMeans": 300,
    "FastICA": 200,
    "NMF": 200,
}


class EnoughIterations(PythonLever):
    """`max_iter` far below the library's own default."""

    name = "enough_iterations"
    title = "Let the solver converge"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.72
    rationale = (
        "The solver is cut off long before its stopping rule could hold, so the result depends on where it started rather "
        "than on the "
        "objective; the library's default is a limit, not a cost, once it converges (Bottou and Bousquet 2008, "
        "optimization error)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, frozenset(_DEFAULTS)):
            limit = keyword(call, "max_iter")
            value = number(limit)
            if isinstance(limit, ast.Constant) and value is not None and 0 < value <= 0.5 * _DEFAULTS[name]:
                edits = Edits(source)
                edits.replace(limit, str(2 * _DEFAULTS[name]))
                yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = EnoughIterations()
