"""R2: evaluation script and measurement."""

from __future__ import annotations

from collections.abc import Iterator

from autosota.records import Case, Idea, Violation
from autosota.redlines.base import RedLine
from autosota.redlines.checks import dependencies, hijack, lookups, overrides, patching, protected, scoring, timing


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
    checks = (
        protected.files,
        protected.symbols,
        protected.unreadable,
        hijack.files,
        patching.foreign,
        overrides.parameters,
        scoring.spoofed,
        scoring.swallowed,
        timing.games,
        dependencies.changed,
        lookups.environment,
    )

    def idea(self, idea: Idea, case: Case) -> tuple[Violation, ...]:
        """Knobs and places in the protected zone, besides what the plan says."""
        return (*super().idea(idea, case), *self._places(idea, case))

    def _places(self, idea: Idea, case: Case) -> Iterator[Violation]:
        zones = case.environment.zones
        places = [(knob.file, knob.id.partition("::")[2].partition(":")[2], knob.line) for knob in idea.knobs]
        if idea.site is not None:
            places.append((idea.site.file, "", idea.site.line))
        for file, key, line in places:
            inside = any(key == symbol or key.startswith(f"{symbol}.") for symbol in zones.symbols.get(file, ()))
            if zones.is_protected(file) or inside:
                evidence = f"{key or 'the place'} lies in the protected zone"
                yield Violation(
                    red_line="R2", rule="idea-protected", action="reject", evidence=evidence, file=file, line=line,
                    fix="choose a place in model or training code",
                )  # fmt: skip
