"""A change made by anybody, brought into a run's history: a patch file, a directory with the full tree, or a git revision."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from autosota.errors import UsageError
from autosota.records import Change
from autosota.workspace import CACHES, Workspace

_MOST = 2**30


class DoesNotApply(Exception):
    """The patch does not fit the baseline; the message says where."""


def commit(candidate: str, workspace: Workspace, base: str) -> str:
    """The commit of `base` with the candidate's change. Raises UsageError for what is none, DoesNotApply for a bad patch."""
    path = Path(candidate).absolute()
    if path.is_dir():
        return workspace.commit(base, _of_directory(path, workspace, base))
    if path.is_file():
        return _of_patch(path, workspace, base)
    return workspace.commit(base, _of_revision(candidate, workspace, base))


def _of_patch(path: Path, workspace: Workspace, base: str) -> str:
    if path.stat().st_size > _MOST:
        raise UsageError(f"{path} is larger than 1 GB", "give a smaller patch, or the changed tree as a directory")
    text = path.read_bytes()
    if not text.strip():
        return base
    if b"diff --git" not in text and b"--- " not in text and b"GIT binary patch" not in text:
        raise UsageError(f"{path} is no patch", "give the output of `git diff`, a directory, or a git revision")
    with tempfile.TemporaryDirectory(prefix="autosota-apply-") as folder:
        environment = {**workspace.environment(), "GIT_INDEX_FILE": str(Path(folder) / "index"), "GIT_WORK_TREE": folder}
        for command in (["read-tree", base], ["apply", "--cached", "--binary", "--whitespace=nowarn", "-p1", "-"]):
            stdin = text if command[0] == "apply" else None
            done = subprocess.run(["git", *command], input=stdin, env=environment, cwd=folder, capture_output=True, check=False)
            if done.returncode:
                words = done.stderr.decode(errors="replace").strip().splitlines()
                raise DoesNotApply(words[0].removeprefix("error: ") if words else "git apply refused it")
        done = subprocess.run(["git", "write-tree"], env=environment, cwd=folder, capture_output=True, check=True)
    return workspace.of_tree(done.stdout.decode().strip())


def _of_directory(folder: Path, workspace: Workspace, base: str) -> list[Change]:
    """The full tree: files missing there are deleted; ignored files and caches do not travel."""
    other = Workspace(workspace.folder, folder)
    try:
        found = other.snapshot()
        return list(workspace.changes(base, found))
    finally:
        other.close()


def _of_revision(revision: str, workspace: Workspace, base: str) -> list[Change]:
    repository = workspace.repository
    if revision.startswith("-") or not (repository / ".git").exists():
        raise UsageError(
            f"no candidate at {revision}", "give a patch file, a directory, or a git revision of the task's repository"
        )
    entries = _tree(repository, revision)
    if entries is None:
        raise UsageError(
            f"no patch, directory or git revision is called {revision!r}", f"`git -C {repository} log` shows revisions"
        )
    # Files of the working tree that git does not track are part of the baseline; a revision cannot have deleted them.
    tracked = _tree(repository, "HEAD") or {}
    return _changes(entries, frozenset(tracked), repository, workspace, base)


def _tree(repository: Path, revision: str) -> dict[str, tuple[str, str]] | None:
    """Path below the task's repository → (mode, blob) at a revision; None if there is no such revision."""
    listed = _git(repository, "ls-tree", "-r", "-z", f"{revision}^{{commit}}")
    if listed is None:
        return None
    entries = {}
    for line in listed.split(b"\0"):
        if line:
            head, name = line.split(b"\t", 1)
            mode, kind, blob = head.decode().split()
            if kind == "blob" and not any(part in CACHES for part in os.fsdecode(name).split("/")):
                entries[os.fsdecode(name)] = (mode, blob)
    return entries


def _changes(
    entries: Mapping[str, tuple[str, str]], tracked: frozenset[str], repository: Path, workspace: Workspace, base: str
) -> list[Change]:
    changes = []
    before = workspace.modes(base)
    for name, (mode, blob) in entries.items():
        content = _git(repository, "cat-file", "blob", blob) if before.get(name) != (mode, blob) else None
        if content is not None:
            changes.append(Change(path=name, content=content, mode=mode))  # type: ignore[arg-type]
    return changes + [Change(path=name, content=None) for name in before if name in tracked and name not in entries]


def _git(repository: Path, *arguments: str) -> bytes | None:
    """Git on the user's repository, with nothing of its configuration that could run a program."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "GIT_CONFIG_GLOBAL": os.devnull,
                   "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0"}  # fmt: skip
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
