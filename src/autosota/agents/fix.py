"""AgentFix (paper section 3.6): from an error log to a remedy, by signature, skills and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota import failures, skills
from autosota.failures import Failure, Memory, Outcome
from autosota.ports import Execution
from autosota.skills import Context, Remedy, Skill

LAST_RESORT = 10
"""Skills of less priority stand for something else than the author used: having worked elsewhere does not bring them forward."""


@dataclass(frozen=True)
class Proposal:
    """A remedy for one failure, and the skill it comes from."""

    failure: Failure
    skill: Skill
    remedy: Remedy


class Fix:
    """Proposes remedies, never one that failed for the same signature before, and remembers how they did."""

    def __init__(self, memory: Path | Memory | None = None) -> None:
        """`memory`: file of the memory across runs, made if absent; None remembers this run only."""
        self.memory = memory if isinstance(memory, Memory) else Memory(memory)

    def diagnose(self, execution: Execution, context: Context, skipped: Sequence[str] = ()) -> Proposal | None:
        """The most promising remedy not tried in vain, or None. `skipped`: details of remedies that could not be applied."""
        failure = self.read(execution)
        for skill in self.candidates(failure):
            match = skill.match(failure)
            if match is None or skill.function is None:
                continue
            remedy = skill.function(failure, match, context)
            if remedy is None or not _changes_something(remedy, context):
                continue
            detail = remedy.detail()
            if detail in skipped or self.memory.failed(failure.signature, skill.name, detail):
                continue
            return Proposal(failure, skill, remedy)
        return None

    def read(self, execution: Execution) -> Failure:
        """The failure that an execution's output shows: stderr, else stdout."""
        found = failures.read(execution.stderr)
        if found.exception or not execution.stdout.strip():
            return found
        other = failures.read(execution.stdout)
        both = f"{execution.stdout[-20_000:]}\n{execution.stderr}"
        return other if other.exception else failures.read(both)

    def candidates(self, failure: Failure) -> list[Skill]:
        """Skills whose signatures match: what worked for this signature first, then by priority."""
        known = self.memory.outcomes(failure.signature)
        matching = [skill for skill in skills.load() if skill.match(failure)]

        def order(skill: Skill) -> tuple[float, int, str]:
            counts = known.get(skill.name, {"worked": 0, "failed": 0})
            if skill.priority < LAST_RESORT:
                counts = {"worked": 0, "failed": 0}
            return (-(counts["worked"] - counts["failed"]) if counts["worked"] else 0.0, -skill.priority, skill.name)

        return sorted(matching, key=order)

    def record(self, proposal: Proposal, outcome: Outcome) -> None:
        """Remember how a remedy did."""
        self.memory.remember(proposal.failure.signature, proposal.skill.name, outcome, proposal.remedy.detail())


def _changes_something(remedy: Remedy, context: Context) -> bool:
    """A remedy that leaves tree, environment, command and variables as they are would be an endless loop."""
    variables = any(context.recipe.variables.get(name) != value for name, value in remedy.variables.items())
    changes = any(context.tree.get(change.path) != change.content or change.mode != "100644" for change in remedy.changes)
    command = remedy.command is not None and remedy.command != context.commands.evaluate
    return bool(variables or changes or command or remedy.install or remedy.drop or remedy.python or remedy.before)
