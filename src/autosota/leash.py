"""A coder on a leash: it works in a thread of its own, one step ahead of its judge at most, and runs nothing once it is over."""

from __future__ import annotations

import contextlib
import contextvars
import json
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue

from autosota.agents.fix import Fix
from autosota.errors import AutosotaError, StageError
from autosota.ports import Brief, Coder, Command, Execution, Sandbox, Step
from autosota.store import digest

TICK = 0.5
"""Seconds between two looks at a coder that says nothing."""
_RECORDED = 20_000
"""Characters of a step's output that are recorded."""


class Leash:
    """The sandbox as the coder gets it: ends with the session, and says what is known of a failure."""

    def __init__(self, sandbox: Sandbox, fix: Fix, deadline: float | None) -> None:
        self.root = sandbox.root
        self.over = threading.Event()
        self._sandbox, self._fix, self._deadline = sandbox, fix, deadline
        self._failures: list[tuple[str, str]] = []
        self.hints = ""

    def run(self, command: Command) -> Execution:
        """See the port. Raises StageError once the session is over."""
        if self.over.is_set():
            raise StageError("the session is over")
        limits = command.limits
        if self._deadline is not None:
            limits = replace(limits, seconds=max(0.1, min(limits.seconds, self._deadline - time.monotonic())))

        def until(output: str) -> bool:
            return self.over.is_set() or (command.until is not None and command.until(output))

        done = self._sandbox.run(replace(command, limits=limits, until=until, quiet=min(command.quiet, TICK)))
        return self._advised(done) if done.exit_code and done.ended == "exit" else done

    def _advised(self, done: Execution) -> Execution:
        failure = self._fix.read(done)
        if not failure.exception:
            return done
        skill = next((skill for skill in self._fix.candidates(failure) if "source" in skill.touches), None)
        self._failures.append((failure.signature, skill.name if skill else ""))
        if skill is None:
            return done
        self.hints = f"known failure, {skill.name}: {' '.join(skill.description.split())[:400]}"
        return replace(done, notes=(*done.notes, self.hints))

    def take_failures(self) -> list[tuple[str, str]]:
        """Signatures that commands failed with since the last call, each with the skill that was named."""
        found, self._failures = self._failures, []
        return found

    def state(self) -> str:
        """Digest of everything changed so far."""
        parts = [f"{path}\0{(self._sandbox.read(path, 2**20) or b'').hex()}" for path in self._sandbox.changed()[:500]]
        return digest("\0".join(parts))

    def read(self, path: str, limit: int = 64 * 2**20) -> bytes | None:
        """See the port."""
        return self._sandbox.read(path, limit)

    def changed(self) -> tuple[str, ...]:
        """See the port."""
        return self._sandbox.changed()


class End:
    """No more steps."""


END = End()


class Attempt:
    """The coder at work in a thread of its own, one step ahead at most: the next one begins when the last was judged."""

    def __init__(self, coder: Coder, brief: Brief, leash: Leash) -> None:
        self._coder, self._brief, self._leash = coder, brief, leash
        self._steps: SimpleQueue[Step | End] = SimpleQueue()
        self._permit = threading.Semaphore(0)
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._run,), name="coder", daemon=True)
        self._bug: BaseException | None = None
        self.problem: str | None = None
        """What the coder itself failed with."""

    def _run(self) -> None:
        try:
            with contextlib.closing(_generator(self._coder.work(self._brief, self._leash))) as steps:
                for step in steps:
                    self._steps.put(step)
                    self._permit.acquire()
                    if self._leash.over.is_set():
                        return
        except AutosotaError as error:
            self.problem = error.message
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._bug = error
        finally:
            self._steps.put(END)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def next(self) -> Step | End | None:
        """The next step; None where there was none for a moment. Raises what the coder raised if that was a bug."""
        try:
            step = self._steps.get(timeout=TICK)
        except Empty:
            return None
        if step is END:
            self._thread.join()
            if self._bug is not None:
                raise self._bug
        return step

    def proceed(self) -> None:
        """The last step was judged."""
        self._permit.release()

    def stop(self) -> None:
        """End what runs; a coder that waits for an answer from outside is left to itself and can run nothing any more."""
        self._leash.over.set()
        self._permit.release()
        self._thread.join(timeout=20.0)

    @property
    def alive(self) -> bool:
        """Does it still wait for something from outside?"""
        return self._thread.is_alive()


def _generator(steps: Iterator[Step]) -> Generator[Step, None, None]:
    """An iterator that can be closed."""
    yield from steps


@dataclass
class Record:
    """steps.jsonl: one line a step, flushed as it happens."""

    file: Path
    secrets: Sequence[str] = ()
    steps: int = 0
    restarts: int = 0
    usd: float = 0.0
    recent: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """A step that was made."""
        self.steps += 1
        self.usd += step.usd
        self.recent = [*self.recent[-9:], step]
        line = {"at": round(time.time(), 3), "kind": step.kind, "text": step.text[:_RECORDED], "output": step.output[-_RECORDED:]}
        if step.exit_code is not None:
            line["exit_code"] = step.exit_code
        self._append(line)

    def restart(self, why: str, guidance: str) -> None:
        """The attempt was ended; another one begins."""
        self.restarts += 1
        self._append({"at": round(time.time(), 3), "kind": "restart", "text": why, "guidance": guidance})

    def masked(self, text: str) -> str:
        """Without secrets, as they are or as JSON holds them; a longer one before one that it holds."""
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            text = text.replace(json.dumps(secret)[1:-1], "[key]").replace(secret, "[key]")
        return text

    def _append(self, line: Mapping[str, object]) -> None:
        text = self.masked(json.dumps(line))
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(text + "\n")
