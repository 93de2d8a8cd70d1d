"""Runs commands directly on the host: limits, but no isolation. What is measured here is never confirmed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Sandbox, Tree
from autosota.records import Mount, Recipe
from autosota.sandboxes import cgroups, copies, files, slots
from autosota.sandboxes.trees import run_launched
from autosota.sandboxes.variables import variables


class LocalExecutor:
    """Each sandbox is a copy of the tree in the scratch folder; its commands see the whole host and its network.

    Mounts are symlinks into the copy, so a read-only mount is only as read-only as its files; a target that is an absolute path
    cannot be shown. Read-only paths of the tree are made so by their modes, which commands can undo: look at `changed`.
    """

    name = "local"
    isolated = False
    loopback = True
    overlays = False

    def __init__(self, scratch: Path, *, groups: bool = True) -> None:
        """`groups`: False leaves control groups out, as on a machine that lacks them."""
        self._scratch = scratch.absolute()
        slots.sweep(self._scratch)
        cgroups.sweep()
        self.groups = groups and cgroups.available()

    @property
    def description(self) -> str:
        """How it runs here, in words."""
        return "on the host itself: sees its files and its network, so nothing measured here is confirmed"

    @contextlib.contextmanager
    def open(self, tree: Tree, *, recipe: Recipe, mounts: Sequence[Mount] = (), network: bool = False) -> Iterator[Sandbox]:
        """A sandbox on a copy of `tree`; the network is always there. Raises MachineError if it cannot be made."""
        slot = slots.take(self._scratch, self.name)
        try:
            sandbox = LocalSandbox(slot, tree, recipe, mounts, groups=self.groups)
            try:
                yield sandbox
            finally:
                sandbox.close()
        finally:
            slot.release()


class LocalSandbox:
    """A copy of a tree."""

    def __init__(self, slot: slots.Slot, tree: Tree, recipe: Recipe, mounts: Sequence[Mount], *, groups: bool) -> None:
        self._slot, self._recipe, self._groups = slot, recipe, groups
        self._tree = slot.folder / "workspace"
        self.root = str(self._tree)
        copies.make(tree, self._tree)
        for name in ("home", "tmp"):
            (slot.folder / name).mkdir()
        self._written = [self._tree, slot.folder / "home", slot.folder / "tmp"]
        targets = [self._mount(mount) for mount in mounts]
        self._written += [Path(mount.source) for mount in mounts if mount.writable]
        for path in tree.read_only:
            files.forbid_writing(self._tree / path)
        self._before = copies.Snapshot(self._tree, tuple(targets))
        self._running = threading.Lock()
        self._stop_read, self._stop_write = os.pipe()

    def _mount(self, mount: Mount) -> str:
        """Show a mount; its path in the tree."""
        if not Path(mount.source).exists():
            raise MachineError(f"cannot mount {mount.source}: it does not exist", "correct the path in [mounts] of the task file")
        target = mount.target.removeprefix(self.root + "/")
        parts = files.parts_of(target)
        if parts is None:
            if mount.target != mount.source:
                raise MachineError(
                    f"the local sandbox cannot show {mount.source} at {mount.target}",
                    "mount it at a path inside the repository, or use --sandbox bubblewrap",
                )
            return mount.target
        place = self._tree.joinpath(*parts)
        files.remove(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(mount.source)
        return target

    def run(self, command: Command) -> Execution:
        """See the port."""
        with self._running:
            return self._run(command)

    def _run(self, command: Command) -> Execution:
        return run_launched(
            self._slot,
            command,
            self._stop_read,
            folder=self._tree,
            variables=variables(
                self._recipe,
                command,
                home=str(self._slot.folder / "home"),
                temporary=str(self._slot.folder / "tmp"),
                marker=self._slot.marker,
            ),
            written=self._written,
            group=cgroups.create() if self._groups else None,
            user=os.getuid(),
        )

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
