"""What a command sees: the baseline's files, a candidate's free ones laid over them, and files that are swapped in both arms."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autosota.errors import UsageError
from autosota.ports import Tree
from autosota.records import Change, Environment, Mount
from autosota.store import digest
from autosota.workspace import Workspace, write_file

_COPIED = 64 * 2**20
"""Ignored data up to this size is copied into the export; larger data is mounted."""
_MOUNTS = 1_000
"""Most mounts of one sandbox."""


@dataclass(frozen=True)
class Swap:
    """Files that an evaluation sees in place of the task's own: probes, and sealed rows. Apply the same to both arms."""

    name: str = ""
    """The arm in the ledger, one for one content; "" is the task as it is."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path → content that every command sees there, read-only, whatever a commit holds; labels only where labels are shown."""
    keep: tuple[str, ...] = ()
    """Files of the tree to hand back after the candidate's command ended (`Attempt.kept`)."""
    written: bool = False
    """Hand back what one command wrote (`Attempt.written`)."""


AS_IS = Swap()


class Exports:
    """Trees of one workspace in one environment, below one folder of ours; exports are made once and shared."""

    def __init__(self, workspace: Workspace, environment: Environment, folder: Path) -> None:
        self.workspace = workspace
        self.environment = environment
        self._folder = folder
        self._exporting = threading.Lock()

    def tree(self, commit: str, seed: int, overlay: Path, *, blind: bool, swap: Swap = AS_IS) -> Tree:
        """The tree of a commit, its free files written to `overlay`. `blind`: without labels."""
        environment = self.environment
        zones, read_only = environment.zones, (*environment.zones.protected, *swap.files)
        changes = [
            change
            for change in self.workspace.changes(environment.commit, commit)
            if not zones.is_protected(change.path) and change.path not in swap.files
        ]  # fmt: skip
        place = environment.commands.seed
        if place.kind == "key" and place.file and place.key:
            from autosota import knobs

            seeded = knobs.write_key({**self.workspace.tree(commit), **swap.files}, place.file, place.key, seed)
            changes = [change for change in changes if change.path != seeded.path] + [seeded]
            read_only = tuple(path for path in read_only if path != seeded.path)
        overlay.mkdir(parents=True, exist_ok=True)
        for change in changes:
            if change.content is not None:
                write_file(overlay, change)
        return Tree(
            base=self._base(blind, swap.files),
            overlay=overlay if changes else None,
            deleted=tuple(change.path for change in changes if change.content is None),
            read_only=read_only,
        )

    def mounts(self, *, blind: bool, swap: Swap = AS_IS) -> list[Mount]:
        """Data outside the repository and ignored data too large to copy; where `blind` without labels, and nothing swapped.

        Raises UsageError where hiding a file would take too many mounts.
        """
        large = [
            Mount(source=str(self.workspace.repository / name), target=name.rstrip("/"))
            for name in self.environment.zones.ignored
            if _bytes(self.workspace.repository / name) > _COPIED
        ]
        mounts, labels = (*self.environment.mounts, *large), self.environment.commands.labels if blind else ()
        hidden = {*swap.files, *labels, *_other_names(labels, mounts, self.workspace.repository)}
        found = [part for mount in mounts for part in _without(mount, hidden)]
        if len(found) > _MOUNTS:
            raise UsageError(
                f"{sorted(hidden)[0]} lies among {len(found)} files of mounted data, too many to leave one out",
                "move the file into a folder of its own",
            )
        return found

    def lay_ignored(self, folder: Path, left_out: Iterable[str]) -> None:
        """Copy git-ignored data that is small enough into an export, but for some files; the rest is among `mounts`."""
        left_out = set(left_out)
        for name in self.environment.zones.ignored:
            source = self.workspace.repository / name
            if name.rstrip("/") not in left_out and _bytes(source) <= _COPIED:
                _copy(source, folder / name)
        for name in left_out:
            _remove(folder / name)

    def _base(self, blind: bool, swapped: Mapping[str, bytes]) -> Path:
        """The baseline's files on disk: without results of earlier runs, and where `blind` without labels."""
        commands = self.environment.commands
        results = {*commands.outputs, *filter(None, (commands.metrics, commands.items))}
        left_out = results | (set(commands.labels) if blind else set())
        laid = {path: content for path, content in sorted(swapped.items()) if path not in left_out}
        content = [self.environment.commit, *self.environment.zones.ignored, *sorted(left_out)]
        content += [f"{path}={hashlib.sha256(data).hexdigest()}" for path, data in laid.items()]
        folder = self._folder / f"base-{digest(chr(0).join(content))[:16]}"
        with self._exporting:
            if folder.exists():
                return folder
            draft = folder.with_name(folder.name + ".new")
            shutil.rmtree(draft, ignore_errors=True)
            self.workspace.export(self.environment.commit, draft, leave_out=(*left_out, *laid))
            self.lay_ignored(draft, left_out)
            for path, data in laid.items():
                place = draft / path
                if place.is_symlink():
                    place.unlink()
                write_file(draft, Change(path=path, content=data))
            draft.rename(folder)
        return folder


def outside(path: str, mounts: Sequence[Mount], repository: Path) -> Path:
    """Where a file of the tree that git does not hold lies on the host: below a mount, or in the repository's folder."""
    for mount in mounts:
        target = _inside(mount)
        if path == target or path.startswith(target + "/"):
            return Path(mount.source) / path[len(target) :].lstrip("/") if path != target else Path(mount.source)
    return repository / path


def _inside(mount: Mount) -> str:
    """A mount's target relative to the tree; an absolute one elsewhere covers no path of the tree."""
    return os.path.normpath(mount.target.removeprefix("/workspace/"))


def _without(mount: Mount, hidden: Iterable[str]) -> Iterator[Mount]:
    """The mount, or the parts of it that are left when some paths are not to be seen."""
    target = _inside(mount)
    below = {path for path in hidden if path.startswith(target + "/")}
    if target in hidden:
        return
    if not below:
        yield mount
        return
    kept_out = [os.path.realpath(os.path.join(mount.source, path[len(target) + 1 :])) for path in below]
    for name in sorted(os.listdir(mount.source)):
        if _leads_to(os.path.join(mount.source, name), kept_out):
            continue
        part = mount.model_copy(update={"source": os.path.join(mount.source, name), "target": f"{target}/{name}"})
        yield from _without(part, below)


def _other_names(paths: Iterable[str], mounts: Sequence[Mount], repository: Path) -> Iterator[str]:
    """Where the same files of the host would be seen through mounts, of a folder that is mounted twice too."""
    for path in paths:
        real = os.path.realpath(outside(path, mounts, repository))
        for mount in mounts:
            root = os.path.realpath(mount.source)
            if real == root:
                yield _inside(mount)
            elif real.startswith(root.rstrip("/") + "/"):
                yield f"{_inside(mount)}/{os.path.relpath(real, root)}"


def _leads_to(link: str, files: Iterable[str]) -> bool:
    """Is this a link to one of the files, or to a folder above one? Mounted, it would show the file under another name."""
    if not os.path.islink(link):
        return False
    real = os.path.realpath(link)
    return any(file == real or file.startswith(real.rstrip("/") + "/") for file in files)


def _remove(path: Path) -> None:
    """A file that came with an ignored folder and must not be seen."""
    with contextlib.suppress(OSError):
        path.unlink()


def _bytes(path: Path) -> int:
    if path.is_symlink() or not path.exists():
        return 0
    if path.is_file():
        return path.stat().st_size
    total = 0
    for place, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
        if total > _COPIED:
            break
    return total


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError, shutil.Error):
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
