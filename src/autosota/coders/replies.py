"""What a model's reply asks for: a command, an edit, the end; read tolerantly, since no two models keep to a form alike."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([^\n`]*)\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S)
_TAG = re.compile(r"<(tool_call|function_call|bash|shell|sh|command|execute)>\s*(.*?)\s*(?:</\1>|\Z)", re.S | re.I)
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.S | re.I)
_SHELLS = ("", "sh", "bash", "shell", "zsh", "console", "shell-session", "terminal", "text", "cmd", "command")
_DONE = re.compile(r"^[\W_]*(?:task[ _]|all[ _])?(?:is[ _])?(?:done|finished|completed?)[\W_]*$", re.I | re.M)
_PARTS = re.compile(r"^<{5,}[^\n]*\n(.*?)^={5,}[^\n]*\n(.*?)^>{5,}[^\n]*$", re.M | re.S)
_NAMES = ("command", "cmd", "script", "code", "input")


@dataclass(frozen=True)
class Edit:
    """Lines of a file to be replaced."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Reply:
    """What to do next."""

    kind: Literal["command", "edit", "done", "none"]
    """none: the reply holds nothing that could be carried out."""
    command: str = ""
    edits: tuple[Edit, ...] = ()
    words: str = ""
    """What was said beside it."""


def read(text: str) -> Reply:
    """The first thing a reply asks for."""
    text = _THOUGHT.sub("", text.replace("\r\n", "\n"))
    for match in _FENCE.finditer(text):
        head, body = match[2].strip(), match[3]
        language, _, rest = head.partition(" ")
        words = text[: match.start()].strip()
        if edits := _edits(language, rest, body):
            return Reply("edit", edits=edits, words=words)
        if (command := _command(language.lower(), body)) is not None:
            return _as_command(command, words)
    if edits := _edits("", "", text):
        return Reply("edit", edits=edits, words="")
    if (tag := _TAG.search(text)) is not None:
        return _as_command(_from_json(tag[2]) or tag[2], text[: tag.start()].strip())
    if (command := _from_json(text)) is not None:
        return _as_command(command, "")
    if _DONE.search(text):
        return Reply("done", words=text.strip())
    return Reply("none", words=text.strip())


def _as_command(command: str, words: str) -> Reply:
    command = "\n".join(re.sub(r"^\s*\$ ", "", line) for line in command.strip("\n").split("\n"))
    bare = re.sub(r"^(?:echo|exit)\b[\s\"']*", "", command.strip()).strip("\"'")
    if not command.strip():
        return Reply("none", words=words)
    if bare in ("", "0") or _DONE.fullmatch(bare):
        return Reply("done", words=words)
    return Reply("command", command=command, words=words)


def _command(language: str, body: str) -> str | None:
    if language in ("json", "tool_code", "tool_call") or (language == "" and body.lstrip().startswith("{")):
        return _from_json(body)
    if language in ("python", "py", "python3"):
        return f"python - <<'END_OF_BLOCK'\n{body.rstrip()}\nEND_OF_BLOCK"
    if language in ("diff", "patch"):
        return f"patch -p1 --forward <<'END_OF_BLOCK'\n{body.rstrip()}\nEND_OF_BLOCK" if "--- " in body else None
    return body if language in _SHELLS else None


def _from_json(text: str) -> str | None:
    """The command of a tool call written out as JSON."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        found = json.loads(text[start : end + 1], strict=False)
    except ValueError:
        return None
    for inner in ("arguments", "parameters", "input", "args"):
        value = found.get(inner) if isinstance(found, dict) else None
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = json.loads(value, strict=False)
            except ValueError:
                continue
        if isinstance(value, dict):
            found = value
    if not isinstance(found, dict):
        return None
    value = next((found[name] for name in _NAMES if isinstance(found.get(name), (str, list))), None)
    return " ".join(str(part) for part in value) if isinstance(value, list) else value


def _edits(language: str, rest: str, body: str) -> tuple[Edit, ...]:
    """Blocks of old and new lines; the file is named after `edit`, or on the line before the first mark."""
    parts = list(_PARTS.finditer(body))
    if not parts:
        return ()
    path = rest if language.lower() == "edit" else language if "." in language or "/" in language else ""
    if not path:
        lines = body[: parts[0].start()].strip().splitlines()
        path = lines[-1] if lines else ""
    path = path.strip().strip("`*:# ").removeprefix("./").removeprefix("/workspace/")
    return tuple(Edit(path, part[1], part[2]) for part in parts) if path and " " not in path else ()
