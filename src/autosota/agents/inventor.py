"""The ideator's half that asks a model (paper 3.7): notes on what is known, ideas for the library, candidates for a leap.

Asked only for what rules do not find; every question carries what they found. Without an answer nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from autosota.agents import inventing, showing
from autosota.agents.inventing import Library, Notes
from autosota.records import Case, Experiment, Idea

if TYPE_CHECKING:
    from autosota.ask import Ask

NOTES = 2_000
"""Characters of a person's notes that reach a question."""
_FINDINGS = 8


class Inventor:
    """Asks for notes and ideas on one case. `coder`: can code changes be carried out in this run?"""

    def __init__(self, ask: Ask, *, coder: bool, notes: Callable[[], str], references: Callable[[Case], Sequence[str]]) -> None:
        """`notes`: what a person wrote for this run, read afresh; `references`: literature at hand, one line each."""
        self._ask, self._coder, self._notes, self._references = ask, coder, notes, references

    def knowledge(self, case: Case, survey: str) -> tuple[str, ...]:
        """Prior-knowledge notes (paper 3.7.1), one line each; empty where there is no answer."""
        if not self._ask.available("ideator"):
            return ()
        paper = case.paper
        answer = self._ask(
            "ideator.notes", Notes, abstract=showing.abstract(paper), outline=showing.outline(paper),
            metric=showing.metric(case.rubric.metrics), survey=survey[:3_000],
            passages=showing.passages(paper, "method limitation future failure assumption training fixed default choose", 5),
            references="\n".join(f"- {showing.clip(line, 500)}" for line in self._references(case)) or "- none",
        )  # fmt: skip
        if answer is None:
            return ()
        found = [note for note in answer.notes if note.finding.strip()][:_FINDINGS]
        lines = tuple(_line(note) for note in found)
        self._ask.settle("ideator.notes", taken=lines, dropped=())
        return lines

    def library(self, case: Case, ideas: Sequence[Idea]) -> tuple[Idea, ...]:
        """Ideas for the library beside those of rules, and library ideas moved up (paper 3.7.2)."""
        noise = case.baseline.noise.get(case.rubric.primary.name) if case.baseline else None
        mean = case.baseline.mean.get(case.rubric.primary.name) if case.baseline else None
        baseline = (
            f"{mean:.5g}" + (f", standard deviation over seeds {noise:.2g}" if noise else "") if mean is not None else "unknown"
        )
        answer = self._ask(
            "ideator.propose", Library, **self._constant(case), count=len(ideas), ideas=showing.idea_list(ideas),
            notes=self._notes()[:NOTES], baseline=baseline,
        )  # fmt: skip
        if answer is None:
            return ()
        found = self._sorted(case, answer.ideas, ideas, case.tree, "ideator.propose", leap=False)
        return (*inventing.favored(answer.first, ideas), *found)

    def leap(
        self, case: Case, tried: Sequence[Experiment], ideas: Sequence[Idea], tree: Mapping[str, bytes], paths: Sequence[str]
    ) -> tuple[Idea, ...]:
        """Three structural candidates for the present state (paper 3.7.3). `paths`: files in which `tree` may differ."""
        answer = self._ask(
            "ideator.leap", Library, **self._constant(case), history=showing.history(tried, case.rubric.primary),
            ideas=showing.idea_list(ideas, [item.idea for item in tried]), notes=self._notes()[:NOTES],
            changes=showing.changes(case.tree, tree, paths),
        )  # fmt: skip
        if answer is None:
            return ()
        return self._sorted(case, answer.ideas[: inventing.CANDIDATES], ideas, tree, "ideator.leap", leap=True)

    def _constant(self, case: Case) -> dict[str, object]:
        """What is the same in every question of a run."""
        analysis = case.analysis
        return {
            "red_lines": showing.red_lines(), "coder": self._coder, "abstract": showing.abstract(case.paper),
            "metric": showing.metric(case.rubric.metrics), "code": showing.code(case),
            "constraints": "\n".join(f"- {showing.clip(item.text, 200)}" for item in case.rubric.constraints[:10]),
            "knowledge": "\n".join(f"- {showing.clip(note, 300)}" for note in (analysis.knowledge if analysis else ())),
            "knobs": showing.knob_list(analysis.knobs if analysis else ()),
            "levers": showing.site_list(analysis.sites if analysis else ()),
        }  # fmt: skip

    def _sorted(
        self, case: Case, proposed: Sequence[inventing.Proposed], ideas: Sequence[Idea], tree: Mapping[str, bytes],
        purpose: str, *, leap: bool,
    ) -> tuple[Idea, ...]:  # fmt: skip
        analysis = case.analysis
        found = inventing.sort(
            proposed, knobs=analysis.knobs if analysis else (), sites=analysis.sites if analysis else (), tree=tree,
            library=ideas, leap=leap,
        )  # fmt: skip
        kept = tuple(idea for idea in found.ideas if self._coder or not idea.instructions)
        dropped = [f"{idea.title}: needs a coding agent (--coder)" for idea in found.ideas if idea not in kept]
        self._ask.settle(purpose, taken=tuple(f"{idea.level} {idea.title}" for idea in kept), dropped=(*found.dropped, *dropped))
        return kept


def _line(note: Notes.Note) -> str:
    source = f" ({showing.clip(note.source, 120)})" if note.source.strip() else " (source not given)"
    here = f" Here: {showing.clip(note.here, 120)}." if note.here.strip() else ""
    return showing.clip(note.finding, 300) + source + here
