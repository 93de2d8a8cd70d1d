"""Getting a repository from a directory, an archive or a git address, and judging whether it is worth starting on (paper 3.2.1).

A directory is used where it is and never written to; everything else is unpacked below a folder of the run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from autosota import archives
from autosota.errors import MachineError, UsageError
from autosota.records import Readiness, Repository

CLONE_SECONDS = 900
MOST_FILES = 60_000
LANGUAGES = {
    ".py": "Python", ".ipynb": "Python notebooks", ".r": "R", ".jl": "Julia", ".cpp": "C++", ".cc": "C++", ".cu": "CUDA",
    ".c": "C", ".m": "MATLAB", ".java": "Java", ".scala": "Scala", ".rs": "Rust", ".go": "Go", ".lua": "Lua", ".js": "JavaScript",
    ".ts": "TypeScript", ".sh": "shell", ".hs": "Haskell", ".f90": "Fortran", ".pl": "Perl",
}  # fmt: skip
_SOON = re.compile(
    r"\b(?:code|implementation|repository|models?|everything|details)\b[^.\n]{0,60}\b(?:coming soon|will be (?:made )?"
    r"(?:released|available|published|uploaded)|to be released|stay tuned|under construction|not yet available)|"
    r"^\W*coming soon\W*$",
    re.IGNORECASE | re.MULTILINE,
)
_GIT = re.compile(r"^(?:(?:https?|git|ssh|file)://|[\w.-]+@[\w.-]+:)", re.IGNORECASE)
_HOSTS = r"github\.com|gitlab\.[\w.-]+|bitbucket\.org|codeberg\.org|gitee\.com|huggingface\.co|git\.[\w.-]+"


@dataclass
class Contents:
    """What lies in a repository's folder, counted once."""

    files: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    readme: str = ""
    pointers: list[str] = field(default_factory=list)
    """Files that Git LFS has not fetched."""
    submodules: list[str] = field(default_factory=list)
    """Folders of submodules that are empty."""
    truncated: bool = False


# ── getting it ────────────────────────────────────────────────────────────────────────────────────────────────────────


def obtain(source: str, folder: Path, base: Path | None = None) -> Repository:
    """The repository at a directory, archive or git address. Relative paths are looked up here, then below `base`.

    Raises UsageError where there is none, MachineError without git.
    """
    for path in _paths(source, base):
        if _is_bare(path):
            return _clone(path.resolve().as_uri(), source, folder)
        if path.is_dir():
            return _directory(path.resolve(), source)
        if path.is_file():
            return _archive(path, source, folder)
    if _GIT.match(source) and not source.startswith("-"):
        if source.startswith("file://"):
            raise UsageError(f"no repository at {source}", "check the path")
        return _clone(clone_url(source), source, folder)
    raise UsageError(f"no repository at {source}", "give a directory, an archive (zip, tar) or a git address")


def _paths(source: str, base: Path | None) -> Iterator[Path]:
    if re.match(r"^(?:https?|git|ssh)://", source):
        return
    path = Path(source.removeprefix("file://")).expanduser()
    candidates = [path] if path.is_absolute() or base is None else [path, base / path]
    for candidate in candidates:
        try:
            if candidate.exists():
                yield candidate
                return
        except (OSError, ValueError):
            return


def clone_url(url: str) -> str:
    """The address to clone from: without a tree, blob or issue page behind it."""
    parts = urlsplit(url)
    if not re.fullmatch(rf"(?:www\.)?(?:{_HOSTS})", parts.hostname or "", re.IGNORECASE):
        return url
    segments = [segment for segment in parts.path.split("/") if segment]
    depth = 3 if "huggingface" in (parts.hostname or "") and segments[:1] in (["datasets"], ["spaces"]) else 2
    for stop in ("-", "tree", "blob", "issues", "wiki", "releases", "raw", "pull", "resolve"):
        if stop in segments[depth:]:
            segments = segments[: segments.index(stop, depth)]
    if "github.com" in (parts.hostname or ""):
        segments = segments[:2]
    return f"{parts.scheme}://{parts.netloc}/{'/'.join(segments)}"


def _directory(path: Path, source: str) -> Repository:
    commit = None
    if (path / ".git").exists():
        answer = _git(["-C", str(path), "rev-parse", "HEAD"], seconds=30)
        commit = answer.stdout.strip() if answer and answer.returncode == 0 else None
    return Repository(source=source, kind="directory", path=str(path), commit=commit)


def _is_bare(path: Path) -> bool:
    return (
        path.is_dir()
        and not (path / ".git").exists()
        and (path / "HEAD").is_file()
        and all((path / name).is_dir() for name in ("objects", "refs"))
    )


def _archive(path: Path, source: str, folder: Path) -> Repository:
    if not archives.is_archive(path):
        raise UsageError(
            f"{source} is neither a directory nor an archive", "give a directory, a zip or tar file, or a git address"
        )
    target = _emptied(folder)
    notes = archives.unpack(path, target)
    inner = [entry for entry in target.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
    root = inner[0] if len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink() else target
    return Repository(source=source, kind="archive", path=str(root.resolve()), notes=tuple(notes))


def _emptied(folder: Path) -> Path:
    target = folder / "repository"
    if target.exists():
        shutil.rmtree(target)
    folder.mkdir(parents=True, exist_ok=True)
    return target


def _clone(url: str, source: str, folder: Path) -> Repository:
    target = _emptied(folder)
    options = ["-c", "protocol.allow=never", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"]
    for protocol in ("https", "http", "ssh", "git", "file"):
        options += ["-c", f"protocol.{protocol}.allow=always"]
    command = [*options, "clone", "--quiet", "--depth", "1", "--no-recurse-submodules", "--template=", "--", url, str(target)]
    answer = _git(command, seconds=CLONE_SECONDS)
    if answer is None:
        shutil.rmtree(target, ignore_errors=True)
        raise UsageError(f"{source}: not cloned within {CLONE_SECONDS} s", "clone it yourself and give the directory")
    if answer.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        words = [line for line in answer.stderr.strip().splitlines() if line.strip()] or ["git gave no reason"]
        raise UsageError(
            f"{source}: cannot be cloned: {words[-1][:300]}", "private or gone? clone it yourself and give the directory"
        )
    head = _git(["-C", str(target), "rev-parse", "HEAD"], seconds=30)
    commit = head.stdout.strip() if head and head.returncode == 0 else None
    notes = () if commit else ("the git repository has no commit",)
    return Repository(source=source, kind="git", path=str(target.resolve()), commit=commit, notes=notes)


def _git(arguments: list[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """Run git without prompts, hooks or LFS downloads; None when it took too long."""
    safe = {
        "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20",
    }  # fmt: skip
    dropped = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
    environment = {**{key: value for key, value in os.environ.items() if key not in dropped}, **safe}
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "safe.directory=*", *arguments]
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise MachineError("git is not installed", "install git, or give the repository as a directory or archive") from None
    except subprocess.TimeoutExpired:
        return None


# ── looking at it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def files(root: Path) -> Iterator[Path]:
    """Regular files below a folder in a fixed order, at most `MOST_FILES`; no links followed, no version control or caches."""
    skip = {".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".mypy_cache"}
    count = 0
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in skip)
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            count += 1
            if count > MOST_FILES:
                return
            yield path


def inspect(root: Path) -> Contents:
    """Languages, README, unfetched parts of the repository at `root`."""
    found = Contents()
    for path in files(root):
        found.files += 1
        suffix = path.suffix.lower()
        if suffix in LANGUAGES:
            found.languages[LANGUAGES[suffix]] += 1
        try:
            size = path.stat().st_size
            if re.match(r"readme", path.name, re.IGNORECASE) and path.parent == root and size < 2**20:
                found.readme += path.read_text(encoding="utf-8", errors="replace") + "\n"
            if 100 < size < 400 and len(found.pointers) < 1000 and path.read_bytes().startswith(b"version https://git-lfs."):
                found.pointers.append(path.relative_to(root).as_posix())
        except OSError:
            continue
    found.truncated = found.files >= MOST_FILES
    modules = root / ".gitmodules"
    if modules.is_file() and not modules.is_symlink() and modules.stat().st_size < 2**20:
        paths = re.findall(r"^\s*path\s*=\s*(.+?)\s*$", modules.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        inside = [path for path in paths if ".." not in Path(path).parts and not path.startswith("/")]
        found.submodules = [path for path in inside if not (root / path).is_dir() or not any((root / path).iterdir())]
    return found


def readiness(contents: Contents) -> Readiness:
    """Worth starting on? Only a repository without any source code is not; everything else is said as a reason (paper 3.2.1)."""
    languages = ", ".join(f"{count} {name}" for name, count in contents.languages.most_common(4))
    if contents.files == 0:
        return Readiness(ready=False, reasons=("the repository is empty",))
    soon = _SOON.search(contents.readme)
    promise = [f"its README says: {' '.join(soon[0].split())[:120]!r}"] if soon else []
    code = {name for name in contents.languages if name != "shell"}
    if not contents.languages:
        return Readiness(ready=False, reasons=(f"no source files among {contents.files} files", *promise))
    reasons = [f"source files: {languages}", *promise]
    if "Python" not in code and "Python notebooks" not in code:
        reasons.append("no Python: commands run as they are, but nothing in the code is understood")
    if contents.truncated:
        reasons.append(f"only the first {MOST_FILES:,} files were looked at")
    return Readiness(ready=True, reasons=tuple(reasons))


def notes(contents: Contents) -> list[str]:
    """What is missing in the repository, in words."""
    found = []
    if contents.pointers:
        found.append(f"{len(contents.pointers)} files are Git LFS pointers without their content, e.g. {contents.pointers[0]}")
    if contents.submodules:
        found.append(f"submodules that were not fetched: {', '.join(contents.submodules[:5])}")
    return found
