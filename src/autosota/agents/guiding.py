"""AgentMonitor asks a model: what to tell a coder that is stuck, where the rules' own words are general (paper 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from autosota.agents import showing
from autosota.agents.monitor import Advice
from autosota.ports import Step

if TYPE_CHECKING:
    from autosota.ask import Ask

_LAST = 8
_LONGEST = 800


class Guidance(BaseModel):
    """Words for a coder."""

    guidance: str = Field(default="", description="at most four sentences")


def guide(ask: Ask) -> Callable[[Advice, Sequence[Step]], str]:
    """What a session asks for guidance; its answer is empty where there is none."""

    def words(advice: Advice, steps: Sequence[Step]) -> str:
        if not ask.available("monitor"):
            return ""
        shown = "\n".join(
            f"- {step.kind}: {showing.clip(step.text, 400)}\n  → {showing.clip(step.output[-400:], 300)}"
            for step in steps[-_LAST:]
        )
        answer = ask("monitor.guide", Guidance, reason=advice.reason, steps=shown or "- none")
        said = showing.clip(answer.guidance, _LONGEST) if answer else ""
        if answer is not None:
            ask.settle("monitor.guide", taken=(said,) if said else ())
        return said

    return words
