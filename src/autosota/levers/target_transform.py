"""Skewed regression targets made symmetric while fitting."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_DONE = re.compile(
    r"TransformedTargetRegressor|log1p|expm1|np\.log\(|np\.exp\(|boxcox|yeo|StandardScaler\(\)\.fit_transform\(y", re.IGNORECASE
)
_SKEWED = re.compile(
    r"price|cost|income|salary|count|demand|sales|load|traffic|visits|revenue|rainfall|population|duration|housing|diabetes"
)


class TargetTransform(PythonLever):
    """Wraps scikit-learn regressors in TransformedTargetRegressor with a Yeo-Johnson transform fitted on the training targets."""

    name = "target_transform"
    title = "Yeo-Johnson transform of the target"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "medium"
    priority = 0.5
    leap = True
    rationale = (
        "Squared loss on a target with a long tail is ruled by a few large values; fitting on a power-transformed scale "
        "and mapping back treats "
        "relative errors evenly (Box and Cox 1964; Yeo and Johnson 2000)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if view.mentions(_DONE) or (view.guarded and not any(_SKEWED.search(each.text.lower()) for each in view.sources)):
            return
        calls = [
            (call, name)
            for call, name in estimators.made(source, estimators.REGRESSORS)
            if estimators.wrappable(source, call, view) and not estimators.host(source, call).endswith(("CV", "Regressor"))
        ]
        if not calls:
            return
        edits = Edits(source)
        wrapper = edits.use("sklearn.compose", "TransformedTargetRegressor")
        transformer = edits.use("sklearn.preprocessing", "PowerTransformer")
        for call, _ in calls:
            edits.wrap(call, f"{wrapper}(regressor=", f", transformer={transformer}())")
        yield Place(calls[0][0].lineno, estimators.listing([name for _, name in calls]), edits)


LEVER = TargetTransform()
