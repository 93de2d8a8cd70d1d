"""What a repository imports, from its syntax trees: its own modules, third-party ones, and which of them an entry point needs."""

from __future__ import annotations

import ast
import json
import posixpath
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autosota.environments.names import is_standard

MAX_FILE = 2 * 2**20
MAX_FILES = 5000


@dataclass(frozen=True)
class Imported:
    """One import of a module that is not the repository's own."""

    module: str
    """Dotted name as written, e.g. "sklearn.linear_model"."""
    file: str
    line: int
    optional: bool
    """Inside try, a function, or `if TYPE_CHECKING`: absence need not matter."""

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


def own_modules(tree: Mapping[str, bytes]) -> frozenset[str]:
    """Top-level names that mean a file or folder of the repository, whatever folder a script is started from."""
    names: set[str] = set()
    for path in tree:
        if not path.endswith((".py", ".pyx", ".so")):
            continue
        parts = path.split("/")
        names.add(parts[-1].split(".")[0])
        names.update(parts[:-1])
    return frozenset(name for name in names if name.isidentifier() and name != "__init__")


def parse(content: bytes) -> ast.Module | None:
    """The syntax tree of a Python file, or None for what is not valid Python of this version."""
    if len(content) > MAX_FILE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def of_file(path: str, content: bytes) -> list[Imported]:
    """Absolute imports of one file (a notebook's code cells too); of a file that cannot be parsed, what its lines say."""
    if path.endswith(".ipynb"):
        content = notebook_source(content).encode()
    module = parse(content)
    if module is None:
        text = content[:MAX_FILE].decode("utf-8", errors="replace")
        found = re.finditer(r"(?m)^(\s*)(?:from\s+([A-Za-z_][\w.]*)\s+import|import\s+([A-Za-z_][\w.]*))", text)
        return [
            Imported(match[2] or match[3], path, text.count("\n", 0, match.start()) + 1, bool(match[1].strip("\n")))
            for match in found
        ]
    return list(_walk(module.body, path, optional=False))


def _walk(body: Iterable[ast.AST], path: str, *, optional: bool) -> Iterable[Imported]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Imported(alias.name, path, node.lineno, optional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield Imported(node.module, path, node.lineno, optional)
        elif isinstance(node, (ast.Try, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _walk(ast.iter_child_nodes(node), path, optional=True)
        elif isinstance(node, ast.If):
            main = "__main__" in ast.dump(node.test)
            checking = "TYPE_CHECKING" in ast.dump(node.test)
            yield from _walk(ast.iter_child_nodes(node), path, optional=optional or checking or not main)
        elif isinstance(node, (ast.With, ast.For, ast.While, ast.ClassDef, ast.ExceptHandler)):
            yield from _walk(ast.iter_child_nodes(node), path, optional=optional)


def notebook_source(content: bytes) -> str:
    """Code cells of a notebook joined, magics and shell lines turned into comments; empty for what is no notebook."""
    try:
        cells = json.loads(content)["cells"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    parts = []
    for cell in cells if isinstance(cells, list) else []:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            text = "".join(str(line) for line in source) if isinstance(source, list) else str(source)
            lines = [
                "# " + line if re.match(r"\s*[%!?]", line) or line.rstrip().endswith("?") else line for line in text.splitlines()
            ]
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def third_party(tree: Mapping[str, bytes], files: Iterable[str] | None = None) -> list[Imported]:
    """Imports that an index must provide, in `files` (default: all source files; notebooks where there is no other code)."""
    own = own_modules(tree)
    chosen = list(files) if files is not None else source_files(tree)
    found = []
    for path in chosen[:MAX_FILES]:
        for imported in of_file(path, tree[path]):
            if imported.top not in own and not is_standard(imported.top):
                found.append(imported)
    return found


def source_files(tree: Mapping[str, bytes]) -> list[str]:
    """Python files outside tests and documentation; notebooks where there are none."""
    python = sorted(path for path in tree if path.endswith(".py"))
    used = [path for path in python if not re.search(r"(^|/)(tests?|docs?)/|(^|/)(conftest|test_\w+|setup)\.py$", path)]
    if not (used or python):
        return sorted(path for path in tree if path.endswith(".ipynb"))
    return used or python


def closure(tree: Mapping[str, bytes], entries: Iterable[str]) -> list[str]:
    """The repository's files that running `entries` (paths) may import, the entries included, breadth first."""
    index = _module_index(tree)
    pending = [path for path in entries if path in tree]
    seen: dict[str, None] = dict.fromkeys(pending)
    while pending and len(seen) < MAX_FILES:
        path = pending.pop(0)
        module = parse(tree[path])
        if module is None:
            continue
        for target in _targets(module, path, index):
            if target not in seen:
                seen[target] = None
                pending.append(target)
    return list(seen)


def _module_index(tree: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Every dotted suffix by which a module may be imported → files, e.g. "models.net" → ["src/models/net.py"]."""
    index: dict[str, list[str]] = {}
    for path in tree:
        if path.endswith(".py"):
            parts = path[:-3].split("/")
            if parts[-1] == "__init__":
                parts.pop()
            for start in range(len(parts)):
                index.setdefault(".".join(parts[start:]), []).append(path)
    return index


def _targets(module: ast.Module, path: str, index: Mapping[str, list[str]]) -> Iterable[str]:
    here = posixpath.dirname(path)
    for node in ast.walk(module):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = here.split("/") if here else []
                parts = parts[: len(parts) - (node.level - 1)] if node.level > 1 else parts
                base = ".".join([*parts, *([base] if base else [])])
            names = [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
        for name in filter(None, names):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                yield from _nearest(index.get(".".join(parts[:end]), ()), here)


def _nearest(paths: Iterable[str], here: str) -> list[str]:
    """Of several files a name may mean, those with the longest common folder with the importer."""
    ranked = [(len(posixpath.commonpath([here, posixpath.dirname(path)]) if here else ""), path) for path in paths]
    best = max((rank for rank, _ in ranked), default=0)
    return [path for rank, path in ranked if rank == best]
