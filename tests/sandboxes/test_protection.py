"""Which read-only mounts are made for which read-only paths."""

from __future__ import annotations

from pathlib import Path

from autosota.sandboxes import protection


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return root


def test_few_files_are_mounted_one_by_one(tmp_path: Path) -> None:
    base = tree(tmp_path, "evaluate.py", "train.py", "results/README", "lib/score.py", "lib/model.py")
    plan = protection.plan(base, ["evaluate.py", "results/README", "lib/score.py"])
    assert plan.mounts == ("evaluate.py", "lib/score.py", "results/README")
    assert plan.folders == ()
    assert plan.caches == (".", "lib")


def test_a_named_folder_is_one_mount(tmp_path: Path) -> None:
    base = tree(tmp_path, "data/a", "data/sub/b", "train.py")
    assert protection.plan(base, ["data/", "data/a", "./data/sub"]).mounts == ("data",)


def test_a_folder_of_many_read_only_files_is_one_mount(tmp_path: Path) -> None:
    rows = [f"data/{part}/{row}" for part in "ab" for row in range(20)]
    base = tree(tmp_path, "train.py", *rows)
    assert protection.plan(base, rows).mounts == ("data",)
    tree(base, "data/b/free")
    plan = protection.plan(base, rows)
    assert plan.folders == ("data/a",)
    assert plan.mounts == ("data/a", *sorted(f"data/b/{row}" for row in range(20)))


def test_small_folders_are_joined_only_when_there_are_too_many_mounts(tmp_path: Path) -> None:
    few = [f"{folder}/{file}" for folder in range(4) for file in range(5)]
    many = [f"more{folder}/{file}" for folder in range(40) for file in range(5)]
    base = tree(tmp_path, "train.py", *few, *many)
    assert protection.plan(base, few).folders == ()
    plan = protection.plan(base, few + many)
    assert len(plan.mounts) == 44
    assert plan.mounts == plan.folders


def test_what_cannot_be_mounted_is_left_out(tmp_path: Path) -> None:
    base = tree(tmp_path, "real/file")
    (base / "link").symlink_to("real")
    assert protection.plan(base, ["absent", "link", "link/file", "../outside", "/etc/passwd", ""]).mounts == ()
