"""Features on one scale before estimators that compare or penalize them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope


class ScaleFeatures(PythonLever):
    """Puts a StandardScaler in front, inside the pipeline, so that it is fitted on what the estimator is fitted on."""

    name = "scale_features"
    title = "Standardize features inside the pipeline"
    level: Level = "CODE"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.95
    rationale = (
        "Penalties, distances and gradient steps treat all features alike, so features on different scales are weighted by "
        "their unit. "
        "Scaling within the pipeline learns from training rows only (LeCun et al. 1998, Efficient BackProp; Hastie et al. "
        "2009, section 3.4.1)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        calls = [
            (call, name)
            for call, name in estimators.made(source, estimators.SCALE_SENSITIVE)
            if self._applies(source, call) and estimators.wrappable(source, call, view)
        ]
        if not calls or estimators.scaled(view):
            return
        edits = Edits(source)
        scaler = edits.use("sklearn.preprocessing", "StandardScaler") + ("(with_mean=False)" if estimators.sparse(view) else "()")
        done: set[ast.Call] = set()
        for call, _ in calls:
            around = estimators.pipeline(source, call)
            if around is None:
                edits.wrap(call, f"{edits.use('sklearn.pipeline', 'make_pipeline')}({scaler}, ", ")")
            elif around not in done:
                done.add(around)
                self._first_step(source, around, scaler, edits)
        yield Place(calls[0][0].lineno, estimators.listing([name for _, name in calls]), edits)

    def _applies(self, source: Source, call: ast.Call) -> bool:
        around = estimators.pipeline(source, call)
        if around is None:
            return True
        names = estimators.steps(source, around)
        return not any(name in estimators.SCALERS | estimators.TEXT | {"ColumnTransformer"} for name in names)

    def _first_step(self, source: Source, around: ast.Call, scaler: str, edits: Edits) -> None:
        if estimators.kind(source, around) == "make_pipeline" and around.args:
            edits.wrap(around.args[0], f"{scaler}, ", "")
        elif around.args and isinstance(around.args[0], ast.List) and around.args[0].elts:
            edits.wrap(around.args[0].elts[0], f'("scale_features", {scaler}), ', "")
        else:
            edits.failed = "the pipeline's steps are not written out"


LEVER = ScaleFeatures()
