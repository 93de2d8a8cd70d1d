"""A Python file as levers see it: syntax tree, byte-exact places, names resolved through imports, and edits that keep the rest.

Files are read, never imported. Offsets are bytes of the UTF-8 text, as `ast` counts columns.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import cached_property

LARGEST = 400_000
"""Bytes; a longer file is generated or vendored and is left alone."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """One parsed file. `Source.read` answers None for what is not a file that can be edited safely."""

    def __init__(self, path: str, data: bytes, module: ast.Module, mark: bytes) -> None:
        self.path = path
        self.data = data
        self.module = module
        self.mark = mark
        """Byte order mark, put back when the file is written."""
        self.newline = "\r\n" if b"\r\n" in data else "\n"

    @staticmethod
    def read(path: str, content: bytes | None) -> Source | None:
        """Parse UTF-8 Python; None for other encodings, syntax errors, null bytes, files that are too long or nested too deep."""
        if content is None or len(content) > LARGEST:
            return None
        mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        data = content[len(mark) :]
        if b"\r" in data.replace(b"\r\n", b"\n") or b"\f" in data:
            return None
        module = parse(data)
        return None if module is None else Source(path, data, module, mark)

    @cached_property
    def text(self) -> str:
        """The file as text."""
        return self.data.decode("utf-8")

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Child → parent."""
        return {child: node for node in ast.walk(self.module) for child in ast.iter_child_nodes(node)}

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(rb"\n", self.data))]

    def offset(self, line: int, column: int) -> int:
        """Byte offset of a place as `ast` gives it."""
        return self._lines[line - 1] + column

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Offset of the first byte; of the first decorator for a decorated definition."""
        decorators = getattr(node, "decorator_list", [])
        if decorators:
            return self.line_start(decorators[0].lineno) + _indent_width(self.data, self.line_start(decorators[0].lineno))
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> int:
        """Offset after the last byte."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def line_start(self, line: int) -> int:
        """Offset of a line's first byte."""
        return self._lines[min(line, len(self._lines)) - 1]

    def line_end(self, line: int) -> int:
        """Offset after a line's end-of-line, or the end of the file."""
        return self._lines[line] if line < len(self._lines) else len(self.data)

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The node's own text."""
        return self.data[self.offset(node.lineno, node.col_offset) : self.end(node)].decode("utf-8")

    def walk(self, root: ast.AST | None = None) -> Iterator[ast.AST]:
        """Every node below, in source order."""
        stack: list[ast.AST] = [root or self.module]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(list(ast.iter_child_nodes(node))))

    def calls(self, root: ast.AST | None = None) -> Iterator[ast.Call]:
        """Every call below, in source order."""
        return (node for node in self.walk(root) if isinstance(node, ast.Call))

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Parent, its parent, and so on up to the module."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement the node belongs to."""
        return next((each for each in (node, *self.ancestors(node)) if isinstance(each, ast.stmt)), None)

    def function(self, node: ast.AST) -> Function | ast.Module:
        """The innermost function around the node, else the module."""
        found = (each for each in self.ancestors(node) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
        return next(found, self.module)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around the node."""
        return next((each for each in self.ancestors(node) if isinstance(each, ast.ClassDef)), None)

    def scope(self, node: ast.AST) -> str:
        """Qualified name of what surrounds the node, e.g. "Model.fit"; "" at module level."""
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        around = [each.name for each in (node, *self.ancestors(node)) if isinstance(each, kinds)]
        return ".".join(reversed(around))

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name → what it stands for, e.g. "np" → "numpy", "Ridge" → "sklearn.linear_model.Ridge"."""
        found: dict[str, str] = {}
        for node in ast.walk(self.module):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.split(".")[0]] = alias.name if alias.asname else alias.name.split(".")[0]
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{origin}.{alias.name}" if node.module else f"{origin}{alias.name}"
        return found

    def name(self, node: ast.AST | None) -> str:
        """Dotted name, its first part resolved through imports: `np.random.rand` → "numpy.random.rand"; "" for other nodes."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imports.get(node.id, node.id), *reversed(parts)])

    @cached_property
    def bound(self) -> frozenset[str]:
        """Every name that is assigned, defined, imported or a parameter anywhere in the file."""
        names = set(self.imports)
        for node in ast.walk(self.module):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
        return frozenset(names)

    def fresh(self, *candidates: str) -> str:
        """The first candidate no name of the file collides with, numbered if all do."""
        taken = self.bound | {node.id for node in ast.walk(self.module) if isinstance(node, ast.Name)}
        numbered = (f"{candidates[-1]}_{number}" for number in range(2, 1000))
        return next(name for name in (*candidates, *numbered) if name not in taken)


def parse(data: bytes) -> ast.Module | None:
    """The syntax tree of UTF-8 bytes, None where there is none."""
    try:
        text = data.decode("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value passed as `name=`, or None."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def spreads(call: ast.Call) -> bool:
    """Does the call pass `*args` or `**kwargs`, so that what it passes is unknown?"""
    return any(each.arg is None for each in call.keywords) or any(isinstance(each, ast.Starred) for each in call.args)


def number(node: ast.AST | None) -> float | None:
    """The value of a literal number, signed ones too; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None


def names_in(root: ast.AST) -> frozenset[str]:
    """Every plain name and attribute name that occurs below."""
    found = {node.id for node in ast.walk(root) if isinstance(node, ast.Name)}
    return frozenset(found | {node.attr for node in ast.walk(root) if isinstance(node, ast.Attribute)})


def _indent_width(data: bytes, start: int) -> int:
    width = 0
    while data[start + width : start + width + 1] in (b" ", b"\t"):
        width += 1
    return width


class Edits:
    """Edits to one file, collected and applied together. What cannot be done exactly marks the whole set as failed."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.failed = ""
        self._spans: list[tuple[int, int, str]] = []
        self._imports: dict[str, str] = {}
        self._helpers: list[str] = []

    def replace(self, node: ast.expr | ast.stmt, text: str) -> None:
        """Put `text` where the node stands."""
        self._spans.append((self.source.offset(node.lineno, node.col_offset), self.source.end(node), text))

    def splice(self, start: int, end: int, text: str) -> None:
        """Put `text` between two offsets."""
        self._spans.append((start, end, text))

    def wrap(self, node: ast.expr, before: str, after: str) -> None:
        """Put text around an expression."""
        self.splice(self.source.start(node), self.source.start(node), before)
        self.splice(self.source.end(node), self.source.end(node), after)

    def before(self, statement: ast.stmt, *lines: str) -> None:
        """Insert lines above a statement, at its indentation."""
        start = self.source.start(statement)
        line = self.source.data.rfind(b"\n", 0, start) + 1
        indent = self.source.data[line:start].decode("utf-8")
        if indent.strip():
            self.failed = self.failed or "the statement does not stand on a line of its own"
        self.splice(line, line, self._block(indent, lines))

    def after(self, statement: ast.stmt, *lines: str) -> None:
        """Insert lines below a statement, at its indentation."""
        source = self.source
        start, end = source.start(statement), source.end(statement)
        line = source.data.rfind(b"\n", 0, start) + 1
        indent = source.data[line:start].decode("utf-8")
        stop = source.line_end(statement.end_lineno or statement.lineno)
        rest = source.data[end:stop].decode("utf-8").strip()
        if indent.strip() or (rest and not rest.startswith("#")):
            self.failed = self.failed or "the statement shares its line with another"
        lead = "" if source.data[:stop].endswith(b"\n") else source.newline
        self.splice(stop, stop, lead + self._block(indent, lines))

    def pass_keyword(self, call: ast.Call, name: str, value: str) -> None:
        """Set `name=value` in a call: replaces the value where it is passed, appends it where it is not."""
        present = keyword(call, name)
        if present is not None:
            self.replace(present, value)
            return
        close = self.source.end(call) - 1
        if any(isinstance(each, ast.GeneratorExp) for each in call.args):
            self.failed = self.failed or "the call's only argument is a bare generator"
        last = max((self.source.end(each) for each in [*call.args, *(key.value for key in call.keywords)]), default=None)
        if last is None:
            self.splice(close, close, f"{name}={value}")
            return
        tail = self.source.data[last:close]
        if tail.strip() == b"":
            self.splice(last, last, f", {name}={value}")
        elif tail.strip() == b",":
            last += tail.index(b",") + 1
            indent = re.search(rb"\n([ \t]*)", self.source.data[self.source.end(call.func) : last])
            lead = f"{self.source.newline}{indent[1].decode()}" if indent and b"\n" in tail else " "
            self.splice(last, last, f"{lead}{name}={value},")
        elif tail.strip(b" )\r\n\t") == b"":
            self.splice(close, close, f", {name}={value}")
        elif re.fullmatch(rb"\s*,[ \t]*#[^\n]*\n[ \t\r\n]*", tail):
            line = close - len(tail) + tail.rindex(b"\n") + 1
            indent = re.search(rb"\n([ \t]*)", self.source.data[self.source.end(call.func) : last])
            self.splice(line, line, f"{indent[1].decode() if indent else ''}{name}={value},{self.source.newline}")
        else:
            self.failed = self.failed or "a comment follows the call's last argument"

    def drop_keyword(self, call: ast.Call, name: str) -> None:
        """Take `name=...` and one of its commas out of a call."""
        found = next((each for each in call.keywords if each.arg == name), None)
        if found is None:
            return
        start, end = self.source.offset(found.lineno, found.col_offset), self.source.end(found)
        following = re.match(rb"\s*,\s*", self.source.data[end:])
        preceding = re.search(rb",\s*$", self.source.data[:start])
        if following:
            end += following.end()
        elif preceding:
            start = preceding.start()
        self.splice(start, end, "")

    def use(self, module: str, name: str = "") -> str:
        """The local name of a module, or of a name in it; imported at the top of the file where it is not yet."""
        full = f"{module}.{name}" if name else module
        for statement in self.source.module.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for alias in statement.names:
                    local = alias.asname or alias.name
                    meaning = alias.name if isinstance(statement, ast.Import) else f"{statement.module}.{alias.name}"
                    if meaning == full and "." not in local and not getattr(statement, "level", 0):
                        return local
        if full not in self._imports:
            usual = {"numpy": "np"}.get(full, name or module.rsplit(".", 1)[-1])
            qualified = f"{module.rsplit('.', 1)[-1]}_{name}" if name else f"{usual}_module"
            self._imports[full] = self.source.fresh(usual, qualified)
        return self._imports[full]

    def helper(self, text: str) -> None:
        """Add a function definition at module level, below the imports."""
        self._helpers.append(text.strip("\n"))

    def content(self) -> bytes:
        """The file with every edit made. LookupError where one cannot be, or where the result is not Python."""
        if self.failed:
            raise LookupError(f"{self.source.path}: {self.failed}")
        pieces: list[bytes] = []
        position = 0
        for start, end, text in sorted([*self._spans, *self._top()], key=lambda span: (span[0], span[1])):
            if start < position:
                raise LookupError(f"{self.source.path}: edits overlap")
            pieces += [self.source.data[position:start], text.encode("utf-8")]
            position = end
        pieces.append(self.source.data[position:])
        data = b"".join(pieces)
        if data == self.source.data or parse(data) is None:
            raise LookupError(f"{self.source.path}: the edit changes nothing, or leaves no valid Python")
        return self.source.mark + data

    def touches(self, spans: list[tuple[int, int]]) -> bool:
        """Does an edit other than an import or a helper lie in one of these spans?"""
        return any((start < high and end > low) or low <= start < high for start, end, _ in self._spans for low, high in spans)

    def _block(self, indent: str, lines: tuple[str, ...]) -> str:
        return "".join(f"{indent}{line}{self.source.newline}" if line else self.source.newline for line in lines)

    def _top(self) -> list[tuple[int, int, str]]:
        """Imports and helpers as spans, below the imports that open the file."""
        new = [_import(full, local) for full, local in sorted(self._imports.items())]
        if not new and not self._helpers:
            return []
        line, newline = self.source.newline, self.source.newline
        body, place = self.source.module.body, 0
        for index, statement in enumerate(body):
            docstring = index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not docstring and not isinstance(statement, ast.Import | ast.ImportFrom):
                break
            place = self.source.line_end(statement.end_lineno or statement.lineno)
        if place == 0:
            place = self.source.line_start(body[0].lineno) if body else 0
            if body:
                first = self.source.start(body[0])
                place = self.source.data.rfind(b"\n", 0, first) + 1
        text = "".join(f"{each}{line}" for each in new)
        opening = body[0] if body else None
        if text and isinstance(opening, ast.Expr) and place == self.source.line_end(opening.end_lineno or opening.lineno):
            text = newline + text
        helpers = "".join(f"{newline}{newline}{each.replace(chr(10), newline)}{newline}" for each in self._helpers)
        return [(place, place, text + helpers)]


def _import(full: str, local: str) -> str:
    module, _, name = full.rpartition(".")
    if module and not (module == "torch" and name == "nn") and name != "pyplot":
        return f"from {module} import {name}" + (f" as {local}" if local != name else "")
    return f"import {full}" + (f" as {local}" if local != full else "")
