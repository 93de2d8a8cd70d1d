"""What is taken from a sandbox in which a coder worked: the text files it changed, as changes of a commit.

Nothing else counts: not what it said, not what it installed, not what its processes left behind. Links, special files, binary and
very large files, caches, results of the evaluation and what git ignores stay behind, each with a word on why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autosota.ports import Command, Limits, Sandbox
from autosota.records import Change
from autosota.workspace import CACHES, Workspace

LARGEST = 512 * 1024
"""Bytes of one changed file; code is smaller, and what is larger was not written by hand."""
MOST = 200
"""Changed files of one session."""
_FIND = "find . -mindepth 1 \\( {mounts} \\) -prune -o \\( -type l -o -type f -perm -100 \\) -printf '%y %P\\0'"


@dataclass
class Harvest:
    """Changes to commit, and what was left behind."""

    changes: list[Change] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """Path → why it was not taken."""

    def note(self) -> str:
        """What was left behind, in a sentence; empty where nothing was."""
        by_reason: dict[str, list[str]] = {}
        for path, reason in sorted(self.left.items()):
            by_reason.setdefault(reason, []).append(path)
        return "; ".join(
            f"not taken, {reason}: {', '.join(paths[:3])}" + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
            for reason, paths in by_reason.items()
        )


def gather(
    sandbox: Sandbox, before: Mapping[str, bytes], *, workspace: Workspace, base: Path, results: Iterable[str] = (),
    mounted: Sequence[str] = (), secrets: Sequence[str] = (),
) -> Harvest:  # fmt: skip
    """Read what was changed. `before`: the files the coder started from, which lie in `base`; `results`: files that the
    evaluation writes; `mounted`: paths in the tree that come from elsewhere; `secrets`: values that must not get into a patch."""
    found = Harvest()
    results = set(results)
    changed = [path for path in sandbox.changed() if not _cache(path)]
    ignored = workspace.ignores(base, [path for path in changed if path.isprintable() and path not in before])
    links, executable = _kinds(sandbox, mounted) if changed else (frozenset(), frozenset())
    for path in changed:
        if path in results or path in ignored:
            continue
        reason = "it holds a key" if any(secret and secret in path for secret in secrets) else _unwanted(path, links)
        content = None if reason else sandbox.read(path, LARGEST + 1)
        reason = reason or _unreadable(content, before.get(path), secrets)
        if not reason and len(found.changes) >= MOST:
            reason = f"more than {MOST} files"
        if reason:
            found.left[path] = reason
        elif content != before.get(path):
            found.changes.append(Change(path=path, content=content, mode="100755" if path in executable else "100644"))
    return found


def _cache(path: str) -> bool:
    parts = path.split("/")
    return path.endswith((".pyc", ".pyo")) or any(part in CACHES or part.endswith(".egg-info") for part in parts)


def _unwanted(path: str, links: frozenset[str]) -> str:
    if not path.isprintable():
        return "a name that cannot be printed"
    return "a link" if path in links else ""


def _unreadable(content: bytes | None, before: bytes | None, secrets: Sequence[str]) -> str:
    if content is None:
        return "" if before is not None else "no regular file"
    if len(content) > LARGEST:
        return f"over {LARGEST // 1024} KiB"
    if b"\0" in content:
        return "binary"
    if any(secret and secret.encode() in content and secret.encode() not in (before or b"") for secret in secrets):
        return "it holds a key"
    return ""


def _kinds(sandbox: Sandbox, mounted: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Links and executable files of the tree."""
    quoted = ["./" + path.rstrip("/").translate(_QUOTED) for path in mounted] or ["./.git"]
    tests = " -o ".join("-path '" + path.replace("'", "'\\''") + "'" for path in quoted)
    line = _FIND.format(mounts=tests)
    done = sandbox.run(Command(f"PATH=/usr/bin:/bin {line}", limits=Limits(seconds=60)))
    entries = [entry for entry in done.stdout.split("\0") if len(entry) > 2]
    kinds = {kind: frozenset(entry[2:] for entry in entries if entry[0] == kind) for kind in "lf"}
    return kinds["l"], kinds["f"]


_QUOTED = str.maketrans({"*": "\\*", "?": "\\?", "[": "\\[", "\\": "\\\\"})
