"""The second isolating sandbox, for machines without bubblewrap: Landlock, a system call filter, and namespaces where allowed."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Limits, Sandbox, Tree
from autosota.records import Mount, Recipe
from autosota.sandboxes import cgroups, confinement, copies, files, probing, protection, seccomp, slots, view
from autosota.sandboxes.trees import run_launched
from autosota.sandboxes.variables import variables

_READABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/sys/devices/system/cpu")
_READABLE_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "os-release", "mime.types", "fonts",
                 "passwd", "group", "nsswitch.conf", "hosts")  # fmt: skip
_READABLE_PROC = ("self", "cpuinfo", "meminfo", "stat", "loadavg", "filesystems", "version", "sys/vm/overcommit_memory")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LEAST_VERSION, _VERSION_WITH_SIGNALS = 3, 6


@dataclass(frozen=True)
class Mode:
    """A way to confine that works here."""

    namespaces: bool
    """Own processes, mounts and network; all but the tree is mounted read-only, and protected files are, too."""
    user: int
    """User inside."""
    group: int
    groups: bool
    """Limits are held by control groups."""


class LandlockExecutor:
    """Each sandbox is a copy of the tree; of the host its commands can open the system folders and their environment only.

    No network, no root, no capabilities. Without namespaces, names and sizes of other files can be seen (not their content), and
    read-only files can be renamed and replaced: `Sandbox.changed` tells. What is measured here is at most `guarded`.
    """

    name = "landlock"
    isolated = True
    overlays = False
    loopback: bool

    def __init__(self, scratch: Path, *, namespaces: bool = True, groups: bool = True) -> None:
        """`namespaces`, `groups`: False leaves them out, as on a machine that lacks them. Raises MachineError."""
        self._scratch = scratch.absolute()
        abi = confinement.version()
        if abi < _LEAST_VERSION or seccomp.program(internet=False) is None:
            raise MachineError(
                f"Landlock version {abi} on {platform.machine()}, {_LEAST_VERSION} is the least that isolates",
                "use a kernel from 6.2 on with Landlock enabled (`lsm=landlock,...`)",
            )
        slots.sweep(self._scratch)
        cgroups.sweep()
        self.mode = self._probe(namespaces, groups and cgroups.available(), abi)
        self.groups = self.mode.groups
        self.loopback = self.mode.namespaces

    @property
    def description(self) -> str:
        """How it runs here, in words."""
        return f"Landlock version {confinement.version()}; {'own namespaces' if self.mode.namespaces else 'no namespaces'}"

    def _probe(self, namespaces: bool, groups: bool, abi: int) -> Mode:
        modes = [Mode(True, view.USER, view.USER, groups)] if namespaces else []
        if os.geteuid() == 0:
            modes.append(Mode(False, view.USER, view.USER, groups))
        elif abi >= _VERSION_WITH_SIGNALS:
            modes.append(Mode(False, os.getuid(), os.getgid(), groups))
        return probing.first(
            modes, self._try, "Landlock does not isolate here",
            "allow user namespaces, use a kernel from 6.12 on, or as root a scratch folder that other users can enter",
            "signals cannot be kept in",
        )  # fmt: skip

    def _try(self, mode: Mode) -> None:
        self.mode = mode
        slot = slots.take(self._scratch, "probe")
        try:
            base = slot.folder / "base"
            base.mkdir()
            (base / "file").write_text("x", encoding="ascii")
            with self.open(Tree(base), recipe=Recipe(digest="", python="", prefix="")) as sandbox:
                line = f"cat file && echo y > other && ! cat {base}/file && pwd"
                done = sandbox.run(Command(line, limits=Limits(seconds=30)))
                probing.check(done, done.stdout == f"x{sandbox.root}\n" and sandbox.read("other", 9) == b"y\n")
        finally:
            slot.release()

    @contextlib.contextmanager
    def open(self, tree: Tree, *, recipe: Recipe, mounts: Sequence[Mount] = (), network: bool = False) -> Iterator[Sandbox]:
        """See the port. Raises MachineError if the tree or a mount cannot be shown, or a network is asked for."""
        if network:
            raise MachineError("the landlock sandbox has no network to give", "use --sandbox bubblewrap")
        slot = slots.take(self._scratch, self.name)
        try:
            sandbox = LandlockSandbox(self.mode, slot, tree, recipe, mounts)
            try:
                yield sandbox
            finally:
                sandbox.close()
        finally:
            slot.release()


class LandlockSandbox:
    """A copy of a tree."""

    def __init__(self, mode: Mode, slot: slots.Slot, tree: Tree, recipe: Recipe, mounts: Sequence[Mount]) -> None:
        self._mode, self._slot, self._recipe = mode, slot, recipe
        self._tree = slot.folder / "workspace"
        self.root = str(self._tree)
        copies.make(tree, self._tree)
        self._folders = [self._tree, slot.folder / "home", slot.folder / "tmp"]
        for folder in self._folders[1:]:
            folder.mkdir()
        self._mounts = [self._mount(mount) for mount in mounts]
        self._read_only = [str(self._tree / path) for path in protection.plan(self._tree, tree.read_only).mounts]
        if not mode.namespaces:
            for path in self._read_only:
                files.forbid_writing(Path(path))
            if mode.user != os.getuid():
                for folder in self._folders:
                    files.give(folder, mode.user)
        inside = tuple(os.path.relpath(target, self._tree) for _, target, _ in self._mounts)
        self._before = copies.Snapshot(self._tree, inside)
        self._running = threading.Lock()
        self._stop_read, self._stop_write = os.pipe()

    def _mount(self, mount: Mount) -> tuple[str, str, bool]:
        """Make a place for a mount: source, absolute target, writable."""
        source = Path(mount.source)
        if not source.exists():
            raise MachineError(f"cannot mount {source}: it does not exist", "correct the path in [mounts] of the task file")
        parts = files.parts_of(mount.target.removeprefix(self.root + "/"))
        if parts is None:
            if mount.target != mount.source:
                raise MachineError(
                    f"the landlock sandbox cannot show {source} at {mount.target}",
                    "mount it at a path inside the repository, or use --sandbox bubblewrap",
                )
            return mount.source, mount.source, mount.writable
        target = self._tree.joinpath(*parts)
        if target.is_symlink() or not target.is_dir() or not source.is_dir() or not self._mode.namespaces:
            files.remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._mode.namespaces:
            target.symlink_to(source)
        elif source.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        return mount.source, str(target), mount.writable

    def run(self, command: Command) -> Execution:
        """See the port."""
        home, temporary = self._folders[1:3]
        with self._running:
            return run_launched(
                self._slot,
                command,
                self._stop_read,
                folder=self._tree,
                variables=variables(self._recipe, command, home=str(home), temporary=str(temporary), marker=self._slot.marker),
                written=[*self._folders, *(Path(source) for source, _, writable in self._mounts if writable)],
                group=cgroups.create() if self._mode.groups else None,
                user=os.getuid() if self._mode.namespaces else self._mode.user,
                confinement=self._confinement(command),
            )

    def _confinement(self, command: Command) -> dict[str, object]:
        proc = ["/proc"] if self._mode.namespaces else [f"/proc/{name}" for name in _READABLE_PROC]
        environment = [path for path in (self._recipe.prefix, *self._recipe.paths) if path]
        program = seccomp.program(
            internet=self._mode.namespaces, metadata=self._mode.namespaces or self._mode.user != os.getuid()
        )
        return {
            "namespaces": self._mode.namespaces,
            "user": self._mode.user,
            "group": self._mode.group,
            "readable": [*_READABLE, *(f"/etc/{name}" for name in _READABLE_ETC), *proc, *environment],
            "writable": [*(str(folder) for folder in self._folders)],
            "devices": [*_DEVICES],
            "read_only": self._read_only,
            "mounts": self._mounts,
            "shared": min(command.limits.memory or 2**30, command.limits.disk or 2**30),
            "no_tcp": not self._mode.namespaces,
            "filter": (program or b"").hex(),
        }

    def read(self, path: str, limit: int = 64 * 2**20) -> bytes | None:
        """See the port."""
        return files.read_beneath(self._tree, path, limit)

    def changed(self) -> tuple[str, ...]:
        """See the port."""
        return self._before.changed()

    def close(self) -> None:
        """End a command that still runs in another thread. The files go with the slot."""
        os.write(self._stop_write, b"x")
        with self._running:
            pass
        self._slot.end_processes()
        os.close(self._stop_write)
        os.close(self._stop_read)
