"""AgentFix (paper section 3.6): from an error log to a remedy, by signature, skills and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota import failures, skills
from autosota.agents import diagnosis
from autosota.ask import Ask
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

    def __init__(self, memory: Path | Memory | None = None, ask: Ask | None = None) -> None:
        """`memory`: file of the memory across runs, made if absent; None remembers this run only. `ask`: a model to diagnose what
        no skill knows."""
        self.memory = memory if isinstance(memory, Memory) else Memory(memory)
        self._ask = ask
        self._answers: dict[str, str] = {}
        self._vain: list[str] = []
        self._questions = 0

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
        return self._remembered(failure, context, skipped) or self._diagnosed(failure, context, skipped)

    def _remembered(self, failure: Failure, context: Context, skipped: Sequence[str]) -> Proposal | None:
        """A diagnosis that worked for this signature in an earlier run, where it applies here too."""
        for text in self.memory.remedies(failure.signature):
            answer = diagnosis.from_json(text)
            remedy = diagnosis.remedy_of(answer, context)[0] if answer else None
            if remedy is not None and (proposal := self._usable(failure, remedy, text, context, skipped)):
                return proposal
        return None

    def _diagnosed(self, failure: Failure, context: Context, skipped: Sequence[str]) -> Proposal | None:
        """A model's remedy for a failure that nothing else knows (paper 3.6)."""
        if self._ask is None or self._questions >= diagnosis.QUESTIONS or not self._ask.available("fix"):
            return None
        self._questions += 1
        remedy, answer = diagnosis.ask_for(self._ask, failure, context, self._vain)
        if remedy is None or answer is None:
            return None
        return self._usable(failure, remedy, diagnosis.to_json(answer), context, skipped)

    def _usable(
        self, failure: Failure, remedy: Remedy, text: str, context: Context, skipped: Sequence[str]
    ) -> Proposal | None:  # fmt: skip
        detail = remedy.detail()
        if not _changes_something(remedy, context) or detail in skipped:
            return None
        if self.memory.failed(failure.signature, diagnosis.NAME, detail):
            return None
        self._answers[detail] = text
        return Proposal(failure, diagnosis.skill(), remedy)

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
        detail = proposal.remedy.detail()
        self.memory.remember(proposal.failure.signature, proposal.skill.name, outcome, detail)
        if proposal.skill.name == diagnosis.NAME:
            if outcome == "worked" and detail in self._answers:
                self.memory.keep(proposal.failure.signature, detail, self._answers[detail])
            elif outcome != "worked":
                self._vain.append(f"{proposal.remedy.reason} ({', '.join(proposal.remedy.touched)}): {outcome}")


def _changes_something(remedy: Remedy, context: Context) -> bool:
    """A remedy that leaves tree, environment, command and variables as they are would be an endless loop."""
    variables = any(context.recipe.variables.get(name) != value for name, value in remedy.variables.items())
    changes = any(context.tree.get(change.path) != change.content or change.mode != "100644" for change in remedy.changes)
    command = remedy.command is not None and remedy.command != context.commands.evaluate
    return bool(variables or changes or command or remedy.install or remedy.drop or remedy.python or remedy.before)
