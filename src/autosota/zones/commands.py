"""From command lines to the files they run: scripts, modules, wrapper scripts, notebooks, make targets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from autosota import syntax

_SHELLS = {"sh", "bash", "zsh", "dash", "source", "."}
_DEPTH = 5


@dataclass
class Entries:
    """What the commands start."""

    scripts: list[str] = field(default_factory=list)
    """Python files and notebooks, in order of first use."""
    wrappers: list[str] = field(default_factory=list)
    """Shell scripts and makefiles on the way."""
    roots: list[str] = field(default_factory=lambda: [""])
    """Folders that modules are imported from; "" is the repository's root."""
    arguments: list[str] = field(default_factory=list)
    """Further files of the repository that a command line names."""


def entries(lines: Sequence[str], tree: Mapping[str, bytes]) -> Entries:
    """Follow the command lines through wrapper scripts, at most a few levels deep."""
    found = Entries()
    for line in lines:
        _follow(line, "", tree, found, 0)
    for script in found.scripts:
        _add(found.roots, _folder(script))
    _add(found.roots, "src")
    return found


def _add(items: list[str], item: str) -> None:
    if item not in items:
        items.append(item)


def _folder(path: str) -> str:
    folder = str(PurePosixPath(path).parent)
    return "" if folder == "." else folder


def _words(line: str) -> Iterator[list[str]]:
    """Simple commands of a shell line, as words."""
    for part in re.split(r"&&|\|\||[;|\n&]|\$\(|`", line):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        if words:
            yield words


def _follow(line: str, folder: str, tree: Mapping[str, bytes], found: Entries, depth: int) -> None:
    if depth > _DEPTH:
        return
    for words in _words(line.replace("\\\n", " ")):
        for word in words:
            if word.startswith("PYTHONPATH="):
                for part in word.removeprefix("PYTHONPATH=").split(":"):
                    _add(found.roots, _join(folder, part))
        if words[0] == "cd" and len(words) > 1:
            folder = _join(folder, words[1])
            _add(found.roots, folder)
            continue
        _command(words, folder, tree, found, depth)


def _join(folder: str, path: str) -> str:
    parts: list[str] = [] if path.startswith("/") else [part for part in folder.split("/") if part]
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _command(words: list[str], folder: str, tree: Mapping[str, bytes], found: Entries, depth: int) -> None:
    for index, word in enumerate(words):
        path = _join(folder, word) if not word.startswith("-") else ""
        if word == "-m" and index + 1 < len(words):
            module = _module(words[index + 1], folder, tree)
            if module:
                _add(found.scripts, module)
        elif path in tree:
            _file(path, tree, found, depth, folder, called=index == 0 or words[index - 1] in _SHELLS)
    program = PurePosixPath(words[0]).name
    if program == "make":
        _make(words[1:], folder, tree, found, depth)


def _module(name: str, folder: str, tree: Mapping[str, bytes]) -> str | None:
    stem = name.replace(".", "/")
    for root in (folder, "", "src"):
        for tail in (".py", "/__main__.py", "/__init__.py"):
            path = _join(root, stem + tail)
            if path in tree:
                return path
    return None


def _file(path: str, tree: Mapping[str, bytes], found: Entries, depth: int, folder: str, *, called: bool) -> None:
    data = tree[path]
    if syntax.is_python(path, data):
        _add(found.scripts, path)
    elif path.endswith((".sh", ".bash", ".zsh")) or called or data[:2] == b"#!":
        if path not in found.wrappers:
            found.wrappers.append(path)
            _follow(syntax.text(data) or "", folder, tree, found, depth + 1)
    else:
        _add(found.arguments, path)


def _make(targets: list[str], folder: str, tree: Mapping[str, bytes], found: Entries, depth: int) -> None:
    for name in ("Makefile", "makefile", "GNUmakefile"):
        path = _join(folder, name)
        if path in tree and path not in found.wrappers:
            found.wrappers.append(path)
            recipes = [
                line.strip().lstrip("@-") for line in (syntax.text(tree[path]) or "").splitlines() if line.startswith("\t")
            ]
            _follow("\n".join(recipes), folder, tree, found, depth + 1)
