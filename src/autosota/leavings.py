"""What untrusted commands left behind, read by the host: regular files only, within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from autosota import rows
from autosota.ports import Sandbox

LARGEST = 256 * 2**20
"""Bytes of one file, and of all files of a run that are handed back."""
_SMALL, _MOST_WRITTEN = 16 * 2**20, 50


def of(sandbox: Sandbox, names: Iterable[str]) -> dict[str, bytes]:
    """Files of the tree by name, as far as they are there."""
    found = {name: sandbox.read(name, LARGEST) for name in names}
    return {name: content for name, content in found.items() if content is not None}


def written(sandbox: Sandbox) -> dict[str, bytes]:
    """Small files with rows that the command made or changed."""
    names = [name for name in sandbox.changed() if rows.supported(name) and not name.endswith((".npy", ".npz"))]
    found = {name: sandbox.read(name, _SMALL) for name in names[:_MOST_WRITTEN]}
    return {name: content for name, content in found.items() if content is not None}


def plain_file(folder: Path, name: str) -> bytes | None:
    """A regular file below a folder that untrusted code wrote: no link is followed, size bounded."""
    path = folder
    for part in Path(name).parts:
        path = path / part
        if path.is_symlink() or part == "..":
            return None
    if not path.is_file() or path.stat().st_size > LARGEST:
        return None
    return path.read_bytes()


def bounded(declared: Mapping[str, bytes], others: Mapping[str, bytes]) -> dict[str, bytes]:
    """Both, as many as stay within `LARGEST` together: the declared first, then the small before the large."""
    found: dict[str, bytes] = {}
    left = LARGEST
    for name, content in (*declared.items(), *sorted(others.items(), key=lambda file: len(file[1]))):
        if name not in found and len(content) <= left:
            found[name] = content
            left -= len(content)
    return found
