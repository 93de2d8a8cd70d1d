"""The history of a run: a bare git repository beside the run's records, never inside the tree that agents and commands see.

A commit's hash depends on its content alone (fixed author, date and parent), so two candidates with the same files are the
same commit, and a measurement keyed by commit is keyed by content. Nothing of the user's repository is executed or
configured by: its hooks, filters, attributes and settings are not read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autosota.errors import MachineError, StageError
from autosota.records import Change

CACHES = frozenset({"__pycache__", ".git", ".hg", ".svn", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache",
                    ".venv", "venv", ".tox", ".nox", "node_modules", ".eggs", ".idea", ".vscode", ".autosota"})  # fmt: skip
"""Folders that never travel."""
_WHO = b"autosota <autosota@localhost> 946684800 +0000"
_CANDIDATE = b'commit refs/heads/candidate\nmark :1\ncommitter %s\ndata 9\ncandidate\nM 040000 %s ""\n'
_REMEMBERED = 64
"""Differences kept in memory."""
_HUGE = 256 * 2**20


class Workspace:
    """Commits, trees, differences and exports of one run's candidates."""

    def __init__(self, folder: Path, repository: Path, *, exclude: Sequence[Path] = ()) -> None:
        """`folder`: the bare repository, made if absent. `exclude`: paths inside `repository` that do not belong to it."""
        self.folder = folder
        self.repository = repository
        self._exclude = tuple(os.fsencode(path) for path in exclude)
        self._roots: dict[str, bytes] = {}
        self._known_changes: dict[tuple[str, str], tuple[Change, ...]] = {}
        self._remembering = threading.Lock()
        self._blobs = _Blobs(self._git_environment())
        if not (folder / "HEAD").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--template=", str(folder), repository_needed=False)

    # ── from the user's repository ────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self) -> str:
        """Commit the repository as it is: tracked files, and untracked ones that git does not ignore. StageError if empty."""
        files = [name for name in self._listed("--others") if self._wanted(name)]
        stream = [b"commit refs/heads/snapshot\nmark :1\ncommitter %s\ndata 8\nbaseline\n" % _WHO]
        skipped = []
        for name in sorted(set(files)):
            entry = self._entry(name)
            if entry is None:
                skipped.append(os.fsdecode(name))
            else:
                stream.append(entry)
        if len(stream) == 1:
            raise StageError(f"no files to work on in {self.repository}", "give the folder that holds the code with REPO")
        self.skipped = tuple(skipped)
        return self._import(stream)

    skipped: tuple[str, ...] = ()
    """Files that the last snapshot left out: unreadable, special, or over 256 MB."""

    def ignored(self) -> tuple[str, ...]:
        """Git-ignored files and folders on disk that may hold data: relative paths, folders end with a slash; caches left out."""
        names = self._listed("--others", "--ignored", "--directory")
        return tuple(
            os.fsdecode(name) for name in sorted(set(names)) if self._wanted(name) and not name.endswith((b".pyc", b".pyo"))
        )

    def _listed(self, *kinds: str) -> list[bytes]:
        work = {"GIT_WORK_TREE": str(self.repository)}
        names = self._git("ls-files", "-z", "--exclude-standard", *kinds, variables=work, cwd=self.repository).split(b"\0")
        found = [name for name in names if name and not name.endswith(b"/")]
        nested = [name for name in names if name.endswith(b"/")]
        if "--directory" in kinds:
            return found + nested
        for name in nested:
            found += _walk(os.fsencode(self.repository), name)
        own = self.repository / ".git"
        if own.exists():
            found += self._tracked(own)
        return found

    def _tracked(self, own: Path) -> list[bytes]:
        """What the user's own git tracks although its ignore rules match; a broken repository tracks nothing."""
        command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "ls-files", "-z", "--cached"]
        environment = {**self._git_environment(), "GIT_WORK_TREE": str(self.repository)}
        environment["GIT_DIR"] = str(own) if own.is_dir() else str(_linked(own))
        done = subprocess.run(command, env=environment, cwd=self.repository, capture_output=True, check=False)
        return [name for name in done.stdout.split(b"\0") if name]

    def _wanted(self, name: bytes) -> bool:
        parts = name.rstrip(b"/").split(b"/")
        if any(os.fsdecode(part) in CACHES or part.endswith(b".egg-info") for part in parts):
            return False
        full = os.path.join(os.fsencode(self.repository), name.rstrip(b"/"))
        return not any(full == path or full.startswith(path + b"/") for path in self._exclude)

    def _entry(self, name: bytes) -> bytes | None:
        full = os.path.join(os.fsencode(self.repository), name)
        try:
            if os.path.islink(full):
                return _modify(name, b"120000", os.readlink(full))
            status = os.lstat(full)
            if not os.path.isfile(full) or status.st_size > _HUGE:
                return None
            with open(full, "rb") as file:
                return _modify(name, b"100755" if status.st_mode & 0o100 else b"100644", file.read())
        except OSError:
            return None

    def ignores(self, folder: Path, paths: Sequence[str]) -> frozenset[str]:
        """Which of these relative paths git would ignore by the ignore files of the tree in `folder`."""
        if not paths:
            return frozenset()
        given = b"\0".join(os.fsencode(path) for path in paths)
        command = ["git", "-c", "core.hooksPath=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"]
        environment = {**self._git_environment(), "GIT_WORK_TREE": str(folder)}
        done = subprocess.run(command, input=given, env=environment, cwd=folder, capture_output=True, check=False)
        return frozenset(os.fsdecode(path) for path in done.stdout.split(b"\0") if path)

    # ── candidates ────────────────────────────────────────────────────────────────────────────────────────────────────

    def commit(self, parent: str, changes: Sequence[Change], message: str = "candidate") -> str:
        """Commit `parent`'s content with `changes`. The message is not part of the identity. Raises StageError on a bad path."""
        stream = [_CANDIDATE % (_WHO, self._root(parent))]
        for change in changes:
            path = os.fsencode(_safe(change.path))
            stream.append(
                b"D %s\n" % _quoted(path) if change.content is None else _modify(path, change.mode.encode(), change.content)
            )
        return self._import(stream)

    def of_tree(self, tree: str) -> str:
        """Commit a tree object of this history, as `commit` would have named it."""
        return self._import([_CANDIDATE % (_WHO, tree.encode())])

    def modes(self, commit: str) -> dict[str, tuple[str, str]]:
        """Path → (mode, object name) of a commit's files, links included."""
        return self._entries(commit)

    def environment(self) -> dict[str, str]:
        """Variables for git to work on this history and read no configuration of the user's."""
        return self._git_environment()

    def tree(self, commit: str) -> Mapping[str, bytes]:
        """The files of a commit: path → content, read on demand. Links, submodules and names that are not UTF-8 are left out."""
        return _Tree({path: entry for path, entry in self._entries(commit).items() if path.isprintable()}, self._blobs)

    def changes(self, base: str, commit: str) -> tuple[Change, ...]:
        """The whole difference from `base` to `commit`, sorted by path."""
        if base == commit:
            return ()
        known = self._known_changes.get((base, commit))
        if known is None:
            known = self._compare(base, commit)
            with self._remembering:
                self._known_changes[base, commit] = known
                while len(self._known_changes) > _REMEMBERED:
                    del self._known_changes[next(iter(self._known_changes))]
        return known

    def _root(self, commit: str) -> bytes:
        """The tree object of a commit."""
        if commit not in self._roots:
            self._roots[commit] = self._git("rev-parse", f"{commit}^{{tree}}").strip()
        return self._roots[commit]

    def _compare(self, base: str, commit: str) -> tuple[Change, ...]:
        fields = self._git("diff-tree", "-r", "-z", "--no-renames", base, commit).split(b"\0")
        found = []
        for index in range(0, len(fields) - 1, 2):
            _, mode, _, blob, status = fields[index].split()
            path = os.fsdecode(fields[index + 1])
            kind = mode.decode() if mode in (b"100755", b"120000") else "100644"
            content = None if status == b"D" else self._blobs.read(blob.decode())
            found.append(Change(path=path, content=content, mode=kind))  # type: ignore[arg-type]
        return tuple(sorted(found, key=lambda change: change.path))

    def diff(self, base: str, commit: str) -> str:
        """What `git apply -p1` takes at the repository's root; undecodable bytes are kept by surrogate escapes."""
        text = self._git("diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-renames", base, commit)
        return text.decode("utf-8", "surrogateescape")

    def tag(self, name: str, commit: str) -> None:
        """Name a commit; moves the name if it exists."""
        self._git("update-ref", f"refs/tags/{name}", commit)

    def lookup(self, name: str) -> str | None:
        """The commit behind a tag or a full hash, or None."""
        for reference in (f"refs/tags/{name}", name):
            command = ["git", "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"]
            done = subprocess.run(command, env=self._git_environment(), capture_output=True, check=False)
            if done.returncode == 0:
                return done.stdout.decode().strip()
        return None

    def export(self, commit: str, folder: Path, *, leave_out: Sequence[str] = ()) -> None:
        """Write a commit's files to `folder`, atomically: the folder is complete or absent. An existing one is left as it is."""
        if folder.exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f"{folder.name}.{os.getpid()}.{threading.get_ident()}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for path, (mode, blob) in self._entries(commit).items():
            if path not in leave_out:
                write_file(draft, Change(path=path, content=self._blobs.read(blob), mode=mode))  # type: ignore[arg-type]
        try:
            draft.rename(folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.exists():
                raise

    def close(self) -> None:
        """End the helper process."""
        self._blobs.close()

    # ── git ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _entries(self, commit: str) -> dict[str, tuple[str, str]]:
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
        entries = {}
        for line in listed:
            if line:
                head, path = line.split(b"\t", 1)
                mode, kind, blob = head.split()
                if kind == b"blob":
                    entries[os.fsdecode(path)] = (mode.decode(), blob.decode())
        return entries

    def _import(self, stream: Sequence[bytes]) -> str:
        data = b"".join(stream) + b"\nget-mark :1\n"
        out = self._git("fast-import", "--quiet", "--force", "--done", stdin=data + b"done\n")
        return out.decode().strip()

    def _git_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "GIT_DIR": str(self.folder), "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none",
            "GIT_OPTIONAL_LOCKS": "0",
        }  # fmt: skip

    def _git(
        self, *arguments: str, stdin: bytes | None = None, variables: Mapping[str, str] | None = None,
        cwd: Path | None = None, repository_needed: bool = True,
    ) -> bytes:  # fmt: skip
        command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", *arguments]
        environment = {**self._git_environment(), **(variables or {})}
        if not repository_needed:
            del environment["GIT_DIR"]
        try:
            done = subprocess.run(command, input=stdin, env=environment, cwd=cwd, capture_output=True, check=False)
        except FileNotFoundError:
            raise MachineError("git is not installed", "install git") from None
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise StageError(f"git {arguments[0]} failed: {words[-1] if words else done.returncode}", "is the disk full?")
        return done.stdout


class _Tree(Mapping[str, bytes]):
    """Files of a commit, read on demand."""

    def __init__(self, entries: Mapping[str, tuple[str, str]], blobs: _Blobs) -> None:
        self._names = {path: blob for path, (mode, blob) in entries.items() if mode != "120000"}
        self._blobs = blobs

    def __getitem__(self, path: str) -> bytes:
        return self._blobs.read(self._names[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, path: object) -> bool:
        return path in self._names


class _Blobs:
    """Contents by object name through one long-lived `git cat-file --batch`; small ones are remembered."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._known: dict[str, bytes] = {}
        self._known_bytes = 0

    def read(self, blob: str) -> bytes:
        with self._lock:
            if blob in self._known:
                return self._known[blob]
            content = self._ask(blob)
            if len(content) < 2**20 and self._known_bytes < 32 * 2**20:
                self._known[blob] = content
                self._known_bytes += len(content)
            return content

    def _ask(self, blob: str) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                ["git", "cat-file", "--batch"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise StageError("git cat-file has no pipes")
        process.stdin.write(blob.encode() + b"\n")
        process.stdin.flush()
        head = process.stdout.readline().split()
        if len(head) != 3:
            raise StageError(f"the run's history lacks object {blob}", "the run directory is damaged; start a new run with --out")
        content = process.stdout.read(int(head[2]))
        process.stdout.read(1)
        return content

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                if self._process.stdin is not None:
                    self._process.stdin.close()
                self._process.wait()
                if self._process.stdout is not None:
                    self._process.stdout.close()
                self._process = None


def write_file(folder: Path, change: Change) -> None:
    """Write one file of a tree under `folder`, making its parents; the path is checked to stay inside."""
    target = os.path.join(os.fsencode(folder), os.fsencode(_safe(change.path)))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    content = change.content or b""
    if change.mode == "120000":
        os.symlink(content, target)
        return
    with open(target, "wb") as file:
        file.write(content)
    os.chmod(target, 0o755 if change.mode == "100755" else 0o644)


def _safe(path: str) -> str:
    parts = path.split("/")
    if (
        not path
        or path.startswith("/")
        or "\0" in path
        or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    ):
        raise StageError(f"a change names a path outside the tree: {path!r}", "paths are relative to the repository's root")
    return path


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def _modify(path: bytes, mode: bytes, content: bytes) -> bytes:
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, _quoted(path), len(content), content)


def _linked(pointer: Path) -> Path:
    """The git directory that a `.git` file points to (worktrees, submodules)."""
    try:
        text = pointer.read_text(errors="replace")
    except OSError:
        return pointer
    target = text.partition("gitdir:")[2].strip()
    return (pointer.parent / target).resolve() if target else pointer


def _walk(root: bytes, folder: bytes) -> list[bytes]:
    """All files below a nested repository, which git lists only by its folder's name."""
    found = []
    for place, folders, files in os.walk(os.path.join(root, folder)):
        folders[:] = [name for name in folders if os.fsdecode(name) not in CACHES]
        found += [os.path.relpath(os.path.join(place, name), root) for name in files]
    return found
