"""R2: evaluation script and measurement."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.checks import dependencies, hijack, patching, protected


class EvaluationScript(RedLine):
    """Evaluation script and measurement."""

    id = "R2"
    title = "Evaluation script and measurement"
    text = (
        "The code that scores stays the baseline's, and so does everything it stands on: no edit, no replacement at "
        "import time, no hijacked module or interpreter hook, no score written by hand, no games with clocks, failures or "
        "exit codes. Parameters given by the caller are used as given."
    )
    words = (
        r"(edit|change|modify|patch|rewrite|monkey-?patch)\w* (the )?(evaluat\w+|scor(er|ing)|metric) (script|code|function)",
        r"(skip|ignore|drop)\w* (failed|failing|hard|difficult) (items|rows|cases|test)",
    )
    checks = (protected.files, hijack.files, patching.foreign, dependencies.changed)
