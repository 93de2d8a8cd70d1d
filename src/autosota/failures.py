"""What an error log says, without what differs between machines; and the memory of which remedy helped (paper section 3.6).

A signature is made of the last exception and of the module whose code raised it. Two logs of the same failure have the same
signature whatever the paths, numbers, addresses and hashes in them.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Outcome = Literal["worked", "failed", "skipped"]
MAX_TEXT = 200_000
_LENGTH = 300
_WORDS = 2000
_EXCEPTION = re.compile(
    r"^(?:\[rank\d+\]:\s*)?"
    r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|NotFound|Iteration|Fault))(?::[ ]?(.*))?$"
)
_FRAME = re.compile(r'^\s*(?:\[rank\d+\]:\s*)?File "([^"\n]+)", line (\d+)(?:, in (.+))?$')
_SHELL = re.compile(
    r"(?i)(error|fatal|not found|no such file|cannot|can't|denied|killed|aborted|segmentation fault|core dumped|"
    r"no rule to make|out of memory)"
)
_LIBRARY = re.compile(r"(?:site|dist)-packages/([^/]+)")
_STANDARD = re.compile(r"/lib(?:64)?/python3\.\d+/(?!site-packages|dist-packages)")


@dataclass(frozen=True)
class Frame:
    """One line of a traceback."""

    file: str
    line: int
    function: str

    @property
    def library(self) -> str | None:
        """The installed package it lies in, "python" for the standard library, None for the repository's own code."""
        match = _LIBRARY.search(self.file)
        if match:
            return match[1].removesuffix(".py")
        return "python" if _STANDARD.search(self.file) or self.file.startswith("<frozen") else None


@dataclass(frozen=True)
class Failure:
    """A log, read."""

    signature: str
    exception: str
    """Class of the last exception without its module; empty where there is none."""
    message: str
    """Its words, or the last line that looks like an error."""
    frames: tuple[Frame, ...]
    """Of the last traceback, outermost first."""
    text: str

    @property
    def identity(self) -> str:
        """Finer than the signature: the same failure at the same place of the same repository, line numbers aside."""
        own = [frame for frame in self.frames if frame.library is None][-1:]
        place = f"{own[0].file} {own[0].function}" if own else ""
        first = self.message.splitlines()[0] if self.message else ""
        return f"{self.exception}: {re.sub(r'0x[0-9a-f]+|line [0-9]+', '', first)} in {place}"

    def repository_frames(self, root: str) -> tuple[Frame, ...]:
        """Frames in the repository's own files, innermost first, paths made relative to its root."""
        own = []
        for frame in reversed(self.frames):
            if frame.library is None and not frame.file.startswith("<"):
                path = frame.file.removeprefix(root.rstrip("/") + "/").removeprefix("./")
                own.append(Frame(path, frame.line, frame.function))
        return tuple(own)


def read(text: str) -> Failure:
    """What failed last in a log of any kind. Never raises; of long texts the end counts."""
    text = text[-MAX_TEXT:]
    lines = text.splitlines()
    exception, message, at = "", "", len(lines)
    for index in range(len(lines) - 1, -1, -1):
        match = _EXCEPTION.match(lines[index])
        if match:
            exception, at = match[1], index
            message = "\n".join([match[2] or "", *_continued(lines[index + 1 :])]).strip()
            break
    frames = _frames(lines, at)
    if not exception:
        marked = [line.strip() for line in lines if line.strip() and _SHELL.search(line)]
        message = (marked or [line.strip() for line in lines if line.strip()] or [""])[-1]
    message = message[:_WORDS]
    where = _module(frames)
    head = exception.rpartition(".")[2]
    first = message.splitlines()[0] if message else ""
    words = normalise(f"{head}: {first}" if head else first)
    return Failure(f"{words} @ {where}" if where else words, head, message, frames, text)


def signature(text: str) -> str:
    """The normalised error: exception and words without paths, numbers, hashes and addresses, then the module that raised it."""
    return read(text).signature


def normalise(words: str) -> str:
    """Words without what differs between machines and runs; names in quotes stay, at most 300 characters."""
    words = re.sub(r"https?://\S+", "<url>", words)
    words = re.sub(r"0x[0-9a-fA-F]+", "<address>", words)
    words = re.sub(r"(?<![\w/])(?:[A-Za-z]:\\|\.{0,2}/)[^\s'\",:;)\]]+", "<path>", words)
    words = re.sub(r"(['\"])[^'\"\n]*/[^'\"\n]*\1", "<path>", words)
    words = re.sub(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", "<hash>", words)
    words = re.sub(r"(?<![\w.])[-+]?\d+(?:\.\d+)*(?:e[-+]?\d+)?(?![\w])", "<n>", words)
    return " ".join(words.split())[:_LENGTH]


def _continued(lines: list[str]) -> list[str]:
    """Lines after the exception's first that still belong to its words."""
    taken = []
    for line in lines[:12]:
        if line.startswith(("Traceback", "During handling", "The above exception")) or _EXCEPTION.match(line):
            break
        taken.append(line)
    return taken


def _frames(lines: list[str], end: int) -> tuple[Frame, ...]:
    """Frames of the traceback that ends before line `end`."""
    start = max((index for index in range(end) if "Traceback (most recent call last)" in lines[index]), default=0)
    found = []
    for line in lines[start:end]:
        match = _FRAME.match(line)
        if match:
            found.append(Frame(match[1], int(match[2]), (match[3] or "").strip()))
    return tuple(found)


def _module(frames: tuple[Frame, ...]) -> str:
    """Innermost installed package or "repository"; the standard library and frozen importers are passed over."""
    for frame in reversed(frames):
        if frame.library is None and not frame.file.startswith("<"):
            return "repository"
        if frame.library not in (None, "python"):
            return str(frame.library)
    return ""


class Memory:
    """Which remedy helped against which signature, in one SQLite file that can be copied, sent and merged.

    A remedy is a skill with a `detail` that tells its uses apart (the package, the edited file), so that a failed use does
    not condemn the skill. An unreadable file is moved aside; where none can be written the memory lasts as long as the object.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._connection = self._open(path)

    def _open(self, path: Path | None) -> sqlite3.Connection:
        if path is None:
            return self._prepared(":memory:")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return self._prepared(str(path))
        except sqlite3.OperationalError:
            return self._prepared(":memory:")
        except sqlite3.DatabaseError:
            path.replace(path.with_suffix(path.suffix + ".unreadable"))
            return self._prepared(str(path))
        except OSError:
            return self._prepared(":memory:")

    @staticmethod
    def _prepared(name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(name, timeout=10, check_same_thread=False)
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS outcomes (signature TEXT, skill TEXT, detail TEXT, outcome TEXT, count INTEGER, "
                "PRIMARY KEY (signature, skill, detail, outcome))"
            )
            connection.execute(
                "CREATE TABLE IF NOT EXISTS remedies (signature TEXT, detail TEXT, remedy TEXT, PRIMARY KEY (signature, detail))"
            )
        return connection

    @contextmanager
    def _cursor(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection:
            yield self._connection

    def remember(self, signature: str, skill: str, outcome: Outcome, detail: str = "") -> None:
        """Count one outcome."""
        with self._cursor() as connection:
            connection.execute(
                "INSERT INTO outcomes VALUES (?, ?, ?, ?, 1) "
                "ON CONFLICT (signature, skill, detail, outcome) DO UPDATE SET count = count + 1",
                (signature, skill, detail, outcome),
            )

    def outcomes(self, signature: str) -> dict[str, dict[str, int]]:
        """skill → {"worked": n, "failed": n, "skipped": n} for one signature."""
        found: dict[str, dict[str, int]] = {}
        with self._cursor() as connection:
            rows = connection.execute(
                "SELECT skill, outcome, SUM(count) FROM outcomes WHERE signature = ? GROUP BY skill, outcome", (signature,)
            ).fetchall()
        for skill, outcome, count in rows:
            found.setdefault(skill, {"worked": 0, "failed": 0, "skipped": 0})[outcome] = count
        return found

    def failed(self, signature: str, skill: str, detail: str = "") -> bool:
        """Was exactly this tried before, and never with success?"""
        with self._cursor() as connection:
            rows = dict(
                connection.execute(
                    "SELECT outcome, count FROM outcomes WHERE signature = ? AND skill = ? AND detail = ?",
                    (signature, skill, detail),
                ).fetchall()
            )
        return bool(rows.get("failed", 0) > 0 and rows.get("worked", 0) == 0)

    def keep(self, signature: str, detail: str, remedy: str) -> None:
        """Keep a remedy that no skill holds and that worked, as text."""
        with self._cursor() as connection:
            connection.execute("INSERT OR REPLACE INTO remedies VALUES (?, ?, ?)", (signature, detail, remedy))

    def remedies(self, signature: str) -> list[str]:
        """Kept remedies for one signature, oldest first, at most five."""
        with self._cursor() as connection:
            rows = connection.execute(
                "SELECT remedy FROM remedies WHERE signature = ? ORDER BY rowid LIMIT 5", (signature,)
            ).fetchall()
        return [str(row[0]) for row in rows]

    def merge(self, other: Path) -> int:
        """Add the counts of another memory's file; returns how many rows it had. A file that is none adds nothing."""
        try:
            with closing(sqlite3.connect(f"file:{other}?mode=ro", uri=True)) as source:
                rows = source.execute("SELECT signature, skill, detail, outcome, count FROM outcomes").fetchall()
        except sqlite3.DatabaseError:
            return 0
        with self._cursor() as connection:
            connection.executemany(
                "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (signature, skill, detail, outcome) DO UPDATE SET count = count + excluded.count",
                rows,
            )
        return len(rows)

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()
