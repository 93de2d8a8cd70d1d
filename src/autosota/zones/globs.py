"""Path patterns of the task file: `data/**`, `*.csv`, `src/model.py`, `src/` and `path::symbol`."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(path: str, pattern: str) -> bool:
    """Does a pattern name the path? `**` crosses folders, `*` and `?` do not; a folder's name means everything below it;
    a pattern with a wildcard but no slash matches file names in every folder."""
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = pattern.strip().removeprefix("./").lstrip("/")
    folder = text.endswith("/")
    text = text.rstrip("/")
    anywhere = "/" not in text and any(character in text for character in "*?[")
    out, index = "", 0
    while index < len(text):
        if text.startswith("**/", index):
            out, index = out + r"(?:[^/]+/)*", index + 3
        elif text.startswith("**", index):
            out, index = out + r".*", index + 2
        elif text[index] == "*":
            out, index = out + r"[^/]*", index + 1
        elif text[index] == "?":
            out, index = out + r"[^/]", index + 1
        elif text[index] == "[" and "]" in text[index + 2 :]:
            end = text.index("]", index + 2)
            inner = text[index + 1 : end].replace("\\", r"\\")
            out, index = out + "[" + ("^" + inner[1:] if inner[:1] == "!" else inner) + "]", end + 1
        else:
            out, index = out + re.escape(text[index]), index + 1
    below = r"/.+" if folder else r"(?:/.+)?"
    try:
        return re.compile((r"(?:[^/]+/)*" if anywhere else "") + out + below, re.DOTALL)
    except re.error:
        return re.compile(re.escape(text) + r"(?:/.+)?")
