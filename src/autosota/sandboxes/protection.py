"""Which paths of a tree are mounted read-only: few enough to start quickly, and no more than asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autosota.sandboxes import files

_MANY = 16
"""A folder with at least this many files, all read-only, is mounted as a whole."""
_MOST = 48
"""Mounts beyond which smaller folders, too, are mounted as a whole: each mount costs a third of a millisecond."""


@dataclass(frozen=True)
class Protection:
    """What to mount from the base."""

    mounts: tuple[str, ...]
    """Files and folders, relative; none lies in another."""
    folders: tuple[str, ...]
    """Those of `mounts` that are folders: nothing can be created in them either."""
    caches: tuple[str, ...]
    """Folders with protected Python files beside free ones: what lies in their `__pycache__` must not be believed."""


def plan(base: Path, read_only: Sequence[str]) -> Protection:
    """Mounts that keep `read_only` as it is in `base`.

    A symlink, a path below one and a path that is absent from the base cannot be mounted: `Sandbox.changed` tells of them.
    A folder that is named itself, or with many files and only read-only ones, becomes one mount: nothing can be created in it.
    """
    asked = sorted({"/".join(parts) for path in read_only if (parts := files.parts_of(path))})
    folders: list[str] = []
    single: list[str] = []
    for path in asked:
        if any(path.startswith(folder + "/") for folder in folders) or not _plain(base, path):
            continue
        (folders if (base / path).is_dir() else single).append(path)
    wanted = frozenset(single)
    whole: list[str] = []
    for least in (_MANY, 4, 2):
        whole = _whole_folders(base, wanted, frozenset(folders), least)
        if len(whole) + len(folders) + sum(not _below(path, whole) for path in single) <= _MOST:
            break
    folders = [folder for folder in folders if not _below(folder, whole)] + whole
    single = [path for path in single if not _below(path, folders)]
    caches = {str(PurePosixPath(path).parent) for path in single if path.endswith(".py")}
    return Protection(tuple(sorted(folders + single)), tuple(sorted(folders)), tuple(sorted(caches)))


def _whole_folders(base: Path, wanted: frozenset[str], folders: frozenset[str], least: int) -> list[str]:
    """Topmost folders whose files are all wanted or in one of `folders`, and at least `least` of them."""
    parents = {str(parent) for path in wanted for parent in PurePosixPath(path).parents} - {"."}
    counts: dict[str, int | None] = {}
    for folder in sorted(parents, key=lambda folder: folder.count("/"), reverse=True):
        counts[folder] = _count(base / folder, folder, wanted, folders, counts)
    full = {folder for folder, count in counts.items() if count is not None and count >= least}
    return sorted(folder for folder in full if not any(str(parent) in full for parent in PurePosixPath(folder).parents))


def _count(
    place: Path, folder: str, wanted: frozenset[str], folders: frozenset[str], counts: dict[str, int | None]
) -> int | None:
    """Files below a folder if all are wanted, else None; deeper folders were counted before."""
    total = 0
    with os.scandir(place) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if path in wanted or path in folders:
                total += 1
            elif entry.is_dir(follow_symlinks=False) and (below := counts.get(path)) is not None:
                total += below
            else:
                return None
    return total


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path.startswith(folder + "/") for folder in folders)


def _plain(base: Path, path: str) -> bool:
    """Is there a regular file or folder at the path, and no symlink on the way?"""
    place = base
    for part in path.split("/"):
        place = place / part
        if place.is_symlink():
            return False
    return place.is_file() or place.is_dir()
