"""What a red line is: its text, and its checks of ideas, patches and measurements (paper 3.9; validity.md 3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal

from autosota.records import Case, Idea, Measurement, Patch, Violation
from autosota.redlines.difference import Difference

RedLineId = Literal["R1", "R2", "R3", "R4", "R5", "R6", "R7"]
Check = Callable[[Difference], Iterable[Violation]]
"""One static rule: looks at the whole difference to the baseline and names what it finds. Pure."""

_NEGATED = re.compile(r"\b(not?|never|without|avoid\w*|instead of|rather than|don't|cannot|nothing)\b[^.;]*$", re.IGNORECASE)


class RedLine:
    """One of the seven. Subclasses give the text and list their checks; all methods are pure."""

    id: ClassVar[RedLineId]
    title: ClassVar[str]
    text: ClassVar[str]
    """The rule in words, as prompts, documentation and report quote it."""
    checks: ClassVar[tuple[Check, ...]] = ()
    words: ClassVar[tuple[str, ...]] = ()
    """Regular expressions of plans that cross the line; a plan in words that matches is put before a person."""

    def idea(self, idea: Idea, case: Case) -> tuple[Violation, ...]:
        """What is wrong with trying this at all."""
        plan = " ".join((idea.title, idea.rationale, idea.instructions))
        for pattern in self.words:
            for match in re.finditer(pattern, plan, re.IGNORECASE):
                if _NEGATED.search(plan[max(0, match.start() - 40) : match.end()]):
                    continue
                evidence = f"the plan says {match[0][:120]!r}"
                return (
                    Violation(
                        red_line=self.id, rule="plan-crosses", action="review", evidence=evidence, fix=f"keep to: {self.title}"
                    ),
                )
        return ()

    def patch(self, patch: Patch, case: Case) -> tuple[Violation, ...]:
        """What is wrong with this change, seen as a whole against the baseline."""
        return self.inspect(Difference(patch, case))

    def inspect(self, difference: Difference) -> tuple[Violation, ...]:
        """`patch` for a difference that several red lines share."""
        return tuple(violation for check in self.checks for violation in check(difference))

    def measurements(
        self, candidate: Sequence[Measurement], baseline: Sequence[Measurement], case: Case
    ) -> tuple[Violation, ...]:
        """What is wrong with these numbers. Both arms hold finished measurements, paired in order."""
        return ()
