"""Gaussian noise in pairs of opposite sign."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword
from autosota.records import Level, Risk, Scope

_NOISE = re.compile(
    r"^(z|eps(ilon)?s?|noise|perturbations?|directions?|deltas?|dw|shocks?|normals?|xi|increments?|gaussians?|u)$", re.IGNORECASE
)
_ESTIMATE = re.compile(
    r"monte|carlo|payoff|\bmc\b|antithetic|expect|price|evolution|\bes\b|fitness|reward|gradient_estimate|smoothed|estimat|integr",
    re.IGNORECASE,
)
_HELPER = '''
def {name}(draws):
    """The first half of the draws, each followed somewhere by its mirror image, so that odd moments are exact."""
    half = draws[: (len(draws) + 1) // 2]
    return {np}.concatenate([half, -half])[: len(draws)]
'''


class AntitheticPairs(PythonLever):
    """Standard normal draws that go into a Monte Carlo mean or the search directions of an evolution strategy."""

    name = "antithetic_pairs"
    title = "Antithetic pairs of Gaussian draws"
    level: Level = "ALGO"
    scope: Scope = "meso"
    risk: Risk = "medium"
    priority = 0.78
    leap = True
    rationale = (
        "Drawing each perturbation together with its mirror image cancels all odd terms of the estimate, at the same "
        "number of evaluations "
        "(Hammersley and Morton 1956; Salimans et al. 2017, Evolution strategies)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if "antithetic" in source.text.lower() or "mirrored" in source.text.lower():
            return
        for node in source.walk():
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name)):
                continue
            if not _NOISE.match(node.targets[0].id) or not _standard_normal(source, node.value):
                continue
            function = source.function(node)
            text = source.text if isinstance(function, ast.Module) else source.segment(function)
            averages = re.search(
                r"\.mean\(|np\.mean\(|np\.average\(|\.T\s*@|np\.dot\(|/\s*(n|m|len|pop|num|count|self\.(n|pop|num))", text
            )
            if (
                not averages
                or not _ESTIMATE.search(text + " " + source.path + " " + source.scope(node))
                or not self._population(source, node)
            ):
                continue
            edits, helper = Edits(source), source.fresh("antithetic")
            edits.helper(_HELPER.format(name=helper, np=edits.use("numpy")))
            edits.wrap(node.value, f"{helper}(", ")")
            yield Place(node.lineno, f"{node.targets[0].id} in {source.scope(node) or 'module'}", edits)

    def _population(self, source: Source, node: ast.Assign) -> bool:
        """Is the first axis the number of draws, as its name says? Pairs along any other axis would tie coordinates together."""
        call = node.value
        assert isinstance(call, ast.Call)
        size = keyword(call, "size") or (call.args[-1] if call.args else None)
        first = size.elts[0] if isinstance(size, ast.Tuple) and size.elts else call.args[0] if call.args else size
        if first is None:
            return False
        words = source.segment(first).lower()
        return (
            bool(re.search(r"pop|num|^n$|n_|draw|sample|path|mc|count|sims?|lambda|m$|size|batch|direction|half", words))
            and "dim" not in words
        )


def _standard_normal(source: Source, call: ast.Call) -> bool:
    """standard_normal(size), randn(n, d), or normal with mean 0 or its default."""
    name = source.segment(call.func).rsplit(".", 1)[-1]
    if name == "standard_normal":
        return bool(call.args or keyword(call, "size"))
    if name == "randn":
        return bool(call.args) and source.name(call.func).startswith("numpy.")
    if name != "normal" or (keyword(call, "size") is None and len(call.args) < 3):
        return False
    mean = keyword(call, "loc") or (call.args[0] if call.args else None)
    return mean is None or (isinstance(mean, ast.Constant) and mean.value == 0)


LEVER = AntitheticPairs()
