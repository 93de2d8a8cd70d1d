"""Process trees as /proc shows them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One line of /proc/<pid>/stat."""

    pid: int
    parent: int
    session: int
    state: str
    cpu_seconds: float
    """Own user and system time, and that of children it has waited for."""
    started: int
    """Clock ticks after boot; with the pid it identifies a process for good."""
    resident: int
    """Bytes; pages shared with others count in full."""


def look(pid: int) -> Process | None:
    """What /proc says of a process; None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        state=fields[0].decode(),
        cpu_seconds=sum(int(ticks) for ticks in fields[11:15]) / _TICKS,
        started=int(fields[19]),
        resident=int(fields[21]) * _PAGE,
    )


def everything() -> Iterator[Process]:
    """Every process this one can see."""
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := look(int(name))) is not None:
            yield process


def of_user(user: int) -> int:
    """How many processes a user has."""
    count = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            count += name.isdigit() and Path("/proc", name).stat().st_uid == user
    return count


def tree(root: int, most: int) -> list[Process]:
    """A process and its descendants, as far as the kernel still knows whose children they are; looking ends after `most`."""
    found: list[Process] = []
    pending = [root]
    while pending and len(found) < most:
        pid = pending.pop()
        if (process := look(pid)) is None:
            continue
        found.append(process)
        children = _children(pid)
        if children is None:
            return _tree_by_parents(root)
        pending += children
    return found


def _children(pid: int) -> list[int] | None:
    """Direct children of all threads of a process; None where the kernel does not list them."""
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            text = Path(f"/proc/{pid}/task/{thread}/children").read_bytes()
        except FileNotFoundError:
            if Path(f"/proc/{pid}/task/{thread}/stat").exists():
                return None
            continue
        except OSError:
            continue
        children += [int(child) for child in text.split()]
    return children


def _tree_by_parents(root: int) -> list[Process]:
    by_parent: dict[int, list[Process]] = {}
    for process in everything():
        by_parent.setdefault(process.parent, []).append(process)
    start = look(root)
    found = [start] if start else []
    for process in found:
        found += by_parent.get(process.pid, [])
    return found


def environ_has(pid: int, entry: bytes) -> bool:
    """Was the process started with this `NAME=value`?"""
    try:
        return entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def end_marked(name: str, value: str, sessions: tuple[tuple[int, int], ...] = ()) -> int:
    """SIGKILL every process started with the variable `name=value`, and those of `sessions` (leader, start time) younger than
    their leader; how many there were. A pid used again is never hit: it is looked at through a descriptor."""
    entry = f"{name}={value}".encode()
    ended: set[int] = set()
    for _ in range(100):
        hit = False
        for process in everything():
            belongs = any(process.session == leader and process.started >= started for leader, started in sessions)
            if process.state in "ZX" or process.pid == os.getpid() or not (belongs or environ_has(process.pid, entry)):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(process.pid)
                try:
                    if (again := look(process.pid)) is not None and again.started == process.started:
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                        ended.add(process.pid)
                        hit = True
                finally:
                    os.close(descriptor)
        if not hit:
            break
    return len(ended)
