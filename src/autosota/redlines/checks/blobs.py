"""S12: content nobody can read in a patch: binaries, encoded strings, long tables."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File

_TABLE = 40
"""From so many literal values on, a container is a table."""
_STRING = 200
_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".pdf", ".webp", ".ico"}
_ROWS = {".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".arff", ".libsvm", ".svmlight", ".dat", ".data"}
_TEXTS = {".json", ".txt", ".yaml", ".yml", ".toml", ".ini", ".cfg"}
_VALUES = 100
"""From so many new numbers on, a readable file holds a table rather than settings."""
_NUMBER = re.compile(r"(?<![\w.])-?\d+(\.\d+)?(e-?\d+)?(?![\w.])", re.IGNORECASE)
_FIX = "compute it in the evaluation from the training data, or explain where it comes from"


def added(difference: Difference) -> Iterator[Violation]:
    """Opaque content that is new: files, strings and literal tables."""
    zones = difference.case.environment.zones
    for file in difference.files:
        if file.after is None or zones.is_protected(file.path) or file.after == file.before:
            continue
        evidence = _file(file)
        if evidence is not None:
            yield _violation(file, None, evidence)
        elif file.new is not None:
            for line, words in _literals(file):
                yield _violation(file, line, words)


def _violation(file: File, line: int | None, evidence: str) -> Violation:
    return Violation(red_line="R3", rule="blob-added", action="review", evidence=evidence, file=file.path, line=line, fix=_FIX)


def _file(file: File) -> str | None:
    suffix = PurePosixPath(file.path).suffix.lower()
    size = len(file.after or b"")
    if file.is_link:
        return f"symbolic link to {(file.after or b'').decode('utf-8', 'replace')[:100]}"
    if syntax.text(file.after) is None and suffix not in _PICTURES:
        return f"{size} bytes that are not readable text"
    if suffix in _TEXTS:
        numbers = sum(_numbers(line) for line in file.added.values())
        return f"{numbers} new numbers" if numbers >= _VALUES else None
    if suffix in _ROWS:
        new = sum(1 for line in file.added.values() if line.strip())
        if new >= _TABLE or (new and size > 20_000):
            return f"{new} new lines of data"
    return None


def _numbers(content: str) -> int:
    return len(_NUMBER.findall(content))


def _literals(file: File) -> Iterator[tuple[int, str]]:
    assert file.new is not None
    known = file.old.mark_set if file.old else frozenset()
    inside: set[int] = set()
    for node in ast.walk(file.new.tree):
        words = None if id(node) in inside else _opaque(node)
        if words and file.new.marks[id(node)] not in known:
            inside.update(id(child) for child in ast.walk(node))
            yield getattr(node, "lineno", 0), words


def _opaque(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and len(node.value) >= _STRING:
        value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        spaces = sum(character.isspace() for character in value)
        if spaces < len(value) / 40 and _entropy(value) > 3.0:
            return f"a string of {len(value)} characters without words"
    if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
        values = [
            child
            for child in ast.walk(node)
            if isinstance(child, ast.Constant) and not isinstance(child.value, (bool, type(None)))
        ]
        elements = len(node.values) if isinstance(node, ast.Dict) else len(node.elts)
        numeric = sum(isinstance(value.value, (int, float)) for value in values)
        if len(values) >= _TABLE and elements >= 2 and numeric >= len(values) / 3:
            return f"a literal table of {len(values)} values"
    return None


def _entropy(value: str) -> float:
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())
