"""Files that untrusted commands may have touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from autosota.sandboxes import files
from autosota.sandboxes.capture import Capture


def test_remove_takes_whole_trees_and_never_what_links_point_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    root = tmp_path / "root"
    (root / "closed" / "inner").mkdir(parents=True)
    (root / "closed" / "inner" / "file").write_text("x")
    (root / "closed").chmod(0)
    (root / "link").symlink_to(precious)
    os.link(precious / "file", root / "hard")
    os.mkfifo(root / "fifo")
    (Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9\n"))).write_text("x")
    files.remove(root)
    assert not root.exists()
    assert (precious / "file").read_text() == "keep"
    files.remove(tmp_path / "absent")


def test_remove_goes_deeper_than_paths_can_be_long(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    os.mkdir("top", dir_fd=here)
    descriptor = os.open("top", os.O_RDONLY, dir_fd=here)
    name = "d" * 200
    for _ in range(100):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    os.close(here)
    files.remove(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []


def test_read_beneath_refuses_every_way_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file").write_bytes(b"content")
    (tmp_path / "outside").write_text("secret")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "folder").symlink_to(tmp_path)
    os.mkfifo(root / "fifo")
    assert files.read_beneath(root, "sub/file", 100) == b"content"
    assert files.read_beneath(root, "sub//./file", 3) == b"con"
    refused = [
        "link",
        "folder/outside",
        "../outside",
        "sub/../../outside",
        str(tmp_path / "outside"),
        "fifo",
        "sub",
        "",
        "a\0",
        "none",
    ]
    assert {path: files.read_beneath(root, path, 100) for path in refused} == dict.fromkeys(refused)


def test_copy_keeps_links_and_modes_and_leaves_special_files(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (source / "sub" / "run.sh").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    (target / "link").mkdir(parents=True)
    (target / "link" / "old").write_text("x")
    (source / "without").mkdir()
    (source / "without" / "file").write_text("x")
    files.copy(source, target, leave_out=["without"])
    assert os.readlink(target / "link") == "/etc/passwd"
    assert stat.S_IMODE((target / "sub" / "run.sh").stat().st_mode) == 0o755
    assert sorted(os.listdir(target)) == ["link", "sub"]


def test_size_stops_counting(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / str(number)).write_bytes(b"x" * 4096)
    whole = files.size([tmp_path])
    assert whole >= 20 * 4096
    assert 2 * 4096 < files.size([tmp_path], 2 * 4096) < whole


@pytest.mark.parametrize("limit", [0, 1, 10, 11, 1000])
def test_capture_keeps_head_and_tail(limit: int) -> None:
    whole = b"".join(b"%d " % number for number in range(200))
    for step in (1, 7, 64, 10_000):
        capture = Capture(limit)
        for begin in range(0, len(whole), step):
            capture.add(whole[begin : begin + step])
        assert capture.total == len(whole)
        if limit >= len(whole):
            assert capture.text().encode() == whole
            continue
        head, _, tail = capture.text().partition(f"\n[... {len(whole) - limit} bytes left out ...]\n")
        assert head.encode() == whole[: limit - limit // 2]
        assert tail.encode() == whole[len(whole) - limit // 2 :]
