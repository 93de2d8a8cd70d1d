"""Imputation that outliers do not move and that remembers what was missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope


class MissingValues(PythonLever):
    """SimpleImputer by mean becomes by median, with indicator columns."""

    name = "missing_values"
    title = "Impute by median and mark what was missing"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.65
    rationale = (
        "The mean of a skewed column is no typical value, and that a value is missing often says something itself; medians "
        "and indicator "
        "columns keep both (Little and Rubin 2002; Josse et al. 2019, On the consistency of supervised learning with "
        "missing values)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, frozenset({"SimpleImputer"})):
            strategy = keyword(call, "strategy")
            if spreads(call) or call.args or keyword(call, "add_indicator") is not None:
                continue
            if strategy is not None and not (isinstance(strategy, ast.Constant) and strategy.value == "mean"):
                continue
            edits = Edits(source)
            if strategy is None:
                edits.pass_keyword(call, "strategy", '"median", add_indicator=True')
            else:
                edits.replace(strategy, '"median", add_indicator=True')
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = MissingValues()
