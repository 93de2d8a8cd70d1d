"""Asking a model: render a prompt, get a typed answer, count the cost. Whatever goes wrong, the caller goes on by rule.

Every exchange is kept in the run directory (`prompts/`) and accounted for in `usage.jsonl`; a cap on money holds with calls in
flight and over kills. What a model writes is data: it is validated, bounded, and never executed here.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pydantic import BaseModel

from autosota.ask import exchanges, replies, usage
from autosota.ask.exchanges import Taken
from autosota.ask.rendering import Prompts, quoted
from autosota.ask.usage import Meter, Usage
from autosota.errors import ModelError
from autosota.formats import clip
from autosota.ports import Answer, Model, Prompt
from autosota.store import USAGE, Store

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")

EVERY = ""
"""Key of the model that serves every agent without one of its own."""
REPAIRS = 2
"""Further rounds in which a model may mend an answer that cannot be read."""
_RESTS = (30.0, 120.0, 600.0)
"""Seconds for which a model is not asked after one, two, more failures in a row."""

_experiment: contextvars.ContextVar[int | None] = contextvars.ContextVar("experiment", default=None)


class Ask:
    """One per run; safe for several threads. `models`: agent → model, with the key EVERY for all others."""

    def __init__(
        self, models: Mapping[str, Model], store: Store, *, cap: float | None = None, tell: Callable[[str], None] | None = None,
        prompts: Prompts | None = None,
    ) -> None:  # fmt: skip
        before = exchanges.recover(store)
        self.meter = Meter(cap, before)
        self._models = dict(models)
        self._prompts = prompts or Prompts()
        self._store, self._tell = store, tell
        self._notes: dict[str, None] = {}
        self._rests: dict[str, tuple[int, float]] = {}
        self._last: dict[str, str] = {}
        self._answered: dict[str, int] = {}
        self._number = max([line.call for line in before], default=0)
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Load what the first question needs."""
        self._prompts.warm()

    @property
    def notes(self) -> tuple[str, ...]:
        """Why questions went unanswered, each once, in the order they came up."""
        with self._lock:
            return tuple(self._notes)

    def available(self, agent: str) -> bool:
        """Would a question of this agent be put to a model now?"""
        model = self._model_of(agent)
        return model is not None and not self.meter.exhausted and not self._resting(model)

    def __call__(self, purpose: str, answer: type[A], /, **context: object) -> A | None:
        """The typed answer to `prompts/<purpose>.md`, or None: no model for this agent, cap reached, outage, refusal,
        unreadable after repair. Why is in `notes` and the usage ledger."""
        agent = purpose.partition(".")[0]
        model = self._model_of(agent)
        if model is None or self._resting(model):
            return None
        started = time.perf_counter()
        schema = answer.model_json_schema()
        prompt = self._prompts.render(purpose, context, schema)
        own = time.perf_counter() - started

        said = complaint = ""

        def take(reply: Answer) -> A:
            nonlocal said
            said = reply.text
            return replies.read(reply.text, answer)

        for _turn in range(REPAIRS + 1):
            try:
                return self._exchange(model, prompt, schema, take, own)
            except replies.Unreadable as error:
                complaint = str(error)
                prompt, own = _again(prompt, said, complaint), 0.0
            except ModelError as error:
                self._note(f"{purpose}: {error.message}")
                return None
        self._note(f"{purpose}: no usable answer in {REPAIRS + 1} replies ({complaint[:200]})")
        return None

    def settle(self, purpose: str, *, taken: Sequence[str], dropped: Sequence[str] = ()) -> None:
        """Put on record what an agent made of its last answer: what was taken, and what was not and why, one line each."""
        with self._lock:
            call = self._answered.get(purpose, 0)
        exchanges.settled(self._store, Taken(
            call=call, purpose=purpose, experiment=_experiment.get(), taken=tuple(clip(line, 300) for line in taken[:40]),
            dropped=tuple(clip(line, 300) for line in dropped[:40]),
        ))  # fmt: skip

    def model(self, agent: str) -> Model | None:
        """The agent's model, metered, for conversations of another form than question and typed answer; None without one."""
        model = self._model_of(agent)
        return None if model is None else _Metered(self, model, agent)

    @contextmanager
    def experiment(self, number: int) -> Iterator[None]:
        """Calls made within, by this thread, are booked on this experiment."""
        token = _experiment.set(number)
        try:
            yield
        finally:
            _experiment.reset(token)

    # ── one exchange ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _exchange(
        self, model: Model, prompt: Prompt, schema: Mapping[str, object] | None, take: Callable[[Answer], T], own: float,
        agent: str = "",
    ) -> T:  # fmt: skip
        """One reply, read by `take`. Raises ModelError, or Unreadable as `take` does; either way it is on record, a prompt
        without a purpose under `agent`."""
        started = time.perf_counter()
        number, line = self._begin(model, prompt, prompt.purpose or agent)
        tokens = len((prompt.stable + prompt.question).encode()) // 3
        try:
            reserve = self.meter.reserve(number, prompt.purpose, lambda output: model.price(tokens, output), model.longest)
        except usage.Refused:
            raise ModelError(f"the cap of {self.meter.cap:g} USD leaves no room for another call", "--cost raises it") from None
        most = reserve.most if model.price(1, 1) is not None else None
        line = line.model_copy(update={"outcome": "unknown", "usd": most})
        said, asked = "", time.perf_counter()
        try:
            with self._lock:
                exchanges.begin(self._store, line, prompt, most)
            own += time.perf_counter() - started
            asked = time.perf_counter()
            reply = model.complete(prompt, schema)
            answered = time.perf_counter()
            said = reply.text
            line = _answered(line, reply)
            with self._lock:
                self._rests.pop(model.name, None)
                self._answered[prompt.purpose] = number
            taken = _taken(model, reply, take)
            line = line.model_copy(update={"outcome": "answered", "own_seconds": round(own + time.perf_counter() - answered, 5)})
            return taken
        except replies.Unreadable as error:
            line = line.model_copy(update={"outcome": "unreadable", "why": str(error)[:300]})
            raise
        except ModelError as error:
            refused = line.output_tokens > 0 or bool(said)
            self._rest(model, error)
            spent = line.usd if refused else most if error.spent else 0.0
            line = line.model_copy(
                update={"outcome": "refused" if refused else "failed", "why": error.message[:300], "usd": spent}
            )
            raise
        finally:
            line = line.model_copy(update={"seconds": round(time.perf_counter() - asked, 4)})
            self._end(reserve, line, prompt, said)

    def _begin(self, model: Model, prompt: Prompt, purpose: str) -> tuple[int, Usage]:
        """A number, and the line of the ledger as far as it is known."""
        whole = prompt.stable + "\n" + prompt.question
        with self._lock:
            self._number += 1
            before, self._last[purpose] = self._last.get(purpose, ""), whole
            number = self._number
        draft = Usage(
            call=number, agent=purpose.partition(".")[0], purpose=purpose, experiment=_experiment.get(),
            model=model.name, outcome="answered", prompt_bytes=len(whole.encode()), shared_bytes=_shared(before, whole),
        )  # fmt: skip
        return number, draft

    def _end(self, reserve: usage.Reserve, line: Usage, prompt: Prompt, reply: str) -> None:
        """On record, and the reserve free again, whatever happens to the record."""
        try:
            exchanges.end(self._store, line, prompt, reply)
            self._store.append_line(USAGE, line.model_dump_json())
        finally:
            self.meter.settle(reserve, line)

    # ── models at rest ────────────────────────────────────────────────────────────────────────────────────────────────

    def _model_of(self, agent: str) -> Model | None:
        return self._models.get(agent) or self._models.get(EVERY)

    def _resting(self, model: Model) -> bool:
        with self._lock:
            return time.monotonic() < self._rests.get(model.name, (0, 0.0))[1]

    def _rest(self, model: Model, error: ModelError) -> None:
        """A model that fails is left alone for a while: a run must not wait for it at every turn."""
        if error.prompt:
            return
        with self._lock:
            failures = self._rests.get(model.name, (0, 0.0))[0] + 1
            rest = float("inf") if error.lasting else _RESTS[min(failures, len(_RESTS)) - 1]
            self._rests[model.name] = (failures, time.monotonic() + rest)
        self._note(f"{error.message}; " + ("not asked again" if error.lasting else "rules go on meanwhile"))

    def _note(self, text: str) -> None:
        with self._lock:
            known = text in self._notes
            if not known and len(self._notes) < 200:
                self._notes[text] = None
        if not known and self._tell:
            self._tell(text)


class _Metered:
    """A model whose calls are admitted, counted and kept like any other."""

    def __init__(self, ask: Ask, model: Model, agent: str) -> None:
        self._ask, self._model, self._agent = ask, model, agent
        self.name, self.longest = model.name, model.longest

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """As the port says; the cap reached is a ModelError, too."""
        if self._ask._resting(self._model):
            raise ModelError(f"{self.name} failed a moment ago and is not asked now")
        return self._ask._exchange(self._model, prompt, schema, lambda reply: reply, 0.0, self._agent)

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """The model's own."""
        return self._model.price(input_tokens, output_tokens)


def _answered(line: Usage, reply: Answer) -> Usage:
    return line.model_copy(
        update={
            "input_tokens": reply.input_tokens, "cached_tokens": reply.cached_tokens, "output_tokens": reply.output_tokens,
            "usd": reply.usd,
        }
    )  # fmt: skip


def _taken(model: Model, reply: Answer, take: Callable[[Answer], T]) -> T:
    if reply.ended == "refused":
        raise ModelError(f"{model.name} refused to answer", prompt=True)
    return take(reply)


def _again(prompt: Prompt, said: str, complaint: str) -> Prompt:
    """The question once more, with what was wrong. The stable part stays as it is."""
    question, _, _ = prompt.question.partition(_REPLIED)
    words = (
        f"{question}{_REPLIED}{complaint[:600]}\n{quoted(said, 'your last reply', 1500)}\n"
        "Answer again, with the whole JSON object and nothing else."
    )
    return Prompt(prompt.stable, words, prompt.purpose)


_REPLIED = "\n\nYour last reply could not be used: "


def _shared(before: str, now: str) -> int:
    """Length of the common beginning, in bytes."""
    first, second = before.encode(), now.encode()
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if first[:middle] == second[:middle] else (low, middle - 1)
    return low
