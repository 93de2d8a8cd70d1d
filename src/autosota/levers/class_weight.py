"""Classes weighted by the inverse of their frequency."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

_MODELS = frozenset(
    {
        "LogisticRegression",
        "SVC",
        "LinearSVC",
        "SGDClassifier",
        "RidgeClassifier",
        "RandomForestClassifier",
        "ExtraTreesClassifier",
        "DecisionTreeClassifier",
        "HistGradientBoostingClassifier",
        "Perceptron",
    }
)


class ClassWeight(PythonLever):
    """`class_weight="balanced"`, only where the metric counts every class alike."""

    name = "class_weight"
    title = "Weight classes by inverse frequency"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "medium"
    priority = 0.76
    metrics = r"balanced|macro|g_?-?mean|recall|f1|auprc|average[ _-]precision|unweighted|worst"
    rationale = (
        "A metric that averages over classes gives a rare class as much say as a frequent one, the training loss does not; "
        "weighting by inverse "
        "frequency makes the two agree (King and Zeng 2001; He and Garcia 2009, Learning from imbalanced data)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, _MODELS):
            present = keyword(call, "class_weight")
            if spreads(call) or (present is not None and not (isinstance(present, ast.Constant) and present.value is None)):
                continue
            if name == "HistGradientBoostingClassifier" and not view.at_least("scikit-learn", "1.2"):
                continue
            edits = Edits(source)
            edits.pass_keyword(call, "class_weight", '"balanced"')
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = ClassWeight()
