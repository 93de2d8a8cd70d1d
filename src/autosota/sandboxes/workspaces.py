"""The tree behind /workspace: layers of an overlay, or a copy where the scratch folder cannot hold overlays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autosota.errors import MachineError
from autosota.ports import Tree
from autosota.records import Mount
from autosota.sandboxes import copies, files, protection, view
from autosota.sandboxes.layers import Layers


@dataclass(frozen=True)
class Layout:
    """What is mounted where, for sandboxes that are not told by bubblewrap's arguments."""

    layers: tuple[Path, ...]
    """Read-only layers of /workspace, bottom first; empty where `top` is a whole copy of the tree."""
    top: Path
    """What commands write to: the topmost layer, or the copy."""
    work: Path | None
    """Folder that an overlay file system needs beside `top`."""
    binds: tuple[tuple[str, str, bool], ...]
    """Source, absolute target and whether it is writable, in this order; places to mount on are there if below /workspace."""


class Workspace(Protocol):
    """How a sandbox is told to show a tree, and what became of it."""

    arguments: list[str]
    """For bubblewrap; the same as `layout`."""
    layout: Layout
    written: list[Path]
    """Folders whose size counts as written."""

    def read(self, path: str, limit: int) -> bytes | None: ...

    def changed(self) -> tuple[str, ...]: ...


def prepare(tree: Tree, folder: Path, mounts: Sequence[Mount], *, overlays: bool, owner: int | None) -> Workspace:
    """Lay out `tree` in the empty `folder`. `owner`: user that everything writable is given to. Raises MachineError."""
    if not tree.base.is_dir():
        raise MachineError(f"no such tree: {tree.base}", "export it first")
    shown = list(view.mounted(mounts))
    for source, _, writable in shown:
        _check_mount(Path(source), writable, owner)
    try:
        for source, _, writable in shown:
            if writable and owner is not None:
                files.give(Path(source), owner)
        guarded = protection.plan(tree.base, tree.read_only)
        if overlays and (owner is None or is_export(tree.base)):
            return _Overlay(tree, folder, shown, guarded, owner)
        return _Copy(tree, folder, shown, guarded, owner)
    except OSError as error:
        raise MachineError(f"cannot lay out the tree {tree.base}: {error}", "free space in the scratch folder") from None


def is_export(base: Path) -> bool:
    """May the folder change owner? A checkout belongs to somebody: it is copied instead."""
    return not (base / ".git").exists()


def _check_mount(source: Path, writable: bool, owner: int | None) -> None:
    try:
        state = source.stat()
    except OSError as error:
        raise MachineError(
            f"cannot mount {source}: {error.strerror or error}", "correct the path in [mounts] of the task file"
        ) from None
    needed = 0o005 if source.is_dir() else 0o004
    if owner is not None and not writable and state.st_uid != owner and state.st_mode & needed != needed:
        raise MachineError(
            f"{source} can be read by its owner only, and commands run as an unprivileged user", f"chmod -R o+rX {source}"
        )


@dataclass(frozen=True)
class _Point:
    """A place in the tree on which something is mounted."""

    path: str
    source: Path
    writable: bool = False

    def arguments(self) -> tuple[str, str, str]:
        return ("--bind" if self.writable else "--ro-bind", str(self.source), f"{view.WORKSPACE}/{self.path}")


def _points(
    tree: Tree, shown: Sequence[tuple[str, str, bool]], guarded: protection.Protection, empty: Path
) -> tuple[list[_Point], list[str]]:
    """Mounts in the tree, in order, and arguments for those elsewhere."""
    points = [_Point(path, tree.base / path) for path in guarded.mounts]
    points += [_Point(f"{folder}/__pycache__".removeprefix("./"), empty) for folder in guarded.caches]
    elsewhere: list[str] = []
    for source, target, writable in shown:
        if target.startswith(view.WORKSPACE + "/"):
            points.append(_Point(target.removeprefix(view.WORKSPACE + "/"), Path(source), writable))
        else:
            elsewhere += [*view.folders_above(target), "--bind" if writable else "--ro-bind", source, target]
    return points, elsewhere


def _binds(points: Sequence[_Point], shown: Sequence[tuple[str, str, bool]]) -> tuple[tuple[str, str, bool], ...]:
    """All mounts, those in the tree first."""
    inside = [(str(point.source), f"{view.WORKSPACE}/{point.path}", point.writable) for point in points]
    return (*inside, *(one for one in shown if not one[1].startswith(view.WORKSPACE + "/")))


def _mounted_at(points: Sequence[_Point], path: str) -> tuple[Path, str] | None:
    """Host folder and relative path of what is mounted at or above a path of the tree."""
    clean = "/".join(files.parts_of(path) or ())
    for point in reversed(points):
        if clean == point.path:
            return point.source.parent, point.source.name
        if clean.startswith(point.path + "/"):
            return point.source, clean.removeprefix(point.path + "/")
    return None


class _Overlay:
    """Layers, bottom first: base, deletions, the tree's overlay, mount points, and what commands write."""

    def __init__(
        self, tree: Tree, folder: Path, shown: Sequence[tuple[str, str, bool]], guarded: protection.Protection, owner: int | None
    ) -> None:
        self._layers = [tree.base]
        if owner is not None:
            files.give(tree.base, owner)
        kept = copies.Within(tree.read_only)
        deleted = [path for path in tree.deleted if not kept(path)]
        if deleted:
            _delete(self._add(folder / "deleted"), deleted)
        if tree.overlay is not None:
            files.copy(tree.overlay, self._add(folder / "overlay"), leave_out=copies.conflicts(tree))
        (folder / "empty").mkdir()
        points, elsewhere = _points(tree, shown, guarded, folder / "empty")
        missing = [point for point in points if not self._fits(point)]
        if missing:
            _make_points(self._add(folder / "points"), missing)
        upper = folder / "upper"
        upper.mkdir()
        (folder / "work").mkdir()
        if owner is not None:
            for layer in (*self._layers[1:], upper):
                files.give(layer, owner)
        self.arguments: list[str] = []
        for layer in self._layers:
            self.arguments += ["--overlay-src", str(layer)]
        self.arguments += ["--overlay", str(upper), str(folder / "work"), view.WORKSPACE]
        for point in points:
            self.arguments += point.arguments()
        self.arguments += elsewhere
        self.layout = Layout(tuple(self._layers), upper, folder / "work", _binds(points, shown))
        self.written = [upper, *(Path(source) for source, _, writable in shown if writable)]
        self._shown = Layers([upper, *reversed(self._layers)])
        self._points = points

    def _add(self, layer: Path) -> Path:
        layer.mkdir()
        self._layers.append(layer)
        return layer

    def _fits(self, point: _Point) -> bool:
        """Is there already something of the right kind to mount on?"""
        place = Layers(list(reversed(self._layers))).find(point.path)
        return place is not None and not place.is_symlink() and place.is_dir() == point.source.is_dir()

    def read(self, path: str, limit: int) -> bytes | None:
        """See the port. What is mounted in the tree is read where it comes from."""
        if (place := _mounted_at(self._points, path)) is not None:
            return files.read_beneath(*place, limit)
        return self._shown.read(path, limit)

    def changed(self) -> tuple[str, ...]:
        """See the port. What lies below mounts does not belong to the tree."""
        mounted = copies.Within(tuple(point.path for point in self._points))
        return tuple(sorted(path for path in self._shown.changed() if not mounted(path)))


def _delete(layer: Path, paths: Sequence[str]) -> None:
    """Mark paths as deleted in a layer, as overlayfs itself does."""
    for path in sorted(paths):
        if (parts := files.parts_of(path)) is None:
            continue
        parent = layer
        for part in parts[:-1]:
            parent = parent / part
            if os.path.lexists(parent) and not parent.is_dir():
                break
            parent.mkdir(exist_ok=True)
        else:
            os.mknod(parent / parts[-1], 0o020000, 0)


def _make_points(layer: Path, points: Sequence[_Point]) -> None:
    """Empty files and folders to mount on."""
    for point in points:
        place = layer / point.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if point.source.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.touch()


class _Copy:
    """A private copy of the tree."""

    def __init__(
        self, tree: Tree, folder: Path, shown: Sequence[tuple[str, str, bool]], guarded: protection.Protection, owner: int | None
    ) -> None:
        self._root = folder / "workspace"
        copies.make(tree, self._root)
        (folder / "empty").mkdir()
        points, elsewhere = _points(tree, shown, guarded, folder / "empty")
        for point in points:
            place = self._root / point.path
            if not place.is_symlink() and place.exists() and place.is_dir() == point.source.is_dir():
                continue
            files.remove(place)
            _make_points(self._root, [point])
        if owner is not None:
            if is_export(tree.base):
                files.give(tree.base, owner)
            files.give(self._root, owner)
        self.arguments = ["--bind", str(self._root), view.WORKSPACE]
        for point in points:
            self.arguments += point.arguments()
        self.arguments += elsewhere
        self.layout = Layout((), self._root, None, _binds(points, shown))
        self.written = [self._root, *(Path(source) for source, _, writable in shown if writable)]
        self._before = copies.Snapshot(self._root, tuple(point.path for point in points))
        self._points = points

    def read(self, path: str, limit: int) -> bytes | None:
        """See the port."""
        if (place := _mounted_at(self._points, path)) is not None:
            return files.read_beneath(*place, limit)
        return files.read_beneath(self._root, path, limit)

    def changed(self) -> tuple[str, ...]:
        """See the port."""
        return self._before.changed()
