"""A process tree under a launcher: started, gauged through /proc, ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Limits
from autosota.sandboxes import cgroups, launcher, processes
from autosota.sandboxes.limits import Started, Usage, supervise
from autosota.sandboxes.slots import Slot

_START_SECONDS = 60.0
_HEADROOM = 4 * 2**30
"""Address space that a process may reserve beyond its memory limit: threads and libraries reserve far more than they touch."""


def resource_limits(limits: Limits, *, memory_bound: bool, processes_now: int | None) -> dict[str, int]:
    """Limits that the kernel holds each process to; the names are those of the `resource` module.

    Those on memory and processes are wider than asked for: they stop what is too fast for the gauge, which ends the tree.

    `memory_bound`: something else bounds memory. `processes_now`: processes the user already has; None: do not bound here.
    """
    bounds = {"RLIMIT_CORE": 0}
    if limits.disk is not None:
        bounds["RLIMIT_FSIZE"] = limits.disk
    if limits.memory is not None and not memory_bound:
        bounds["RLIMIT_AS"] = limits.memory + _HEADROOM
    if limits.processes is not None and processes_now is not None:
        bounds["RLIMIT_NPROC"] = processes_now + 4 * limits.processes + 256
    return bounds


class TreeGauge:
    """Adds up /proc over a process and its descendants."""

    def __init__(self, root: int, limits: Limits) -> None:
        self._root = root
        self._before = process.cpu_seconds if (process := processes.look(root)) is not None else 0.0
        self._most = 100_000 if limits.processes is None else limits.processes + 16

    def read(self) -> Usage:
        """The root itself is not counted, but for its CPU time from now on.

        Memory is the sum of resident sizes, so shared pages count more than once. The CPU time of a process that ended between
        two looks is in its parent's figures once that has waited for it.
        """
        found = processes.tree(self._root, self._most)
        memory = sum(process.resident for process in found if process.pid != self._root)
        cpu = max(0.0, sum(process.cpu_seconds for process in found) - self._before)
        alive = sum(process.state not in "ZX" for process in found)
        return Usage(cpu_seconds=cpu, memory=memory, processes=max(0, alive - 1))


def run_launched(
    slot: Slot,
    command: Command,
    stop: int,
    *,
    folder: Path,
    variables: Mapping[str, str],
    written: Sequence[Path],
    group: cgroups.Group | None,
    user: int,
    confinement: Mapping[str, object] | None = None,
) -> Execution:
    """Run a command under the launcher, as `user`. Raises MachineError if it cannot be started."""
    if group is not None:
        group.bound(command.limits)
    now = None if group is not None or user == 0 else processes.of_user(user)
    bounds = resource_limits(command.limits, memory_bound=group is not None, processes_now=now)
    specification: dict[str, object] = {
        "arguments": ["/bin/sh", "-c", command.line],
        "folder": str(folder),
        "variables": dict(variables),
        "limits": dict(bounds),
    }
    if confinement is not None:
        specification["confinement"] = dict(confinement)
    pid, stdout, stderr, result, send = _launch(group)
    slot.note_session(pid)
    _await_ready(result)
    gauge: cgroups.Since | TreeGauge = TreeGauge(pid, command.limits)
    if group is not None:
        group.add(pid)
        gauge = cgroups.Since(group)
    with contextlib.suppress(BrokenPipeError), os.fdopen(send, "wb") as stream:
        stream.write(json.dumps(specification).encode("ascii"))
    reported: dict[str, object] = {}

    def report() -> Usage | None:
        reported.update(_read_report(result))
        counted = gauge.read() if group is not None else None
        if "cpu_seconds" not in reported:
            return counted
        seconds, peak = float(str(reported["cpu_seconds"])), int(str(reported["peak_memory"]))
        return replace(counted, cpu_seconds=seconds) if counted else Usage(cpu_seconds=seconds, peak_memory=peak)

    started = Started(pid, stdout, stderr, _ender(pid, slot, group), gauge, written, report)
    try:
        outcome = supervise(started, command, stop)
    finally:
        os.close(result)
        if group is not None:
            group.end()
            group.remove()
    if "error" in reported:
        raise MachineError(f"the sandbox could not start: {reported['error']}", "choose another one with --sandbox")
    status = int(str(reported.get("status", outcome.status)))
    code = os.waitstatus_to_exitcode(status)
    return outcome.execution(code if code >= 0 else 128 - code)


def _launch(group: cgroups.Group | None) -> tuple[int, int, int, int, int]:
    """Start the launcher: its pid, the read ends of stdout, stderr and its report, and the end that takes the specification."""
    specification_read, specification_write = os.pipe()
    result_read, result_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    inherited = (specification_read, result_write, stdout_write, stderr_write)
    try:
        with group.joined() if group is not None else contextlib.nullcontext():
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", launcher.__file__, str(specification_read), str(result_write)],
                stdin=subprocess.DEVNULL,
                stdout=stdout_write,
                stderr=stderr_write,
                env={},
                cwd="/",
                pass_fds=(specification_read, result_write),
                start_new_session=True,
            )
    except OSError as error:
        for descriptor in (specification_write, result_read, stdout_read, stderr_read):
            os.close(descriptor)
        raise MachineError(f"cannot start a process: {error.strerror or error}", "end other processes or free memory") from None
    finally:
        for descriptor in inherited:
            os.close(descriptor)
    process.returncode = 0  # reaped by wait4, not by Popen
    return process.pid, stdout_read, stderr_read, result_read, specification_write


def _await_ready(result: int) -> None:
    """Until the launcher has loaded: what it uses up to then is not the command's."""
    ready, _, _ = select.select([result], [], [], _START_SECONDS)
    if ready:
        os.read(result, 1)


def _ender(pid: int, slot: Slot, group: cgroups.Group | None) -> Callable[[], None]:
    """First asks the launcher, which knows every descendant. If it is gone or does not manage, by marker."""
    asked: list[float] = []

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if asked and time.monotonic() - asked[0] > 5.0:
            slot.end_processes()
            if group is not None:
                group.end()
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        asked.append(time.monotonic())

    return end


def _read_report(descriptor: int) -> dict[str, object]:
    os.set_blocking(descriptor, False)
    try:
        report = json.loads(os.read(descriptor, 1 << 16))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
