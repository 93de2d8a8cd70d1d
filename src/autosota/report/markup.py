"""Markdown from text that may be hostile: everything foreign goes through `plain` or `code`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from autosota.report import words

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~$])")
_START = re.compile(r"^(\s*)([-+#=]|\d+[.)])", re.MULTILINE)


def plain(text: object, limit: int = 300) -> str:
    """Foreign text on one line in which no character means anything to Markdown or HTML."""
    line = _SPECIAL.sub(r"\\\1", words.clip(text, limit).replace("&", "&amp;"))
    line = re.sub(r"(?i)\b(https?|ftp|javascript|data|file|mailto):", r"\1&#58;", line)
    return _START.sub(r"\1\\\2", line) if not line[:1].isdigit() else re.sub(r"^(\d+)([.)])", r"\1\\\2", line)


def code(text: object, limit: int = 300) -> str:
    """Foreign text as inline code, with a fence longer than any it contains; safe inside a table."""
    line = words.clip(text, limit).replace("|", "\u00a6")
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: object, language: str = "", limit: int = 20_000) -> str:
    """Foreign text as a fenced block."""
    body = words.block(text, limit).rstrip("\n")
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", body)), default=0) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of ready cells; the columns in `right` are aligned to the right. "" without rows."""
    body = ["| " + " | ".join(cell.replace("\n", " ") or " " for cell in row) + " |" for row in rows]
    if not body:
        return ""
    rule = "|" + "|".join(" ---: " if index in right else " --- " for index in range(len(head))) + "|"
    return "\n".join(["| " + " | ".join(head) + " |", rule, *body])


def document(parts: Iterable[str]) -> str:
    """Non-empty parts, a blank line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
