"""Several short starts in place of one long one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, number, spreads
from autosota.records import Level, Risk, Scope

_ITERATIONS = {"KMeans": 300, "GaussianMixture": 100, "BayesianGaussianMixture": 100}
_STARTS = 4


class Restarts(PythonLever):
    """`n_init=1` becomes four starts, and `max_iter` a quarter, so that the product of both, the budget, stays."""

    name = "restarts"
    title = "Restarts within the same iteration budget"
    level: Level = "ALGO"
    scope: Scope = "micro"
    risk: Risk = "medium"
    priority = 0.64
    leap = True
    rationale = (
        "Alternating optimizers end in the local optimum next to their start after few iterations, the rest of the budget "
        "is idle; choosing the "
        "best of several short runs by the training objective uses it (Franti and Sieranoja 2019, How much can k-means be "
        "improved)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, frozenset({*_ITERATIONS, "MiniBatchKMeans"})):
            starts, limit = keyword(call, "n_init"), keyword(call, "max_iter")
            init = keyword(call, "init")
            if spreads(call) or not self._single(name, starts) or not (init is None or isinstance(init, ast.Constant)):
                continue
            edits = Edits(source)
            if starts is None:
                edits.pass_keyword(call, "n_init", str(_STARTS))
            else:
                edits.replace(starts, str(_STARTS))
            if name in _ITERATIONS:
                rounds = number(limit) if limit is not None else float(_ITERATIONS[name])
                if rounds is None or rounds < 8 * _STARTS:
                    continue
                if limit is not None:
                    edits.replace(limit, str(int(rounds) // _STARTS))
                else:
                    end = source.end(call) - 1
                    edits.splice(end, end, f", max_iter={int(rounds) // _STARTS}")
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)

    def _single(self, name: str, starts: ast.expr | None) -> bool:
        if starts is None:
            return name.endswith("Mixture")
        return number(starts) == 1 or (isinstance(starts, ast.Constant) and starts.value == "auto" and name == "KMeans")


LEVER = Restarts()
