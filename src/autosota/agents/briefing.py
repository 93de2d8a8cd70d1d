"""What a coding agent is told to carry out an idea: the idea's own words, what must not change, and the red lines."""

from __future__ import annotations

from autosota.agents import showing
from autosota.ports import Brief
from autosota.records import Case, Idea

_PROTECTED = 20


def brief(idea: Idea, case: Case) -> Brief:
    """The task of one session. The same idea on the same case is told the same."""
    zones = case.environment.zones
    guarded = list(zones.protected[:_PROTECTED]) + [
        f"{path}: {', '.join(names[:8])}" for path, names in list(zones.symbols.items())[:_PROTECTED]
    ]
    commands = case.environment.commands
    line = commands.evaluate or f"{commands.predict} and then {commands.score}"
    parts = [
        f"{idea.title}\n\n{idea.instructions}",
        f"# Why\n{idea.rationale}" if idea.rationale else "",
        f"# Measure\nThe code is measured with `{line}` by others, after you are done. "
        f"The metric: {showing.metric(case.rubric.metrics)}. "
        "What you measure or write down yourself counts for nothing.",
        "# Leave as it is\nChanges here have no effect:\n" + "\n".join(f"- {name}" for name in guarded) if guarded else "",
        f"# Rules\nThe change is thrown away if it crosses one of these lines:\n{showing.red_lines()}",
    ]
    return Brief(instructions="\n\n".join(part for part in parts if part))
