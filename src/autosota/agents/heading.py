"""AgentObjective asks a model which of several numbers is the paper's headline (paper 3.3), with the paper's words for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from autosota.agents import quoting, showing
from autosota.records import Evidence, Paper

if TYPE_CHECKING:
    from autosota.ask import Ask


class Headline(BaseModel):
    """The number that decides."""

    name: str = Field(default="", description="one of the candidates, exactly as listed; empty where the paper does not tell")
    quote: str = Field(default="", description="words of the paper that show it, copied literally")


def headline(ask: Ask | None, names: Sequence[str], paper: Paper | None) -> tuple[str, Evidence] | None:
    """The candidate that a model names with words that the paper really holds; None without such an answer."""
    if ask is None or paper is None or not ask.available("objective"):
        return None
    listed = "\n".join(f"- {name}" for name in names[:20])
    found = showing.passages(paper, "main result primary metric headline report table improve " + " ".join(names))
    answer = ask(
        "objective.headline", Headline, abstract=showing.abstract(paper), candidates=listed, passages="\n".join(found),
    )  # fmt: skip
    if answer is None:
        return None
    evidence = quoting.in_paper(answer.quote, paper)
    if answer.name not in names or evidence is None:
        why = "is no candidate" if answer.name not in names else "is not shown by words of the paper"
        ask.settle("objective.headline", taken=(), dropped=(f"{showing.clip(answer.name, 80) or 'no name'} {why}",))
        return None
    ask.settle("objective.headline", taken=(f"{answer.name}: {showing.clip(evidence.quote, 160)}",))
    return answer.name, evidence
