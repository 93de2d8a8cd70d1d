"""Holding a running command to its limits: one loop that reads its output, watches its resources and ends it."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autosota.ports import Command, Ended, Execution
from autosota.sandboxes import files
from autosota.sandboxes.capture import Capture

OUTPUT_FACTOR = 64
"""A command may print this many times `Limits.output` before it is ended."""
_FIRST_LOOK, _LONGEST_PAUSE = 0.02, 0.2
_GRACE = 30.0
"""Seconds the kernel gets to finish off killed processes."""
_CHUNK = 1 << 18
_RESERVE = 256 * 2**20
"""Bytes that stay free on the scratch file system whatever the limit says."""


@dataclass(frozen=True)
class Usage:
    """What a process tree uses."""

    cpu_seconds: float = 0.0
    memory: int = 0
    processes: int = 0
    peak_memory: int | None = None
    breach: Ended | None = None
    """A limit that the kernel itself has enforced."""


class Gauge(Protocol):
    """Looks at a process tree."""

    def read(self) -> Usage: ...


@dataclass
class Started:
    """A process tree that runs. `end` kills all of it, at once and without asking, and may be called twice."""

    pid: int
    """Child of this process; it ends when the tree does."""
    stdout: int
    stderr: int
    end: Callable[[], None]
    gauge: Gauge
    written: Sequence[Path] = ()
    """Folders whose size counts against `Limits.disk`."""
    report: Callable[[], Usage | None] = lambda: None
    """Asked once all is over: what the tree used in total, from a better source than the gauge; None: there is none."""
    done: int | None = None
    """A descriptor, closed by the supervisor, that becomes readable when the tree has ended and its output was delivered;
    None: a pid descriptor of `pid`."""


@dataclass
class Outcome:
    """How it went."""

    status: int
    """Wait status of `Started.pid`."""
    ended: Ended
    seconds: float
    cpu_seconds: float
    peak_memory: int | None
    stdout: Capture
    stderr: Capture
    notes: list[str] = field(default_factory=list)

    def execution(self, exit_code: int) -> Execution:
        """As the port wants it."""
        return Execution(
            exit_code=exit_code,
            stdout=self.stdout.text(),
            stderr=self.stderr.text(),
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            ended=self.ended,
            peak_memory=self.peak_memory,
            notes=tuple(self.notes),
        )


def supervise(started: Started, command: Command, stop: int) -> Outcome:
    """Follow a command to its end or a limit; closes its pipes and reaps it. Whatever is raised, the tree is ended first.

    `stop`: a descriptor that becomes readable when the command is to be ended from outside.
    """
    watch = _Watch(started, command, stop)
    try:
        watch.follow()
    finally:
        watch.finish()
    return watch.outcome()


_interrupted, _interrupting = os.pipe()
os.set_blocking(_interrupted, False)


def interrupt() -> None:
    """End every command that this process supervises, and those it starts from now on, as "stopped"."""
    os.write(_interrupting, b"x")


def resume() -> None:
    """Commands run again after `interrupt`."""
    with contextlib.suppress(BlockingIOError):
        while os.read(_interrupted, 64):
            continue


class _Watch:
    def __init__(self, started: Started, command: Command, stop: int) -> None:
        self.started, self.command, self.limits = started, command, command.limits
        self.begun = self.heard = time.monotonic()
        self.ended: Ended = "exit"
        self.captures = {started.stdout: Capture(self.limits.output), started.stderr: Capture(self.limits.output)}
        self.usage = Usage()
        self.peak = 0
        self.seconds = 0.0
        self.pause = _FIRST_LOOK
        self.next_look = self.begun + _FIRST_LOOK
        self.next_disk = self.begun + 2 * _FIRST_LOOK
        self.buffer = memoryview(bytearray(_CHUNK))
        self.selector = selectors.DefaultSelector()
        self.process = os.pidfd_open(started.pid) if started.done is None else started.done
        for descriptor in (started.stdout, started.stderr):
            os.set_blocking(descriptor, False)
            self.selector.register(descriptor, selectors.EVENT_READ)
        self.selector.register(self.process, selectors.EVENT_READ)
        self.stops = (stop, _interrupted)
        for descriptor in self.stops:
            self.selector.register(descriptor, selectors.EVENT_READ)

    def follow(self) -> None:
        """Until the tree's first process is gone or a limit is reached."""
        while True:
            now = time.monotonic()
            wake = min(self.begun + self.limits.seconds, self.next_look, self.next_disk)
            if self.command.until is not None:
                wake = min(wake, self.heard + self.command.quiet)
            for key, _ in self.selector.select(max(0.0, wake - now)):
                if key.fd == self.process:
                    return
                if key.fd in self.stops:
                    self.ended = "stopped"
                    return
                self.read(key.fd)
            if (reached := self.check()) is not None:
                self.ended = reached
                return

    def read(self, descriptor: int) -> bool:
        """Take what is there; False when there is nothing (more)."""
        try:
            count = os.readv(descriptor, [self.buffer])
        except BlockingIOError:
            return False
        self.heard = time.monotonic()
        if count == 0:
            self.selector.unregister(descriptor)
            return False
        self.captures[descriptor].add(self.buffer[:count])
        return True

    def check(self) -> Ended | None:
        """The limit that is reached, if any."""
        now = time.monotonic()
        if now - self.begun >= self.limits.seconds:
            return "timeout"
        if max(capture.total for capture in self.captures.values()) > OUTPUT_FACTOR * self.limits.output:
            return "output"
        if now >= self.next_look and (reached := self.look(now)) is not None:
            return reached
        if now >= self.next_disk and (reached := self.look_at_disk(now)) is not None:
            return reached
        if self.command.until is not None and now - self.heard >= self.command.quiet:
            self.heard = now
            if self.command.until(self.captures[self.started.stdout].text()):
                return "silence"
        return None

    def look(self, now: float) -> Ended | None:
        """Resources of the tree."""
        usage = self.usage = self.started.gauge.read()
        self.pause = min(_LONGEST_PAUSE, self.pause * 1.5)
        self.next_look = now + max(self.pause, 20 * (time.monotonic() - now))
        self.peak = max(self.peak, usage.memory)
        if usage.breach is not None:
            return usage.breach
        if self.limits.cpu_seconds is not None and usage.cpu_seconds >= self.limits.cpu_seconds:
            return "cpu"
        if self.limits.memory is not None and usage.memory > self.limits.memory:
            return "memory"
        if self.limits.processes is not None and usage.processes > self.limits.processes:
            return "processes"
        return None

    def look_at_disk(self, now: float) -> Ended | None:
        """Bytes written so far. Looked at the less often the longer counting takes."""
        if self.limits.disk is None or not self.started.written:
            self.next_disk = now + 3600.0
            return None
        written = files.size(self.started.written, self.limits.disk)
        self.next_disk = now + max(_LONGEST_PAUSE, 20 * (time.monotonic() - now))
        state = os.statvfs(self.started.written[0])
        if written > self.limits.disk or (written > 2**20 and state.f_bavail * state.f_frsize < _RESERVE):
            return "disk"
        return None

    def finish(self) -> None:
        """End everything, read what is left in the pipes."""
        self.seconds = time.monotonic() - self.begun
        for descriptor in self.stops:
            self.selector.unregister(descriptor)
        try:
            if self.ended != "exit":
                self.usage = self.started.gauge.read()
            self.started.end()
            deadline = time.monotonic() + _GRACE
            while time.monotonic() < deadline:
                if any(key.fd == self.process for key, _ in self.selector.select(0.2) if not self.read_any(key.fd)):
                    break
                self.started.end()
            for descriptor in self.captures:
                if descriptor in self.selector.get_map():
                    for _ in range(16):
                        if not self.read(descriptor):
                            break
        finally:
            self.selector.close()
            for descriptor in (*self.captures, self.process):
                os.close(descriptor)

    def read_any(self, descriptor: int) -> bool:
        """Read if it is a pipe; was it one?"""
        if descriptor in self.captures:
            self.read(descriptor)
        return descriptor != self.process

    def outcome(self) -> Outcome:
        """Reap, and add up what was used: the tree's own report, else what the kernel counted for the processes waited for."""
        status, spent = 0, Usage()
        with contextlib.suppress(ChildProcessError):
            _, status, usage = os.wait4(self.started.pid, 0)
            spent = Usage(cpu_seconds=usage.ru_utime + usage.ru_stime, peak_memory=usage.ru_maxrss * 1024)
        total = self.started.report() or spent
        if total.breach is not None and self.ended == "exit":
            self.ended = total.breach
        return Outcome(
            status=status,
            ended=self.ended,
            seconds=self.seconds,
            cpu_seconds=max(total.cpu_seconds, self.usage.cpu_seconds),
            peak_memory=max(total.peak_memory or 0, self.peak) or None,
            stdout=self.captures[self.started.stdout],
            stderr=self.captures[self.started.stderr],
        )
