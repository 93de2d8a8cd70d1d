"""Changes made by anybody: patch files, directories, revisions; what does not apply says where."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosota import candidates
from autosota.errors import UsageError
from autosota.workspace import Workspace
from tests import kit

IDENTITY = "git -c user.name=a -c user.email=a@b"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    folder = kit.write(tmp_path / "repository", {"model.py": "RATE = 1\n", "notes/a b.txt": "x\n", ".gitignore": "data/\n"})
    subprocess.run(f"git init -q && git add . && {IDENTITY} commit -qm base", shell=True, cwd=folder, check=True)
    kit.write(folder, {"data/rows.csv": "1\n", "untracked.py": "pass\n"})
    made = Workspace(tmp_path / "history.git", folder)
    yield made
    made.close()


def _changed(workspace: Workspace, base: str, commit: str) -> dict[str, bytes | None]:
    return {change.path: change.content for change in workspace.changes(base, commit)}


def test_patch_directory_and_revision_are_the_same_commit(workspace: Workspace, tmp_path: Path) -> None:
    base, folder = workspace.snapshot(), workspace.repository
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    kit.write(changed, {"model.py": "RATE = 2\n", "data/rows.csv": "tampered\n", "__pycache__/model.cpython-311.pyc": "x"})
    (changed / "notes" / "a b.txt").unlink()
    by_directory = candidates.commit(str(changed), workspace, base)
    assert _changed(workspace, base, by_directory) == {"model.py": b"RATE = 2\n", "notes/a b.txt": None}

    kit.write(folder, {"model.py": "RATE = 2\n"})
    (folder / "notes" / "a b.txt").unlink()
    diff = subprocess.run(["git", "diff"], cwd=folder, capture_output=True, check=True).stdout
    (tmp_path / "change.patch").write_bytes(diff)
    assert candidates.commit(str(tmp_path / "change.patch"), workspace, base) == by_directory

    subprocess.run(
        f"git checkout -qb idea && git add -u && {IDENTITY} commit -qm idea && git checkout -q -",
        shell=True,
        cwd=folder,
        check=True,
    )
    assert candidates.commit("idea", workspace, base) == by_directory


def test_a_patch_that_misses_says_where(workspace: Workspace, tmp_path: Path) -> None:
    patch = tmp_path / "change.patch"
    patch.write_text("diff --git a/model.py b/model.py\n--- a/model.py\n+++ b/model.py\n@@ -1 +1 @@\n-RATE = 9\n+RATE = 2\n")
    with pytest.raises(candidates.DoesNotApply, match=r"model\.py"):
        candidates.commit(str(patch), workspace, workspace.snapshot())


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", ".git/hooks/pre-commit"])
def test_a_patch_cannot_leave_the_tree(name: str, workspace: Workspace, tmp_path: Path) -> None:
    patch = tmp_path / "change.patch"
    patch.write_text(f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+x\n")
    with pytest.raises(candidates.DoesNotApply):
        candidates.commit(str(patch), workspace, workspace.snapshot())


@pytest.mark.parametrize("candidate", ["no-such-revision", "--upload-pack=x", "empty.txt"])
def test_what_is_no_candidate_is_a_usage_error(candidate: str, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("hello\n")
    path = tmp_path / candidate
    with pytest.raises(UsageError) as raised:
        candidates.commit(str(path) if path.exists() else candidate, workspace, workspace.snapshot())
    assert raised.value.hint


def test_an_empty_patch_is_the_baseline(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty.patch").write_text("\n")
    base = workspace.snapshot()
    assert candidates.commit(str(tmp_path / "empty.patch"), workspace, base) == base


def test_a_folder_may_be_named_from_where_one_stands(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kit.write(tmp_path / "changed", {"model.py": "RATE = 2\n"})
    monkeypatch.chdir(tmp_path)
    base = workspace.snapshot()
    found = _changed(workspace, base, candidates.commit("changed", workspace, base))
    assert found["model.py"] == b"RATE = 2\n"
