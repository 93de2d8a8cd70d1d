"""Unpacking archives from strangers: nothing outside the folder, bounded in size and number, no devices, no links that leave."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from autosota.errors import UsageError

LARGEST = 8 * 2**30
"""Bytes of all files together."""
MOST_FILES = 200_000
HIGHEST_RATIO = 200
"""Unpacked over packed size, looked at above 256 MiB."""
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".whl")


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str
    """ "file", "folder", "link" or "other"."""
    size: int
    executable: bool
    link: str
    open: object


def is_archive(path: Path) -> bool:
    """By content: a zip or tar file."""
    try:
        return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
    except (OSError, tarfile.TarError, EOFError, zlib.error):
        return False


def unpack(path: Path, folder: Path) -> list[str]:
    """Unpack into `folder`, which must not exist, and return notes on what was left out.

    Raises UsageError for a broken archive, a bomb, or one whose members would lie outside; nothing is left behind then.
    """
    folder.mkdir(parents=True)
    try:
        return _unpack(path, folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(f"{path}: the archive is broken or encrypted: {error}", "pack it again, or give the directory") from None
    except (UsageError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(path: Path, folder: Path) -> list[str]:
    packed = max(path.stat().st_size, 1)
    total = odd = 0
    links: list[tuple[Path, str]] = []
    left_out: list[str] = []
    for count, member in enumerate(_members(path), start=1):
        if count > MOST_FILES:
            raise UsageError(f"{path}: more than {MOST_FILES:,} files", "give the directory itself, without generated files")
        target = _target(folder, member.name, path)
        if member.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
        elif member.kind == "link":
            links.append((target, member.link))
        elif member.kind == "other":
            odd += 1
        else:
            total += _write(member, target, LARGEST - total)
            if total > LARGEST or (total > 256 * 2**20 and total / packed > HIGHEST_RATIO):
                raise UsageError(
                    f"{path}: unpacks to more than {total // 2**20} MB from {packed // 2**10} KB: an archive bomb?",
                    "give the directory itself if this is right",
                )
    for target, goal in links:
        if not _link(folder, target, goal):
            left_out.append(target.relative_to(folder).as_posix())
    notes = [f"symbolic links that leave the archive were dropped: {', '.join(left_out[:5])}"] if left_out else []
    return notes + ([f"{odd} devices and other special files were dropped"] if odd else [])


def _members(path: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                mode = entry.external_attr >> 16
                kind = "folder" if entry.is_dir() else "link" if stat.S_ISLNK(mode) else "file"
                goal = archive.read(entry).decode("utf-8", "replace") if kind == "link" and entry.file_size < 4096 else ""
                yield _Member(
                    entry.filename, kind, entry.file_size, bool(mode & 0o100), goal, lambda e=entry, a=archive: a.open(e)
                )
    else:
        with tarfile.open(path, "r:*") as tar:
            for item in tar:
                kind = "file" if item.isreg() else "folder" if item.isdir() else "link" if item.issym() else "other"
                if item.islnk():
                    # a hard link is a copy of an earlier member; tarfile opens what it points to
                    kind = "file"
                yield _Member(
                    item.name, kind, item.size, bool(item.mode & 0o100), item.linkname, lambda i=item, t=tar: _opened(t, i)
                )


def _opened(tar: tarfile.TarFile, item: tarfile.TarInfo) -> IO[bytes] | None:
    try:
        return tar.extractfile(item)
    except KeyError:
        return None


def _target(folder: Path, name: str, archive: Path) -> Path:
    """Where a member goes. Raises UsageError for one that would lie outside."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    outside = name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":") or "\x00" in name
    target = folder.joinpath(*(part for part in parts if part not in {".", "/"}))
    if outside or not target.is_relative_to(folder):
        raise UsageError(
            f"{archive}: member {name[:120]!r} would be written outside: a hostile archive", "do not use this archive"
        )
    return target


def _write(member: _Member, target: Path, room: int) -> int:
    """Copy a member's bytes, at most a little more than `room`; how many."""
    if member.size > room:
        return member.size
    opener = member.open
    assert callable(opener)
    stream: IO[bytes] | None = opener()
    if stream is None:
        return 0
    if target.is_dir():
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with stream, target.open("wb") as file:
        while block := stream.read(2**20):
            size += len(block)
            if size > room:
                break
            file.write(block)
    if member.executable:
        target.chmod(0o755)
    return size


def _link(folder: Path, target: Path, goal: str) -> bool:
    """Make a symbolic link that stays inside; False where it would not."""
    if not goal or goal.startswith("/") or "\x00" in goal or target.exists() or target.is_symlink():
        return False
    end = Path(os.path.normpath(target.parent / goal))
    if not end.is_relative_to(folder):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.symlink_to(goal)
        inside = target.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        inside = False
    if not inside and target.is_symlink():
        target.unlink()
    return inside
