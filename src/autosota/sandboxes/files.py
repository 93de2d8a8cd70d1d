"""Files that untrusted commands may have touched: reading, copying, measuring and removing them without following links."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def parts_of(path: str) -> tuple[str, ...] | None:
    """The components of a relative path; None if it is absolute, empty, or leaves the tree."""
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return None if path.startswith("/") or ".." in parts or not parts or "\0" in path else parts


def read_beneath(root: Path, path: str, limit: int) -> bytes | None:
    """At most `limit` bytes of a regular file below `root`; None if absent, no regular file, or reached through a symlink."""
    parts = parts_of(path)
    if parts is None:
        return None
    descriptor = -1
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            folder, descriptor = descriptor, os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(folder)
        if not stat.S_ISREG(os.lstat(parts[-1], dir_fd=descriptor).st_mode):
            return None
        folder, descriptor = descriptor, os.open(parts[-1], _FILE, dir_fd=descriptor)
        os.close(folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=True) as stream:
            descriptor = -1
            return stream.read(limit)
    except (OSError, ValueError):
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below `root` with its relative path, parents first; links are not followed, what cannot be read is left out."""
    stack = [""]
    while stack:
        prefix = stack.pop()
        with contextlib.suppress(OSError), os.scandir(root / prefix if prefix else root) as entries:
            for entry in entries:
                path = prefix + entry.name
                yield path, entry
                if entry.is_dir(follow_symlinks=False):
                    stack.append(path + "/")


def size(folders: Sequence[Path], most: int | None = None) -> int:
    """Bytes on disk below `folders`; counting stops once it is over `most`."""
    total = 0
    for folder in folders:
        for _, entry in walk(folder):
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
            if most is not None and total > most:
                return total
    return total


def copy(source: Path, target: Path, *, leave_out: Iterable[str] = ()) -> None:
    """Copy the tree below `source` over the one below `target`: regular files, folders, symlinks as they are; nothing else.

    `leave_out`: relative paths that are not copied, with what is below them.
    """
    without = frozenset(leave_out)
    target.mkdir(parents=True, exist_ok=True)
    stack = [""]
    while stack:
        prefix = stack.pop()
        with os.scandir(source / prefix if prefix else source) as entries:
            for entry in entries:
                path = prefix + entry.name
                if path in without:
                    continue
                _copy_one(entry, target / path)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(path + "/")


def _copy_one(entry: os.DirEntry[str], target: Path) -> None:
    present = target.lstat() if os.path.lexists(target) else None
    if entry.is_symlink():
        if present:
            remove(target)
        target.symlink_to(os.readlink(entry.path))
    elif entry.is_dir(follow_symlinks=False):
        if present and not stat.S_ISDIR(present.st_mode):
            remove(target)
        target.mkdir(exist_ok=True)
        target.chmod(stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode) | 0o700)
    elif entry.is_file(follow_symlinks=False):
        if present:
            remove(target)
        shutil.copy2(entry.path, target, follow_symlinks=False)


def remove(path: Path) -> None:
    """Remove a file or a whole tree, whatever its names, modes and depth; links are removed, not followed.

    Raises OSError if something could not be removed.
    """
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    except FileNotFoundError:
        return
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        top = _open_writable(parent, path.name)
        try:
            while _clear(top, top, _DEPTH):
                pass
        finally:
            os.close(top)
        os.rmdir(path.name, dir_fd=parent)
    finally:
        os.close(parent)


_DEPTH = 64


def _clear(folder: int, top: int, depth: int) -> bool:
    """Empty a folder. What lies deeper than `depth` is moved up into `top`, to be emptied in the next round; True if so."""
    moved = False
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in listed:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            continue
        child = _open_writable(folder, name)
        try:
            if depth:
                moved |= _clear(child, top, depth - 1)
        finally:
            os.close(child)
        if depth:
            os.rmdir(name, dir_fd=folder)
        else:
            os.rename(name, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
            moved = True
    return moved


def _open_writable(parent: int, name: str) -> int:
    """Open a folder that may have been left without permissions."""
    if os.lstat(name, dir_fd=parent).st_mode & 0o700 != 0o700:
        with contextlib.suppress(PermissionError):
            os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


_giving = threading.Lock()


def give(folder: Path, owner: int) -> None:
    """Make a user the owner of a folder and all below it. The folder itself comes last, so its owner tells that it was done."""
    with _giving:
        if folder.lstat().st_uid == owner:
            return
        for path, entry in walk(folder):
            if entry.stat(follow_symlinks=False).st_uid != owner:
                os.chown(folder / path, owner, owner, follow_symlinks=False)
        os.chown(folder, owner, owner, follow_symlinks=False)


def forbid_writing(path: Path) -> None:
    """Take write permission from a file, or from a folder and all below it."""
    for place in [path, *(path / below for below, _ in walk(path))]:
        if not place.is_symlink() and place.exists():
            place.chmod(place.stat().st_mode & ~0o222)
