"""The mean of models fitted on parts of the training rows."""

from __future__ import annotations

from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_UNSTABLE = {
    "DecisionTreeClassifier": "BaggingClassifier",
    "DecisionTreeRegressor": "BaggingRegressor",
    "MLPClassifier": "BaggingClassifier",
    "MLPRegressor": "BaggingRegressor",
    "KNeighborsClassifier": "BaggingClassifier",
    "KNeighborsRegressor": "BaggingRegressor",
    "GaussianProcessRegressor": "BaggingRegressor",
}


class Bagging(PythonLever):
    """Unstable scikit-learn models only; five models on four tenths of the rows each cost about twice one fit."""

    name = "bagging"
    title = "Bag models over parts of the training data"
    level: Level = "ALGO"
    scope: Scope = "macro"
    risk: Risk = "high"
    priority = 0.4
    leap = True
    rationale = (
        "Models that change much with their training rows have errors that cancel when several are averaged; each sees "
        "fewer rows, so the cost "
        "stays near twice one fit and shows in the guarded CPU time (Breiman 1996, Bagging predictors)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if "Bagging" in source.text or "Voting" in source.text:
            return
        for call, name in estimators.made(source, frozenset(_UNSTABLE)):
            if not estimators.wrappable(source, call, view) or estimators.host(source, call) not in (
                "",
                "make_pipeline",
                "Pipeline",
            ):
                continue
            edits = Edits(source)
            seed = next(
                (f", random_state={source.segment(each.value)}" for each in call.keywords if each.arg == "random_state"), ""
            )
            edits.wrap(call, f"{edits.use('sklearn.ensemble', _UNSTABLE[name])}(", f", n_estimators=5, max_samples=0.4{seed})")
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = Bagging()
