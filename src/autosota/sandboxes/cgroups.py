"""Control groups, versions 1 and 2: hard limits on a whole process tree where this process may make groups."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from autosota.ports import Ended, Limits
from autosota.sandboxes import processes
from autosota.sandboxes.limits import Usage

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
_PREFIX = "autosota-"
_EXTRA_PROCESSES = 4
"""The sandbox's own processes, which the user's limit does not mean."""
_numbers = itertools.count()


class Group:
    """One group, in one folder per controller. Used for one command, then removed."""

    def __init__(self, folders: Mapping[str, Path], version: int, homes: Mapping[str, Path]) -> None:
        self._folders, self._version, self._homes = folders, version, homes

    @property
    def bounds_memory(self) -> bool:
        """Does the kernel hold the tree to a memory limit?"""
        return "memory" in self._folders

    @property
    def bounds_processes(self) -> bool:
        """Does the kernel hold the tree to a number of processes?"""
        return "pids" in self._folders

    def bound(self, limits: Limits) -> None:
        """Set the limits the kernel can hold."""
        if limits.memory is not None and (folder := self._folders.get("memory")):
            if self._version == 2:
                _write(folder / "memory.max", limits.memory)
                with contextlib.suppress(OSError):
                    _write(folder / "memory.swap.max", 0)
                with contextlib.suppress(OSError):
                    _write(folder / "memory.oom.group", 1)
            else:
                _write(folder / "memory.limit_in_bytes", limits.memory)
                with contextlib.suppress(OSError):
                    _write(folder / "memory.memsw.limit_in_bytes", limits.memory)
        if limits.processes is not None and (folder := self._folders.get("pids")):
            _write(folder / "pids.max", limits.processes + _EXTRA_PROCESSES)

    @contextlib.contextmanager
    def joined(self) -> Iterator[None]:
        """Processes that this thread starts meanwhile are members from their first instruction.

        Version 1 only, where it also saves the milliseconds that moving another process costs; with version 2 use `add`.
        """
        if self._version == 2:
            yield
            return
        entered: list[str] = []
        try:
            for controller, folder in self._folders.items():
                _write(folder / "tasks", 0)
                entered.append(controller)
            yield
        finally:
            for controller in entered:
                _write(self._homes[controller] / "tasks", 0)

    def add(self, pid: int) -> None:
        """Make a process a member; nothing to do where it was started inside `joined`."""
        if self._version == 2:
            _write(self._folders["memory"] / "cgroup.procs", pid)

    def read(self) -> Usage:
        """What the members use and have used; processes that ended included in CPU time and peak."""
        return self._read_2() if self._version == 2 else self._read_1()

    def _read_1(self) -> Usage:
        cpu = _number(self._folders.get("cpuacct"), "cpuacct.usage") / 1e9
        memory, pids = self._folders.get("memory"), self._folders.get("pids")
        return Usage(
            cpu_seconds=cpu,
            memory=max(0, _number(memory, "memory.usage_in_bytes") - _field(memory, "memory.stat", "total_cache")),
            processes=max(0, _number(pids, "pids.current") - _EXTRA_PROCESSES),
            peak_memory=_number(memory, "memory.max_usage_in_bytes") or None,
            breach=_breach(_field(memory, "memory.oom_control", "oom_kill"), _field(pids, "pids.events", "max")),
        )

    def _read_2(self) -> Usage:
        folder = self._folders["memory"]
        return Usage(
            cpu_seconds=_field(folder, "cpu.stat", "usage_usec") / 1e6,
            memory=max(0, _number(folder, "memory.current") - _field(folder, "memory.stat", "file")),
            processes=max(0, _number(folder, "pids.current") - _EXTRA_PROCESSES),
            peak_memory=_number(folder, "memory.peak") or None,
            breach=_breach(_field(folder, "memory.events", "oom_kill"), _field(folder, "pids.events", "max")),
        )

    def end(self) -> None:
        """SIGKILL every member."""
        folder = next(iter(self._folders.values()))
        if self._version == 2:
            with contextlib.suppress(OSError):
                _write(folder / "cgroup.kill", 1)
                return
        for _ in range(1000):
            pids = _members(folder)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not pids:
                return
            time.sleep(0.001)

    def remove(self) -> None:
        """Remove the group; what is still busy stays for `sweep`."""
        for folder in self._folders.values():
            for _ in range(20):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.001)


class Since:
    """Gauge of a group that leaves out the CPU time it had used when this was made."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._before = group.read().cpu_seconds

    def read(self) -> Usage:
        """See `Group.read`."""
        usage = self._group.read()
        return replace(usage, cpu_seconds=usage.cpu_seconds - self._before)


def create(root: Path = ROOT, membership: Path = MEMBERSHIP) -> Group | None:
    """A new empty group below the one this process is in; None where this process may not make one that bounds memory and
    processes."""
    name = f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}-{next(_numbers)}"
    homes, version = _homes(root, membership)
    folders: dict[str, Path] = {}
    try:
        for controller, home in homes.items():
            (home / name).mkdir()
            folders[controller] = home / name
            if version == 2:
                return Group({"memory": home / name, "pids": home / name, "cpu": home / name}, 2, homes)
    except OSError:
        Group(folders, version, homes).remove()
        return None
    return Group(folders, version, homes) if {"memory", "pids", "cpuacct"} <= folders.keys() else None


def available(root: Path = ROOT, membership: Path = MEMBERSHIP) -> bool:
    """Can groups be made here, with members? Tried with a real one."""
    group = create(root, membership)
    if group is None:
        return False
    try:
        group.bound(Limits())
        with group.joined():
            pass
        group.read()
    except OSError:
        return False
    finally:
        group.remove()
    return True


def sweep(root: Path = ROOT, membership: Path = MEMBERSHIP) -> None:
    """End the members of groups whose maker was killed, and remove the groups."""
    homes, version = _homes(root, membership)
    for home in set(homes.values()):
        for folder in home.glob(f"{_PREFIX}*-*-*"):
            pid, started = folder.name.removeprefix(_PREFIX).split("-")[:2]
            if pid.isdigit() and str(_started(int(pid))) != started:
                group = Group({"memory": folder}, version, homes)
                group.end()
                group.remove()


def _homes(root: Path, membership: Path) -> tuple[dict[str, Path], int]:
    """Folder per controller below which groups can be made, and the version; empty where there is none."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}, 0
    paths: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    if (root / "cgroup.controllers").exists():
        home = _home_2(root, paths.get("", "/"))
        return ({"memory": home}, 2) if home else ({}, 2)
    homes: dict[str, Path] = {}
    for controller in ("memory", "pids", "cpuacct"):
        folder = root / controller / paths.get(controller, "/").lstrip("/")
        if folder.is_dir() and os.access(folder, os.W_OK):
            homes[controller] = folder
    return homes, 1


def _home_2(root: Path, path: str) -> Path | None:
    """The nearest group above this process that hands memory and pids on to its children and may be written to."""
    folder = root / path.lstrip("/")
    while folder.is_relative_to(root):
        with contextlib.suppress(OSError):
            handed_on = set((folder / "cgroup.subtree_control").read_text(encoding="ascii").split())
            writable = os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)
            if {"memory", "pids"} <= handed_on and writable:
                return folder
        if folder == root:
            break
        folder = folder.parent
    return None


def _breach(killed: int, refused: int) -> Ended | None:
    return "memory" if killed else "processes" if refused else None


def _started(pid: int) -> int:
    process = processes.look(pid)
    return process.started if process else 0


def _members(folder: Path) -> list[int]:
    try:
        return [int(line) for line in (folder / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _write(path: Path, value: int) -> None:
    path.write_text(str(value), encoding="ascii")


def _number(folder: Path | None, name: str) -> int:
    try:
        return int((folder / name).read_text(encoding="ascii")) if folder else 0
    except (OSError, ValueError):
        return 0


def _field(folder: Path | None, name: str, field: str) -> int:
    """A number from a file of `name value` lines; 0 where it is not there."""
    if folder is None:
        return 0
    try:
        for line in (folder / name).read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(" ")
            if key == field:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
