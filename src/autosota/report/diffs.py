"""A unified diff as files, hunks and lines with colored words: reading only, any text is accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

LINES = 1500
"""Lines shown of a whole patch; the rest is in the patch file."""
LENGTH = 400
"""Characters shown of a line."""

Word = tuple[str, str]
"""(class, text): "" plain, "k" keyword, "s" string, "n" number, "c" comment."""

_WORDS = re.compile(
    r"(?P<c>#.*$)|(?P<s>[rbfuRBFU]{0,2}(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))|"
    r"(?P<k>\b(?:False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|"
    r"global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield|true|false|null)\b)|"
    r"(?P<n>\b\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?\b)"
)
_COLORED = (".py", ".pyi", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".json", ".sh", ".txt")
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")


@dataclass
class Line:
    """One line of a hunk."""

    kind: Literal["add", "drop", "same", "hunk", "note"]
    old: int | None
    new: int | None
    words: list[Word]

    @property
    def sign(self) -> str:
        return {"add": "+", "drop": "−"}.get(self.kind, " ")


@dataclass
class FileDiff:
    """The part of a patch about one file."""

    path: str
    change: str
    added: int = 0
    dropped: int = 0
    lines: list[Line] = field(default_factory=list)


@dataclass
class Patch:
    """A whole patch; `cut` counts the lines that are not shown."""

    files: list[FileDiff]
    cut: int = 0

    @property
    def added(self) -> int:
        return sum(file.added for file in self.files)

    @property
    def dropped(self) -> int:
        return sum(file.dropped for file in self.files)


def parse(diff: str) -> Patch:
    """Files of a `git diff`. What is no diff ends as no files."""
    files: list[FileDiff] = []
    current: FileDiff | None = None
    old = new = shown = cut = 0
    inside = False
    for raw in diff.split("\n"):
        if raw.startswith("diff --git "):
            current, inside = FileDiff(path=_path(raw), change="changed"), False
            files.append(current)
            continue
        if current is None:
            continue
        head = _HUNK.match(raw)
        if head:
            old, new, inside = int(head[1]), int(head[2]), True
            entry = Line("hunk", None, None, [("", raw[:LENGTH])])
        elif not inside:
            note = _header(current, raw)
            if note is None:
                continue
            entry = note
        elif raw[:1] in ("+", "-", " "):
            entry, old, new = _line(current, raw, old, new)
        elif raw.startswith("\\"):
            entry = Line("note", None, None, [("c", "no newline at the end of the file")])
        else:
            continue
        shown += 1
        if shown <= LINES:
            current.lines.append(entry)
        else:
            cut += 1
    return Patch(files, cut)


def _path(raw: str) -> str:
    """The new path of a "diff --git a/x b/x" line."""
    rest = raw[len("diff --git ") :]
    middle = rest.rfind(" b/")
    quoted = rest.rfind(' "b/')
    if quoted > middle:
        return rest[quoted + 4 :].rstrip('"')
    return rest[middle + 3 :] if middle >= 0 else rest


def _header(current: FileDiff, raw: str) -> Line | None:
    """Take the kind of change from a line before the first hunk; a binary change is shown as a note."""
    for start, change in (("new file", "new"), ("deleted file", "deleted"), ("rename ", "renamed"), ("old mode", "mode changed")):
        if raw.startswith(start):
            current.change = change
    if raw.startswith(("Binary files", "GIT binary patch")):
        return Line("note", None, None, [("c", "binary content changed")])
    return None


def _line(current: FileDiff, raw: str, old: int, new: int) -> tuple[Line, int, int]:
    words = colored(raw[1 : LENGTH + 1], current.path)
    if len(raw) > LENGTH + 1:
        words.append(("c", f"… {len(raw) - LENGTH - 1} more characters"))
    if raw[0] == "+":
        current.added += 1
        return Line("add", None, new, words), old, new + 1
    if raw[0] == "-":
        current.dropped += 1
        return Line("drop", old, None, words), old + 1, new
    return Line("same", old, new, words), old + 1, new + 1


def colored(line: str, path: str) -> list[Word]:
    """The words of a source line with their classes; together they are the line again."""
    if not path.endswith(_COLORED):
        return [("", line)]
    words: list[Word] = []
    place = 0
    for match in _WORDS.finditer(line):
        if match.start() > place:
            words.append(("", line[place : match.start()]))
        words.append((match.lastgroup or "", match[0]))
        place = match.end()
    if place < len(line) or not words:
        words.append(("", line[place:]))
    return words
