"""`autosota clean`: what can be deleted, how much that frees, and the deleting."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosota.config import cache_folder


@dataclass(frozen=True)
class Item:
    """Something that can be deleted; runs are never among it, only what can be made again."""

    path: Path
    what: str
    bytes: int


@dataclass(frozen=True)
class Report:
    """What was found, and whether it was deleted."""

    items: tuple[Item, ...]
    deleted: bool

    def json(self) -> dict[str, Any]:
        """For --json."""
        rows = [{"path": str(item.path), "what": item.what, "bytes": item.bytes} for item in self.items]
        return {"items": rows, "bytes": sum(item.bytes for item in self.items), "deleted": self.deleted}

    def text(self) -> str:
        """For people."""
        if not self.items:
            return "nothing to clean"
        lines = [f"{item.bytes / 1e6:10.1f} MB  {item.what}  {item.path}" for item in self.items]
        total = sum(item.bytes for item in self.items) / 1e6
        return "\n".join([*lines, f"{total:10.1f} MB  " + ("freed" if self.deleted else "in all; give --yes to delete it")])


def clean(runs: Path, *, delete: bool) -> Report:
    """List built environments and downloads in the cache, and leftovers of killed runs under `runs`; delete them if asked."""
    cache = cache_folder()
    found: list[tuple[Path, str]] = []
    for name, what in (("environments", "environment"), ("downloads", "download"), ("wheels", "downloaded wheels")):
        folder = cache / name
        if folder.is_dir():
            found += [(path, what) for path in sorted(folder.iterdir())]
    found += [(path, "leftover of a killed run") for path in sorted(runs.glob("**/*.draft"))]
    items = tuple(Item(path, what, _size(path)) for path, what in found)
    if delete:
        for item in items:
            if item.path.is_dir() and not item.path.is_symlink():
                shutil.rmtree(item.path, ignore_errors=True)
            else:
                item.path.unlink(missing_ok=True)
    return Report(items, delete)


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(os.lstat(os.path.join(place, name)).st_size for place, _, files in os.walk(path) for name in files)
