"""A private copy of a tree in the scratch folder, for sandboxes without overlays."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from autosota.errors import MachineError
from autosota.ports import Tree
from autosota.sandboxes import files


def make(tree: Tree, target: Path) -> None:
    """Copy base and overlay to `target`; deleted paths are gone and read-only ones are the base's. Raises MachineError."""
    kept = Within(tree.read_only)
    try:
        files.copy(tree.base, target)
        for path in tree.deleted:
            if (parts := files.parts_of(path)) is not None and not kept(path) and not _through_link(target, parts):
                files.remove(target.joinpath(*parts))
        if tree.overlay is not None:
            files.copy(tree.overlay, target, leave_out=conflicts(tree))
    except OSError as error:
        raise MachineError(f"cannot copy the tree: {error}", "free space in the scratch folder") from None


class Within:
    """A set of paths that stands for everything below them, too."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = frozenset("/".join(files.parts_of(path) or ()) for path in paths) - {""}

    def __call__(self, path: str) -> bool:
        """Is the path, or a folder it lies in, one of them?"""
        pure = PurePosixPath(path)
        return str(pure) in self._paths or any(str(parent) in self._paths for parent in pure.parents)

    def above(self) -> frozenset[str]:
        """Folders that contain one of them."""
        return frozenset(str(parent) for path in self._paths for parent in PurePosixPath(path).parents)


def conflicts(tree: Tree) -> set[str]:
    """Paths of the overlay that would replace something read-only, or a folder above it by something that is none."""
    if tree.overlay is None:
        return set()
    kept = Within(tree.read_only)
    above = kept.above()
    found = set()
    for path, entry in files.walk(tree.overlay):
        replaces = path in above and not entry.is_dir(follow_symlinks=False)
        if (kept(path) and os.path.lexists(tree.base / path)) or replaces:
            found.add(path)
    return found


def _through_link(root: Path, parts: tuple[str, ...]) -> bool:
    return any(root.joinpath(*parts[:depth]).is_symlink() for depth in range(1, len(parts)))


class Snapshot:
    """Remembers a tree so that what changed since can be told."""

    def __init__(self, root: Path, leave_out: tuple[str, ...] = ()) -> None:
        self._root = root
        self._leave_out = Within(leave_out)
        self._before = self._look()

    def _look(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for path, entry in files.walk(self._root):
            if entry.is_dir(follow_symlinks=False) or self._leave_out(path):
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            changed = 0 if stat.S_ISLNK(state.st_mode) else state.st_ctime_ns
            found[path] = (state.st_mode, state.st_size, state.st_ino, changed)
        return found

    def changed(self) -> tuple[str, ...]:
        """Relative paths of files created, changed or deleted since, sorted.

        Judged by inode, size and change time, which commands cannot set."""
        now = self._look()
        return tuple(sorted(path for path in now.keys() | self._before.keys() if now.get(path) != self._before.get(path)))
