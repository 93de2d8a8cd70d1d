"""Starts one command on the host and sees to it that none of its processes outlives it.

A script of its own, run as `python -I -S launcher.py SPECIFICATION STATUS` with two descriptors: JSON is read from the first; to
the second go an empty line when that may come and one of JSON when everything is over. It adopts orphans of the command
(PR_SET_CHILD_SUBREAPER), so a double fork or a new session does not escape, and ends the tree when the command ends, on SIGTERM,
or when its parent dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from typing import Any

_SET_DEATH_SIGNAL, _SET_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 1, 36, 38
_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Read the specification, run the command, end its tree, report."""
    specification_fd, status_fd = int(sys.argv[1]), int(sys.argv[2])
    parent = os.getppid()
    _libc.prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    _libc.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, _on_terminate)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    if os.getppid() != parent:
        os._exit(1)
    os.write(status_fd, b"\n")
    with os.fdopen(specification_fd, "rb") as stream:
        specification = json.loads(stream.read())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        child = os.fork()
        if child == 0:
            _become(specification)
        global _child
        _child = child
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.close(1)
        os.close(2)
        status = _wait_for(child)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end_all()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        report: dict[str, object] = {
            "status": status,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_memory": usage.ru_maxrss * 1024,
        }
    except OSError as error:
        report = {"error": str(error)}
    os.write(status_fd, json.dumps(report).encode())


_child = 0


def _on_terminate(number: int, frame: object) -> None:
    """The parent wants an end: with the command gone, the rest follows."""
    if _child:
        _kill(_child)


def _wait_for(child: int) -> int:
    """Reap until the command itself has ended; its wait status."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return status


def end_all() -> None:
    """SIGKILL every descendant and reap it. Whole process groups first: that outruns processes that keep forking."""
    while True:
        pids = _descendants()
        for group in {_group(pid) for pid in pids} - {0, os.getpgid(0)}:
            _kill(-group)
        for pid in pids:
            _kill(pid)
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
        except ChildProcessError:
            return
        time.sleep(0.0005)


def _kill(target: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(target, signal.SIGKILL)


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _descendants() -> list[int]:
    """Pids of everything below this process."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stream:
                    text = stream.read()
            except OSError:
                continue
            parents.setdefault(int(text[text.rindex(b")") + 2 :].split()[1]), []).append(int(name))
    found = list(parents.get(os.getpid(), ()))
    for pid in found:
        found += parents.get(pid, ())
    return found


def _become(specification: dict[str, Any]) -> None:
    """Turn into the command. Never returns."""
    try:
        for number in range(1, 65):
            if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.setpgid(0, 0)
        os.umask(0o022)
        os.closerange(3, 1024)
        if "confinement" in specification:
            confinement = load_confinement()
            confinement.enter(specification["confinement"])
        os.chdir(specification["folder"])
        limit(specification["limits"])
        _libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if "confinement" in specification:
            confinement.restrict(specification["confinement"])
        arguments = specification["arguments"]
        os.execve(arguments[0], arguments, specification["variables"])
    except BaseException as error:  # noqa: BLE001 - nothing may return into the parent's code
        os.write(2, f"cannot start the command: {error}\n".encode())
    os._exit(126)


def limit(limits: dict[str, int]) -> None:
    """Resource limits for this process and all it starts; never above what is set already."""
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def load_confinement() -> Any:
    """The neighbouring file, without importing the package: this script runs isolated."""
    place = importlib.util.spec_from_file_location("confinement", os.path.join(os.path.dirname(__file__), "confinement.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
