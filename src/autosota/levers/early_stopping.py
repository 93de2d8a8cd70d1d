"""Training that ends when a held-back part of the training rows no longer improves."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

_SWITCH = frozenset(
    {
        "MLPClassifier",
        "MLPRegressor",
        "SGDClassifier",
        "SGDRegressor",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
    }
)
_ROUNDS = frozenset({"GradientBoostingClassifier", "GradientBoostingRegressor"})


class EarlyStopping(PythonLever):
    """scikit-learn's own early stopping, which splits the rows given to `fit`."""

    name = "early_stopping"
    title = "Stop early on a validation part of the training data"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "medium"
    priority = 0.5
    rationale = (
        "Iterative learners first fit structure and then noise; stopping when rows held back from training stop improving "
        "is regularization "
        "for free, at the price of those rows (Prechelt 1998, Early stopping, but when?)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, _SWITCH | _ROUNDS):
            if spreads(call):
                continue
            edits = Edits(source)
            if name in _ROUNDS:
                if keyword(call, "n_iter_no_change") is not None:
                    continue
                edits.pass_keyword(call, "n_iter_no_change", "15")
            else:
                present = keyword(call, "early_stopping")
                solver, rounds = keyword(call, "solver"), keyword(call, "tol")
                if isinstance(solver, ast.Constant) and solver.value == "lbfgs":
                    continue
                if present is not None and not (isinstance(present, ast.Constant) and present.value is False):
                    continue
                if isinstance(rounds, ast.Constant) and rounds.value is None:
                    edits.replace(rounds, "1e-3")
                edits.pass_keyword(call, "early_stopping", "True")
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = EarlyStopping()
