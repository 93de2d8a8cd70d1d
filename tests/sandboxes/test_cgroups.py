"""Control groups of version 2 against a tree of plain files; the contract suite has the real ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autosota.ports import Limits
from autosota.sandboxes import cgroups


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A hierarchy in which the session's slice hands memory and pids on, and the scope this process is in does not."""
    scope = tmp_path / "user.slice" / "session.scope"
    scope.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    for folder, handed_on in ((tmp_path, "cpu memory pids"), (scope.parent, "cpu memory pids"), (scope, "")):
        (folder / "cgroup.subtree_control").write_text(handed_on + "\n")
        (folder / "cgroup.procs").write_text("")
    return tmp_path


@pytest.fixture
def membership(tmp_path: Path) -> Path:
    path = tmp_path / "membership"
    path.write_text("0::/user.slice/session.scope\n")
    return path


def only_group(root: Path) -> Path:
    (folder,) = root.glob("user.slice/autosota-*")
    return folder


def test_version_2_makes_a_sibling_where_its_own_group_hands_nothing_on(root: Path, membership: Path) -> None:
    group = cgroups.create(root, membership)
    assert group is not None
    folder = only_group(root)
    group.bound(Limits(memory=2**30, processes=10))
    assert (folder / "memory.max").read_text() == str(2**30)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert 10 < int((folder / "pids.max").read_text()) < 20
    with group.joined():
        assert not (folder / "cgroup.procs").exists()
    group.add(4711)
    assert (folder / "cgroup.procs").read_text() == "4711"


def test_version_2_is_read(root: Path, membership: Path) -> None:
    group = cgroups.create(root, membership)
    assert group is not None
    folder = only_group(root)
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (folder / "memory.current").write_text("5000\n")
    (folder / "memory.stat").write_text("anon 3000\nfile 2000\n")
    (folder / "memory.peak").write_text("9000\n")
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    (folder / "pids.current").write_text("7\n")
    (folder / "pids.events").write_text("max 0\n")
    usage = group.read()
    assert (usage.cpu_seconds, usage.memory, usage.peak_memory, usage.breach) == (1.5, 3000, 9000, None)
    assert 0 < usage.processes <= 7
    (folder / "pids.events").write_text("max 3\n")
    assert group.read().breach == "processes"
    (folder / "memory.events").write_text("oom_kill 2\n")
    assert group.read().breach == "memory"


def test_version_2_kills_with_one_write(root: Path, membership: Path) -> None:
    group = cgroups.create(root, membership)
    assert group is not None
    group.end()
    assert (only_group(root) / "cgroup.kill").read_text() == "1"


def test_a_limit_that_is_none_is_not_set(root: Path, membership: Path) -> None:
    group = cgroups.create(root, membership)
    assert group is not None
    group.bound(Limits(memory=None, processes=None))
    assert list(only_group(root).iterdir()) == []


def test_no_group_where_nothing_is_handed_on(root: Path, membership: Path) -> None:
    for folder in (root, root / "user.slice"):
        (folder / "cgroup.subtree_control").write_text("cpu\n")
    assert cgroups.create(root, membership) is None
    assert not cgroups.available(root, membership)


def test_no_group_without_a_hierarchy(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/\n")
    assert cgroups.create(tmp_path, tmp_path / "membership") is None
    assert cgroups.create(tmp_path, tmp_path / "none") is None


def test_groups_of_killed_makers_are_swept_and_those_of_living_ones_stay(root: Path, membership: Path) -> None:
    (root / "user.slice" / "autosota-999999999-1-0").mkdir()
    mine = cgroups.create(root, membership)
    assert mine is not None
    (root / "user.slice" / f"autosota-{os.getpid()}-1-0").mkdir()
    cgroups.sweep(root, membership)
    assert (root / "user.slice" / "autosota-999999999-1-0" / "cgroup.kill").read_text() == "1"
    swept = {folder.parent.name for folder in root.glob("user.slice/autosota-*/cgroup.kill")}
    assert swept == {"autosota-999999999-1-0", f"autosota-{os.getpid()}-1-0"}, "a pid that was used again does not keep a group"
    mine.end()
    assert len(list(root.glob("user.slice/autosota-*/cgroup.kill"))) == 3
