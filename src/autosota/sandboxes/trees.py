"""A process tree under a launcher: started, gauged through /proc, ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Limits
from autosota.sandboxes import launcher, processes
from autosota.sandboxes.limits import Started, Usage, supervise
from autosota.sandboxes.slots import Slot

_HEADROOM = 4 * 2**30
"""Address space that a process may reserve beyond its memory limit: threads and libraries reserve far more than they touch."""


def resource_limits(limits: Limits, *, memory_bound: bool, processes_now: int | None) -> dict[str, int]:
    """Limits that the kernel holds each process to; the names are those of the `resource` module.

    `memory_bound`: something else bounds memory. `processes_now`: processes the user already has; None: do not bound here.
    """
    bounds = {"RLIMIT_CORE": 0}
    if limits.disk is not None:
        bounds["RLIMIT_FSIZE"] = limits.disk
    if limits.memory is not None and not memory_bound:
        bounds["RLIMIT_AS"] = limits.memory + _HEADROOM
    if limits.processes is not None and processes_now is not None:
        bounds["RLIMIT_NPROC"] = limits.processes + processes_now
    return bounds


class TreeGauge:
    """Adds up /proc over a process and its descendants."""

    def __init__(self, root: int, own: int = 1) -> None:
        self._root = root
        self._own = own
        self._cpu: dict[int, float] = {}

    def read(self) -> Usage:
        """Memory is the sum of resident sizes, so shared pages count more than once. CPU time of a process that ended between
        two looks is in its parent's figures as soon as that has waited for it."""
        found = processes.tree(self._root)
        memory = sum(process.resident for process in found if process.pid != self._root)
        cpu = sum(process.cpu_seconds for process in found)
        alive = sum(process.state not in "ZX" for process in found)
        return Usage(cpu_seconds=cpu, memory=memory, processes=max(0, alive - self._own), peak_memory=None)


def run_launched(
    slot: Slot,
    command: Command,
    stop: int,
    *,
    folder: Path,
    variables: Mapping[str, str],
    written: Sequence[Path],
    bounds: Mapping[str, int],
    confinement: Mapping[str, object] | None = None,
) -> Execution:
    """Run a command under the launcher. Raises MachineError if it cannot be started."""
    specification = {
        "arguments": ["/bin/sh", "-c", command.line],
        "folder": str(folder),
        "variables": dict(variables),
        "limits": dict(bounds),
        **(confinement or {}),
    }
    pid, stdout, stderr, result = _launch(json.dumps(specification).encode("utf-8", "surrogateescape"))
    slot.note_session(pid)
    reported: dict[str, object] = {}

    def report() -> Usage | None:
        reported.update(_read_report(result))
        if "cpu_seconds" not in reported:
            return None
        return Usage(cpu_seconds=float(str(reported["cpu_seconds"])), peak_memory=int(str(reported["peak_memory"])))

    started = Started(pid, stdout, stderr, _ender(pid, slot), TreeGauge(pid), written, report)
    try:
        outcome = supervise(started, command, stop)
    finally:
        os.close(result)
    if "error" in reported:
        raise MachineError(f"the sandbox could not start: {reported['error']}", "choose another one with --sandbox")
    status = int(str(reported.get("status", outcome.status)))
    code = os.waitstatus_to_exitcode(status)
    return outcome.execution(code if code >= 0 else 128 - code)


def _launch(specification: bytes) -> tuple[int, int, int, int]:
    """Start the launcher: its pid and the read ends of stdout, stderr and its report."""
    specification_read, specification_write = os.pipe()
    result_read, result_write = os.pipe()
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    inherited = (specification_read, result_write, stdout_write, stderr_write)
    try:
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
    with contextlib.suppress(BrokenPipeError), os.fdopen(specification_write, "wb") as stream:
        stream.write(specification)
    return process.pid, stdout_read, stderr_read, result_read


def _ender(pid: int, slot: Slot) -> Callable[[], None]:
    """First asks the launcher, which knows every descendant. If it is gone or does not manage, by marker."""
    asked: list[float] = []

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        if asked and time.monotonic() - asked[0] > 5.0:
            slot.end_processes()
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
