"""What models cost: the usage ledger `usage.jsonl`, sums over it, and the meter that holds a cap with calls in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError

from autosota.records import Cost, Record
from autosota.store import USAGE, Store

Outcome = Literal["answered", "unreadable", "refused", "failed", "unknown"]
"""`unknown`: the process ended while the call was under way; what it may have cost at most is counted."""
_TYPICAL_OUTPUT = 600
"""Tokens of a reply, where no reply to such a question was seen yet."""


class Usage(Record):
    """One line of usage.jsonl: one reply of a model, or one failure to get one."""

    call: int
    """Number of the exchange; its prompt and reply are in `prompts/<call>.json`."""
    agent: str
    purpose: str
    """Name of the prompt's file without `.md`."""
    experiment: int | None = None
    """The experiment it was asked for."""
    model: str
    outcome: Outcome
    why: str = ""
    input_tokens: int = Field(default=0, ge=0)
    """All of the prompt's, the cached ones included."""
    cached_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """None where the price is unknown."""
    seconds: float = 0.0
    """Until the reply was there, retries included."""
    own_seconds: float = 0.0
    """What autosota itself needed: rendering, reading, recording."""
    prompt_bytes: int = 0
    shared_bytes: int = 0
    """How much of the prompt's beginning is the same as in the call of this purpose before, in bytes."""


def read(store: Store) -> list[Usage]:
    """The usage ledger. A line that cannot be read is left out: it is an account, not evidence."""
    found = []
    for line in store.lines(USAGE):
        try:
            found.append(Usage.model_validate_json(line))
        except ValidationError:
            continue
    return found


def total(lines: Iterable[Usage]) -> Cost:
    """Tokens and money of all calls; `usd` is None where the price of any call is unknown."""
    known = list(lines)
    tokens = [line for line in known if line.input_tokens or line.output_tokens or line.usd]
    prices = [line.usd for line in tokens]
    usd = None if any(price is None for price in prices) else round(sum(price or 0.0 for price in prices), 6)
    return Cost(
        usd=usd, input_tokens=sum(line.input_tokens for line in known), output_tokens=sum(line.output_tokens for line in known)
    )


def text(lines: Sequence[Usage]) -> str:
    """What models cost, in a sentence without a period."""
    if not lines:
        return "none was asked"
    cost, unpriced = total(lines), sum(line.usd is None and line.output_tokens > 0 for line in lines)
    known = sum(line.usd or 0.0 for line in lines)
    money = f"${cost.usd:.2f}" if cost.usd is not None else f"${known:.2f} and {unpriced} of unknown price"
    calls = "1 call" if len(lines) == 1 else f"{len(lines):,} calls"
    return f"{calls}, {money}, {cost.input_tokens:,} tokens in, {cost.output_tokens:,} out"


def table(lines: Sequence[Usage]) -> list[list[str]]:
    """One row an agent: agent, calls, answered, tokens in, of them cached, tokens out, US dollars."""
    rows = []
    for agent, group in by(lines, lambda line: line.agent).items():
        cost = total(group)
        money = f"{cost.usd:.4f}" if cost.usd is not None else "unknown"
        answered = sum(line.outcome == "answered" for line in group)
        cached = sum(line.cached_tokens for line in group)
        rows.append(
            [agent, f"{len(group):,}", f"{answered:,}", f"{cost.input_tokens:,}", f"{cached:,}", f"{cost.output_tokens:,}", money]
        )
    return rows


TABLE = ("agent", "calls", "answered", "tokens in", "of them cached", "tokens out", "US dollars")


def by(lines: Iterable[Usage], key: Callable[[Usage], str]) -> dict[str, list[Usage]]:
    """The ledger grouped, groups in the order of their first call."""
    groups: dict[str, list[Usage]] = {}
    for line in lines:
        groups.setdefault(key(line), []).append(line)
    return groups


@dataclass(frozen=True)
class Reserve:
    """What is held back for a call under way."""

    call: int
    most: float
    """US dollars the call can cost at most; 0 where its price is unknown or nothing."""


class Refused(Exception):
    """The cap leaves no room for another call."""


class Meter:
    """Money spent, held back and left. Safe for several threads.

    A call is admitted when the most that it can cost still fits beside everything spent and held back. Where that fits no more,
    a call is still admitted alone, with none in flight, as long as what it is expected to cost fits: so the cap is overshot by
    one call at most, and by nothing where replies stay as short as they were.
    """

    def __init__(self, cap: float | None, before: Sequence[Usage] = ()) -> None:
        self.cap = cap
        self._spent = sum(line.usd or 0.0 for line in before)
        self._held: dict[int, Reserve] = {}
        self._output: dict[str, list[int]] = {}
        for line in before:
            self._learn(line.purpose, line.output_tokens)
        self._free = threading.Condition()

    @property
    def spent(self) -> float:
        """US dollars of known price so far, earlier processes included."""
        return self._spent

    @property
    def exhausted(self) -> bool:
        """Is nothing left at all?"""
        return self.cap is not None and self._spent >= self.cap

    def expected_output(self, purpose: str) -> int:
        """Tokens a reply to this kind of question has: the mean of those seen."""
        with self._free:
            return self._mean(purpose)

    def reserve(self, call: int, purpose: str, price: Callable[[int], float | None], longest: int) -> Reserve:
        """Hold back what a call can cost. `price`: output tokens → US dollars with this prompt. Waits for calls in flight where
        only they stand in the way. Raises Refused."""
        most = price(longest) or 0.0
        with self._free:
            while self.cap is not None and most > 0:
                expected = price(min(longest, self._mean(purpose))) or 0.0
                held = sum(reserve.most for reserve in self._held.values())
                if self._spent + held + most <= self.cap or (not held and self._spent + expected <= self.cap):
                    break
                if not held:
                    raise Refused
                self._free.wait()
            if self.exhausted and self.cap is not None and most > 0:
                raise Refused
            reserve = Reserve(call, most)
            self._held[call] = reserve
            return reserve

    def settle(self, reserve: Reserve, usage: Usage) -> None:
        """The call ended: what it cost is spent, the rest of the reserve is free again."""
        with self._free:
            self._held.pop(reserve.call, None)
            self._spent += usage.usd or 0.0
            self._learn(usage.purpose, usage.output_tokens)
            self._free.notify_all()

    def _learn(self, purpose: str, tokens: int) -> None:
        if tokens:
            self._output[purpose] = [*self._output.get(purpose, []), tokens][-20:]

    def _mean(self, purpose: str) -> int:
        seen = self._output.get(purpose)
        return max(1, sum(seen) // len(seen)) if seen else _TYPICAL_OUTPUT


_PLANNED: Mapping[str, tuple[float, float, int, int]] = {
    # agent: calls however long the run, calls per evaluation of the search, tokens in, tokens out
    "resource": (1, 0, 2000, 300),
    "objective": (3, 0, 4000, 800),
    "init": (1, 0, 4000, 1200),
    "fix": (1, 0, 2500, 500),
    "ideator": (2, 0.1, 5000, 1500),
    "supervisor": (1, 0.1, 3000, 400),
    "monitor": (0, 0.05, 2000, 300),
    "coder": (0, 1.0, 5000, 500),
}


@dataclass(frozen=True)
class Estimate:
    """What a run's models will be asked and cost, roughly, before the first call."""

    calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None
    """None where a price is unknown."""

    def text(self, cap: float | None) -> str:
        """For people, before the first call."""
        money = "price unknown" if self.usd is None else f"about {self.usd:.2f} USD"
        held = f", at most {cap:g} USD" if cap is not None else ""
        tokens = f"{self.input_tokens / 1000:.0f} k tokens in, {self.output_tokens / 1000:.0f} k out"
        return f"about {self.calls} questions, {tokens}, {money}{held}"


def estimate(agents: Mapping[str, Callable[[int, int], float | None]], trials: int) -> Estimate:
    """From typical numbers of calls. `agents`: agent → its model's price of (input, output) tokens."""
    calls, inputs, outputs = 0, 0, 0
    usd: float | None = 0.0
    for agent, price in agents.items():
        fixed, each, given, said = _PLANNED.get(agent, (1, 0, 3000, 600))
        number = round(fixed + each * trials)
        calls, inputs, outputs = calls + number, inputs + number * given, outputs + number * said
        one = price(given, said)
        usd = None if usd is None or one is None else usd + number * one
    return Estimate(calls, inputs, outputs, None if usd is None else round(usd, 4))
