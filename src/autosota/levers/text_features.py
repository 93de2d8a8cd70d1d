"""Word pairs and damped counts in bag-of-words features."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers import estimators
from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.records import Level, Risk, Scope

_WORDS = frozenset({"TfidfVectorizer", "CountVectorizer"})


class TextFeatures(PythonLever):
    """`ngram_range=(1, 2)` and, for tf-idf, `sublinear_tf=True`, where the call leaves both at their defaults."""

    name = "text_features"
    title = "Word pairs and sublinear term counts"
    level: Level = "CODE"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.8
    rationale = (
        "Bigrams keep negation and fixed phrases that single words lose, with consistent gains for linear text classifiers "
        "(Wang and Manning 2012, Baselines and Bigrams); damped counts keep one repeated word from dominating (Manning et "
        "al. 2008, section 6.4.1)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for call, name in estimators.made(source, _WORDS):
            analyzer = keyword(call, "analyzer")
            if spreads(call) or (isinstance(analyzer, ast.Constant) and analyzer.value != "word") or keyword(call, "vocabulary"):
                continue
            wanted = {} if keyword(call, "ngram_range") else {"ngram_range": "(1, 2)"}
            if name == "TfidfVectorizer" and keyword(call, "sublinear_tf") is None:
                wanted["sublinear_tf"] = "True"
            if not wanted or (name == "CountVectorizer" and analyzer is not None and not isinstance(analyzer, ast.Constant)):
                continue
            edits = Edits(source)
            names = list(wanted)
            tail = "".join(f", {name}={wanted[name]}" for name in names[1:])
            edits.pass_keyword(call, names[0], wanted[names[0]] + tail)
            yield Place(call.lineno, f"{name} in {source.scope(call) or 'module'}", edits)


LEVER = TextFeatures()
