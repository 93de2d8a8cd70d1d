"""AgentMonitor (paper section 3.5): watches work in progress and says continue, guide or stop, with a reason.

Pure: no clock, no I/O. The one who works tells it what happened, each event
with its time; the answer follows from the events alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autosota.records import Direction

Phase = Literal["environment", "evaluation", "repair", "coding", "idle"]
Word = Literal["continue", "guide", "stop"]


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: Literal["phase", "failure", "remedy", "step", "output", "state", "cost"]
    at: float
    """Seconds on any clock that only goes forward."""
    text: str = ""
    """phase: its name; failure: signature; remedy: skill; step: what was done; state: digest of the tree and environment."""
    amount: float = 0.0
    """cost: US dollars."""


@dataclass(frozen=True)
class Bounds:
    """When enough is enough; None means no bound."""

    seconds: float | None = None
    steps: int | None = None
    cost: float | None = None
    silence: float | None = 1800.0
    """Seconds without any event."""
    same_failure: int = 2
    """Remedies against one signature before another way must be found."""
    same_step: int = 3
    """Identical steps, or steps that leave the state as it was."""
    failures: int = 30
    """Failures in one piece of work."""


@dataclass(frozen=True)
class Advice:
    """The monitor's word."""

    word: Word
    reason: str = ""
    guidance: str = ""
    """What to tell the one who works."""


_GO = Advice("continue")


@dataclass(frozen=True)
class Monitor:
    """Bounds and the events so far. `seen` returns the next state; `advise` judges it."""

    bounds: Bounds = Bounds()
    events: tuple[Event, ...] = ()

    def seen(self, *events: Event) -> Monitor:
        """The monitor after these events."""
        return replace(self, events=(*self.events, *events))

    def bounded(self, bounds: Bounds) -> Monitor:
        """A fresh monitor with other bounds."""
        return Monitor(bounds)

    @property
    def phase(self) -> str:
        """The kind of work under way."""
        return next((event.text for event in reversed(self.events) if event.kind == "phase"), "idle")

    def advise(self, now: float) -> Advice:
        """Budgets first, then dead ends, then repetition, then silence."""
        return self._budget(now) or self._dead_end() or self._repetition() or self._silence(now) or _GO

    def _budget(self, now: float) -> Advice | None:
        bounds = self.bounds
        started = self.events[0].at if self.events else now
        if bounds.seconds is not None and now - started >= bounds.seconds:
            return Advice("stop", f"the time of {bounds.seconds:.0f} s is used up")
        steps = sum(event.kind == "step" for event in self.events)
        if bounds.steps is not None and steps >= bounds.steps:
            return Advice("stop", f"the {bounds.steps} steps are used up")
        spent = sum(event.amount for event in self.events if event.kind == "cost")
        if bounds.cost is not None and spent >= bounds.cost:
            return Advice("stop", f"${spent:.2f} of ${bounds.cost:.2f} are spent")
        return None

    def _dead_end(self) -> Advice | None:
        """The same signature after so many remedies; or ever new failures without an end."""
        signatures = [event.text for event in self.events if event.kind == "failure"]
        if len(signatures) >= self.bounds.failures:
            return Advice("stop", f"{len(signatures)} failures, the last: {signatures[-1]}")
        against: Counter[str] = Counter()
        current = ""
        for event in self.events:
            if event.kind == "failure":
                current = event.text
            elif event.kind == "remedy" and current:
                against[current] += 1
        if (
            signatures
            and against[signatures[-1]] >= self.bounds.same_failure
            and signatures.count(signatures[-1]) > against[signatures[-1]]
        ):
            return Advice(
                "guide", f"the same failure after {against[signatures[-1]]} remedies: {signatures[-1]}",
                "what was tried does not help; look for a different cause",
            )  # fmt: skip
        return None

    def _repetition(self) -> Advice | None:
        """The same step again and again, or steps that change nothing."""
        limit = self.bounds.same_step
        steps = [event.text for event in self.events if event.kind == "step"]
        if len(steps) >= limit and len(set(steps[-limit:])) == 1:
            return Advice(
                "guide",
                f"the same step {limit} times: {steps[-1][:120]}",
                "this step was done already and gave the same; do something else",
            )
        states = [event.text for event in self.events if event.kind == "state"]
        if len(states) > 2 * limit and len(set(states[-2 * limit :])) == 1:
            return Advice(
                "guide",
                f"{2 * limit} steps without any change",
                "nothing has changed for a while; make the change or say why it cannot be made",
            )
        return None

    def _silence(self, now: float) -> Advice | None:
        limit = self.bounds.silence
        if limit is not None and self.events and now - self.events[-1].at >= limit:
            return Advice("stop", f"silent for {now - self.events[-1].at:.0f} s during {self.phase}")
        return None


def hopeless(progress: Sequence[float], rivals: Sequence[Sequence[float]], direction: Direction) -> bool:
    """Is a run so far behind in its progress number that it is not worth finishing? (Early stop, paper 3.5.)

    Looked at from half of the rivals' length on: its best value so far is worse than every rival's best at the same step, by more
    than twice what the rivals differ among themselves. Without two rivals that came as far, never.
    """
    sign = 1.0 if direction == "max" else -1.0
    steps = len(progress)
    reached = [[sign * value for value in rival] for rival in rivals if len(rival) >= steps]
    if len(reached) < 2 or steps < 3 or 2 * steps < max(len(rival) for rival in reached):
        return False
    best = [max(rival[:steps]) for rival in reached]
    return max(sign * value for value in progress) < min(best) - 2 * (max(best) - min(best))
