"""The history: content decides a commit's name, nothing of the user's repository is executed or obeyed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from autosota.errors import StageError
from autosota.records import Change
from autosota.workspace import Workspace


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "model.py").write_text("rate = 0.1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    return folder


def _workspace(tmp_path: Path, repository: Path) -> Workspace:
    return Workspace(tmp_path / "history.git", repository)


def test_same_content_is_the_same_commit_by_whatever_path(tmp_path: Path, repository: Path) -> None:
    workspace = _workspace(tmp_path, repository)
    base = workspace.snapshot()
    direct = workspace.commit(base, [Change(path="src/model.py", content=b"rate = 0.2\n")])
    detour = workspace.commit(base, [Change(path="other.py", content=b""), Change(path="src/model.py", content=b"rate = 9\n")])
    back = workspace.commit(detour, [Change(path="other.py", content=None), Change(path="src/model.py", content=b"rate = 0.2\n")])
    assert back == direct != base


def test_diff_applies_to_the_repository_and_changes_name_every_file(tmp_path: Path, repository: Path) -> None:
    workspace = _workspace(tmp_path, repository)
    base = workspace.snapshot()
    commit = workspace.commit(
        base, [Change(path="src/model.py", content=None), Change(path="new/a b.py", content=b"\xff\x00binary", mode="100755")]
    )
    changes = workspace.changes(base, commit)
    assert [(change.path, change.content, change.mode) for change in changes] == [
        ("new/a b.py", b"\xff\x00binary", "100755"), ("src/model.py", None, "100644")]  # fmt: skip
    patch = tmp_path / "best.patch"
    patch.write_text(workspace.diff(base, commit), encoding="utf-8", errors="surrogateescape")
    subprocess.run(["git", "apply", "-p1", str(patch)], cwd=repository, check=True)
    assert (repository / "new" / "a b.py").read_bytes() == b"\xff\x00binary"
    assert not (repository / "src" / "model.py").exists()


def test_ignored_files_stay_out_unless_tracked_and_attributes_are_not_obeyed(tmp_path: Path, repository: Path) -> None:
    (repository / ".gitignore").write_text("data/\n*.log\n")
    (repository / ".gitattributes").write_text("*.py text eol=crlf\n* export-ignore\n")
    (repository / "data").mkdir()
    for name in ("kept.csv", "left.csv"):
        (repository / "data" / name).write_text("1\n")
    subprocess.run("git init -q && git add -f data/kept.csv", shell=True, cwd=repository, check=True)
    workspace = _workspace(tmp_path, repository)
    tree = workspace.tree(workspace.snapshot())
    assert "data/kept.csv" in tree and "data/left.csv" not in tree
    assert tree["src/model.py"] == b"rate = 0.1\n"
    assert "data/" in workspace.ignored()
    workspace.export(workspace.snapshot(), tmp_path / "out")
    assert (tmp_path / "out" / "src" / "model.py").read_bytes() == b"rate = 0.1\n"


def test_hooks_filters_and_monitors_of_the_repository_never_run(tmp_path: Path, repository: Path) -> None:
    marker = tmp_path / "executed"
    script = repository / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    script.chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    commands = f"git init -q && git config core.fsmonitor {script} && git config filter.evil.clean {script}"
    commands += f" && git config diff.evil.textconv {script} && git config core.hooksPath {repository}"
    subprocess.run(commands, shell=True, cwd=repository, check=True)
    workspace = _workspace(tmp_path, repository)
    base = workspace.snapshot()
    commit = workspace.commit(base, [Change(path="src/model.py", content=b"x\n")])
    workspace.diff(base, commit)
    workspace.export(commit, tmp_path / "out")
    assert not marker.exists()


def test_odd_names_links_and_nested_repositories(tmp_path: Path, repository: Path) -> None:
    (repository / 'we"ird\n\\name.py').write_text("a\n")
    Path(os.fsdecode(os.fsencode(repository) + b"/\xff\xfe.bin")).write_bytes(b"raw")
    (repository / "outside").symlink_to("/etc/passwd")
    nested = repository / "third_party"
    nested.mkdir()
    (nested / "lib.py").write_text("b\n")
    subprocess.run(["git", "init", "-q"], cwd=nested, check=True)
    workspace = _workspace(tmp_path, repository)
    base = workspace.snapshot()
    workspace.export(base, tmp_path / "out")
    assert (tmp_path / "out" / 'we"ird\n\\name.py').read_text() == "a\n"
    assert (tmp_path / "out" / os.fsdecode(b"\xff\xfe.bin")).read_bytes() == b"raw"
    assert (tmp_path / "out" / "outside").is_symlink()
    assert workspace.tree(base)["third_party/lib.py"] == b"b\n"
    assert "outside" not in workspace.tree(base)


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ".git/config", "a//b", ""])
def test_a_change_outside_the_tree_is_refused(tmp_path: Path, repository: Path, path: str) -> None:
    workspace = _workspace(tmp_path, repository)
    with pytest.raises(StageError, match="outside the tree"):
        workspace.commit(workspace.snapshot(), [Change(path=path, content=b"")])


def test_an_empty_repository_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StageError, match="no files"):
        _workspace(tmp_path, tmp_path / "empty").snapshot()


def test_the_run_inside_the_repository_is_not_part_of_it(tmp_path: Path, repository: Path) -> None:
    (repository / "runs" / "x").mkdir(parents=True)
    (repository / "runs" / "x" / "note").write_text("ours")
    workspace = Workspace(tmp_path / "history.git", repository, exclude=[repository / "runs"])
    assert set(workspace.tree(workspace.snapshot())) == {"run.sh", "src/model.py"}
