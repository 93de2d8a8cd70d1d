"""Exact, minimal edits of Python files: what is found in the syntax tree is replaced in the text, everything else stays."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping

from autosota.environments import imports
from autosota.failures import Failure, Frame
from autosota.records import Change


class Editor:
    """One Python file. Positions are the syntax tree's; edits are applied from the end, overlapping ones once."""

    def __init__(self, path: str, content: bytes) -> None:
        self.path, self.content = path, content
        self.tree = imports.parse(content)
        starts = [0]
        for line in content.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self._mark = 3 if content.startswith(b"\xef\xbb\xbf") else 0
        self._edits: list[tuple[int, int, bytes]] = []
        self._needed: list[str] = []

    def offset(self, line: int, column: int) -> int:
        """Byte position of a syntax tree's line and column."""
        return self._starts[line - 1] + column + (self._mark if line == 1 else 0)

    def text(self, node: ast.expr) -> str:
        """Source of an expression."""
        return self.source(*self.span(node))

    def source(self, start: int, end: int) -> str:
        """Source between two byte positions."""
        return self.content[start:end].decode("utf-8", errors="replace")

    def span(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> tuple[int, int]:
        """Byte range of a node."""
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def replace(self, node: ast.expr | ast.stmt | ast.keyword | ast.alias, text: str) -> None:
        """Put `text` in the node's place."""
        start, end = self.span(node)
        self._edits.append((start, end, text.encode()))

    def replace_range(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of bytes."""
        self._edits.append((start, end, text.encode()))

    def remove_argument(self, call: ast.Call, argument: ast.expr | ast.keyword) -> None:
        """Take one argument out of a call, with its comma."""
        start, end = self.span(argument)
        before, after = self.content[:start], self.content[end:]
        if following := re.match(rb"\s*,\s*", after):
            end += following.end()
        elif leading := re.search(rb",\s*$", before):
            start = leading.start()
        self._edits.append((start, end, b""))

    def require(self, statement: str) -> None:
        """Make sure that an import statement stands at the top."""
        if statement not in self._needed:
            self._needed.append(statement)

    def nodes(self) -> Iterator[ast.AST]:
        """Every node; none of a file that cannot be parsed."""
        if self.tree is not None:
            yield from ast.walk(self.tree)

    def names_of(self, module: str) -> set[str]:
        """Names under which a module is imported here: "numpy" → {"np"}."""
        found = set()
        for node in self.nodes():
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == module:
                        found.add(alias.asname or alias.name)
                    elif alias.name.startswith(module + ".") and alias.asname is None:
                        found.add(module)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                for alias in node.names:
                    if f"{node.module}.{alias.name}" == module:
                        found.add(alias.asname or alias.name)
        return found

    def attributes(self, module: str, names: Mapping[str, str]) -> int:
        """Replace `module.name` by the text in `names`, where "{m}" is the module's name here. Returns how many there were."""
        count, known = 0, self.names_of(module)
        for node in self.nodes():
            if isinstance(node, ast.Attribute) and node.attr in names and self.text(node.value) in known:
                self.replace(node, names[node.attr].replace("{m}", self.text(node.value)))
                count += 1
        return count

    def calls(self, name: str) -> Iterator[ast.Call]:
        """Calls of a function or method by its last name."""
        for node in self.nodes():
            if isinstance(node, ast.Call):
                function = node.func
                last = (
                    function.attr
                    if isinstance(function, ast.Attribute)
                    else function.id
                    if isinstance(function, ast.Name)
                    else ""
                )
                if last == name:
                    yield node

    def change(self) -> Change | None:
        """The file with all edits, if there are any and the result is valid Python."""
        result, floor = self.content, len(self.content) + 1
        for start, end, text in sorted(set(self._edits), key=lambda edit: (-edit[0], -edit[1])):
            if end <= floor:
                result = result[:start] + text + result[end:]
                floor = start
        missing = [line for line in self._needed if not re.search(rf"(?m)^{re.escape(line)}$".encode(), result)]
        if missing:
            at = _first_statement(result)
            result = result[:at] + ("\n".join(missing) + "\n").encode() + result[at:]
        if result == self.content or imports.parse(result) is None:
            return None
        return Change(path=self.path, content=result)


def _first_statement(content: bytes) -> int:
    """Where imports can be put: after the docstring and `from __future__` lines."""
    module = imports.parse(content)
    line = 1
    for node in module.body if module else ():
        documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if documented or (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            line = (node.end_lineno or node.lineno) + 1
        else:
            break
    lines = content.splitlines(keepends=True)
    if line == 1:
        while line <= len(lines) and lines[line - 1].startswith((b"#", b"\xef\xbb\xbf#")):
            line += 1
    return sum(len(text) for text in lines[: line - 1])


def frame_of(failure: Failure, tree: Mapping[str, bytes], root: str) -> Frame | None:
    """The innermost frame that lies in a file of the repository."""
    for frame in failure.repository_frames(root):
        path = located(frame.file, tree)
        if path is not None:
            return Frame(path, frame.line, frame.function)
    return None


def located(file: str, tree: Mapping[str, bytes]) -> str | None:
    """The repository path that a path in a log means: the longest suffix of it that exists."""
    parts = [part for part in file.split("/") if part not in ("", ".")]
    for start in range(len(parts)):
        path = "/".join(parts[start:])
        if path in tree:
            return path
    return None


def raised_by(failure: Failure, tree: Mapping[str, bytes], root: str) -> bool:
    """Did the repository's own line call what failed, or did an installed package do so on its own account?"""
    libraries = [frame.library for frame in failure.frames]
    own = [index for index, library in enumerate(libraries) if library is None]
    if not own:
        return False
    after = {library for library in libraries[own[-1] + 1 :] if library not in (None, "python")}
    return len(after) <= 1 and frame_of(failure, tree, root) is not None


def edited(
    failure: Failure, tree: Mapping[str, bytes], root: str, edit: Callable[[Editor], object], *, everywhere: bool = False
) -> tuple[Change, ...]:
    """Apply `edit` to the file that failed, or where that does not show, or `everywhere`, to every source file."""
    frame = frame_of(failure, tree, root)
    paths = [frame.file] if frame is not None and not everywhere else imports.source_files(tree)
    changes = []
    for path in paths:
        editor = Editor(path, tree[path])
        edit(editor)
        change = editor.change()
        if change is not None:
            changes.append(change)
    return tuple(changes)
