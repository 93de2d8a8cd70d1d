"""What an overlay of folders shows, seen from outside: the host reads results without mounting anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from autosota.sandboxes import files


class Layers:
    """Folders over one another, topmost first. Knows overlayfs' marks: 0:0 character devices delete, opaque folders hide."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)

    def find(self, path: str) -> Path | None:
        """The file, folder or symlink that is shown at `path`, in its layer; None if nothing is. Symlinks above it are not
        followed: nothing is shown beyond them."""
        parts = files.parts_of(path)
        if parts is None:
            return None
        for folder in self.folders:
            place, state = self._descend(folder, parts)
            if state != "below":
                return place
        return None

    def _descend(self, folder: Path, parts: Sequence[str]) -> tuple[Path | None, str]:
        """The place in one layer, and whether layers below it are still to be asked ("below") or not ("here")."""
        opaque = False
        place = folder
        for depth, part in enumerate(parts, 1):
            place = place / part
            try:
                state = place.lstat()
            except OSError:
                return None, "here" if opaque else "below"
            if _deletes(state):
                return None, "here"
            if depth < len(parts):
                if not stat.S_ISDIR(state.st_mode):
                    return None, "here"
                opaque = opaque or _opaque(place)
        return place, "here"

    def read(self, path: str, limit: int) -> bytes | None:
        """At most `limit` bytes of the regular file shown at `path`, else None."""
        place = self.find(path)
        if place is None:
            return None
        for folder in self.folders:
            if place.is_relative_to(folder):
                return files.read_beneath(folder, str(place.relative_to(folder)), limit)
        return None

    def files_at(self, path: str) -> Iterator[str]:
        """`path` itself if a file or symlink is shown there, else the files below it."""
        pending = [path]
        while pending:
            path = pending.pop()
            place = self.find(path)
            if place is None:
                continue
            if not stat.S_ISDIR(place.lstat().st_mode):
                yield path
                continue
            names: set[str] = set()
            for folder in self.folders:
                below = folder / path
                if not below.is_symlink() and below.is_dir():
                    names.update(os.listdir(below))
            pending += [f"{path}/{name}" for name in names]

    def changed(self) -> set[str]:
        """Files that the topmost layer creates, changes or deletes with respect to the others. One that was only touched, or
        written again as it was, has not changed."""
        upper, lower = self.folders[0], Layers(self.folders[1:])
        found: set[str] = set()
        for path, entry in files.walk(upper):
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            before = lower.find(path)
            if stat.S_ISDIR(state.st_mode):
                replaced = before is not None and not stat.S_ISDIR(before.lstat().st_mode)
                if replaced or (before is not None and _opaque(upper / path)):
                    found.update(gone for gone in lower.files_at(path) if self.find(gone) is None or gone == path)
            elif _deletes(state):
                found.update(lower.files_at(path))
            elif before is None or not _same(upper / path, before):
                found.add(path)
                found.update(lower.files_at(path))
        return found


def _deletes(state: os.stat_result) -> bool:
    return stat.S_ISCHR(state.st_mode) and state.st_rdev == 0


def _opaque(folder: Path) -> bool:
    for name in ("user.overlay.opaque", "trusted.overlay.opaque"):
        try:
            if os.getxattr(folder, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _same(first: Path, second: Path) -> bool:
    """Same kind, mode and content?"""
    try:
        one, other = first.lstat(), second.lstat()
        if one.st_mode != other.st_mode:
            return False
        if stat.S_ISLNK(one.st_mode):
            return os.readlink(first) == os.readlink(second)
        if not stat.S_ISREG(one.st_mode) or one.st_size != other.st_size:
            return False
        return _same_bytes(first, second)
    except OSError:
        return False


def _same_bytes(first: Path, second: Path) -> bool:
    with open(first, "rb", buffering=0) as one, open(second, "rb", buffering=0) as other:
        while piece := one.read(1 << 20):
            if piece != other.read(len(piece)):
                return False
        return not other.read(1)
