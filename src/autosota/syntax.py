"""Reading source text without running it: Python files and notebooks, names resolved through imports, normalized forms."""

from __future__ import annotations

import ast
import configparser
import json
import re
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

DEPTH = 200
"""Code nested deeper than this is not analyzed."""
LIMIT = 2 * 2**20
"""Files longer than this many bytes are not parsed."""
DATA = {
    ".csv", ".tsv", ".npy", ".npz", ".parquet", ".feather", ".arrow", ".h5", ".hdf5", ".mat", ".jsonl", ".arff", ".libsvm",
    ".svmlight",
    ".data", ".dat", ".gz", ".bz2", ".xz", ".zip", ".tar", ".pkl", ".pickle", ".png", ".jpg", ".jpeg", ".gif", ".bmp",
    ".tif", ".tiff",
    ".wav", ".flac", ".mp3", ".txt", ".xlsx", ".xls", ".sqlite", ".db", ".nc", ".pgm", ".ppm", ".idx", ".bin", ".lmdb",
}  # fmt: skip
"""Suffixes under which data are kept."""
_MAGIC = re.compile(r"^\s*[%!]|^\s*\?")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def text(data: bytes | None) -> str | None:
    """The text of a file; None for nothing, binary content or a file over LIMIT."""
    if data is None or len(data) > LIMIT or b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_python(path: str, data: bytes | None) -> bool:
    """A Python file or notebook, by its suffix or its first line."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".py", ".pyw", ".ipynb"):
        return True
    return suffix == "" and data is not None and data[:2] == b"#!" and b"python" in data[:80].split(b"\n")[0]


def code(path: str, data: bytes | None) -> str | None:
    """Python source of a file or of a notebook's code cells (magics become blank lines); None where there is none."""
    content = text(data)
    if content is None or not path.lower().endswith(".ipynb"):
        return content
    try:
        notebook = json.loads(content)
        cells = [cell for cell in notebook["cells"] if cell.get("cell_type") == "code"]
        sources = ["".join(cell["source"]) if isinstance(cell["source"], list) else str(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    lines = [line for source in sources for line in source.split("\n")]
    return "\n".join("pass" if _MAGIC.match(line) and not line.startswith((" ", "\t")) else line for line in lines)


def parse(path: str, data: bytes | None) -> ast.Module | None:
    """The syntax tree, or None where the content is not Python this interpreter can read, or is nested beyond reason."""
    source = code(path, data)
    if source is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if _depth(tree) <= DEPTH else None


def _depth(tree: ast.AST) -> int:
    deepest, stack = 0, [(tree, 1)]
    while stack and deepest <= DEPTH:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        stack.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, with `()` for a call and `[]` for a subscript inside it; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f"?.{node.attr}"
    if isinstance(node, ast.Call):
        inner = dotted(node.func)
        return f"{inner}()" if inner else ""
    if isinstance(node, ast.Subscript):
        inner = dotted(node.value)
        return f"{inner}[]" if inner else ""
    return ""


def dump(node: ast.AST | list[ast.stmt]) -> str:
    """A normalized text of code: no positions, comments, layout or docstrings; annotations dropped."""
    if isinstance(node, list):
        return "\n".join(dump(item) for item in node)
    return ast.dump(plain(node))


def plain(node: ast.AST) -> ast.AST:
    """A copy without positions, docstrings and annotations."""
    copy: ast.AST = _Plain().visit(_copy(node))
    return copy


def _copy(node: ast.AST) -> ast.AST:
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            fields[name] = _copy(value)
        elif isinstance(value, list):
            fields[name] = [_copy(item) if isinstance(item, ast.AST) else item for item in value]
        else:
            fields[name] = value
    return type(node)(**fields)


class _Plain(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)) and isinstance(body, list):
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                node.body = body[1:]
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        node.body = _sorted_imports(node.body)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return node
        return ast.Assign(targets=[node.target], value=node.value)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return ast.ImportFrom(module=node.module, names=sorted(node.names, key=lambda alias: alias.name), level=node.level)


def _sorted_imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """Runs of imports one name a statement, in alphabetical order, as import sorters leave them."""
    found: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for node in [*body, None]:
        if isinstance(node, ast.Import):
            run += [ast.Import(names=[alias]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            run += [ast.ImportFrom(module=node.module, names=[alias], level=node.level) for alias in node.names]
        else:
            found += sorted(run, key=ast.dump)
            run = []
            if node is not None:
                found.append(node)
    return found


@dataclass(frozen=True, eq=False)
class Module:
    """A parsed Python file of the repository."""

    path: str
    tree: ast.Module

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Qualified name → definition, methods as `Class.method`, nested ones as `outer.inner`. The last definition counts."""
        return dict(_functions(self.tree, ""))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """Qualified name → class definition at the module's top level or in a class."""
        return dict(_classes(self.tree, ""))

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name → dotted path it stands for; relative imports are made absolute from the file's place."""
        package = [part for part in PurePosixPath(self.path).parent.parts if part not in (".", "/")]
        names: dict[str, str] = {}
        for node in self.import_nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    names[alias.asname or alias.name.split(".")[0]] = alias.name if alias.asname else alias.name.split(".")[0]
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                prefix = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{prefix}.{alias.name}" if prefix else alias.name
        return names

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Module-level `NAME = value`; the last assignment counts."""
        found: dict[str, ast.expr] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found[target.id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                found[node.target.id] = node.value
        return found

    @cached_property
    def import_nodes(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """Import statements anywhere in the file."""
        return tuple(node for node in ast.walk(self.tree) if isinstance(node, (ast.Import, ast.ImportFrom)))

    @cached_property
    def libraries(self) -> frozenset[str]:
        """First parts of everything imported."""
        return frozenset(value.split(".")[0] for value in self.imports.values())

    @cached_property
    def marks(self) -> dict[int, int]:
        """Node (by identity) → a number that equal code shares, positions and layout aside."""
        found: dict[int, int] = {}
        _mark(self.tree, found)
        return found

    @cached_property
    def mark_set(self) -> frozenset[int]:
        """All marks of the file."""
        return frozenset(self.marks.values())

    def callee(self, call: ast.Call) -> str:
        """The called thing's dotted name, imports resolved: "sklearn.metrics.f1_score", "model.fit"."""
        return self.resolve(dotted(call.func))

    def resolve(self, name: str) -> str:
        """`name` with its first part replaced by what it was imported as."""
        head, dot, rest = name.partition(".")
        return f"{self.imports[head]}{dot}{rest}" if head in self.imports else name


@lru_cache(maxsize=4096)
def module(path: str, data: bytes | None) -> Module | None:
    """The parsed file, or None where it is no Python. The same content gives the same object."""
    if not is_python(path, data):
        return None
    tree = parse(path, data)
    return Module(path, tree) if tree is not None else None


def _mark(node: ast.AST, found: dict[int, int]) -> int:
    """Bottom-up hash of a syntax tree; recursion is bounded by what `ast.parse` accepts."""
    parts: list[object] = [type(node).__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            parts.append(_mark(value, found))
        elif isinstance(value, list):
            parts.append(tuple(_mark(item, found) if isinstance(item, ast.AST) else item for item in value))
        else:
            parts.append((type(value).__name__, value))
    found[id(node)] = hash(tuple(parts))
    return found[id(node)]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt):
            yield from _functions(child, prefix)


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{prefix}{child.name}", child
            yield from _classes(child, f"{prefix}{child.name}.")
        elif isinstance(child, (ast.If, ast.Try, ast.With)):
            yield from _classes(child, prefix)


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function or module body without those of functions and classes defined in it (lambdas included)."""
    stack: list[ast.AST] = list(getattr(scope, "body", []))
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        yield node
        stack.extend(ast.iter_child_nodes(node))


def scopes(source: Module) -> Iterator[tuple[str, ast.AST]]:
    """The module's own code as ("", module), then every function with its qualified name."""
    yield "", source.tree
    yield from source.functions.items()


def options(module: Module) -> dict[str, ast.Call]:
    """Option string → the `add_argument` or click `option` call that declares it."""
    found = {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and dotted(node.func).rsplit(".", 1)[-1] in ("add_argument", "option"):
            names = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            long = [name for name in names if name.startswith("--")] or names
            if long:
                found[long[0]] = node
    return found


def form(source: Module, symbol: str) -> str | None:
    """Normalized text of a protected symbol of a Python file, None where it is not there.

    Symbols: a function, method or class; a module constant; a `--option`; `function.callee` or `callee` for all its calls there.
    """
    if symbol.startswith("-"):
        call = options(source).get(symbol)
        return dump(call) if call is not None else None
    if symbol in source.functions:
        return dump(source.functions[symbol])
    if symbol in source.classes:
        return dump(source.classes[symbol])
    if symbol in source.constants:
        return dump(source.constants[symbol])
    scope, _, callee = symbol.rpartition(".")
    node: ast.AST | None = source.tree if not scope else source.functions.get(scope)
    if node is None:
        return None
    found = [
        dump(item) for item in own_nodes(node) if isinstance(item, ast.Call) and dotted(item.func).rsplit(".", 1)[-1] == callee
    ]
    return "\n".join(sorted(found)) or None


def unparsed(form: str) -> str | None:
    """Source text of a normalized form; None where it is no expression or statement that can be written out."""
    try:
        node = _rebuilt(ast.parse(form, mode="eval").body)
        return ast.unparse(ast.fix_missing_locations(node)) if isinstance(node, ast.AST) else None
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        return None


def _rebuilt(node: ast.expr) -> object:
    """The value that a dumped node stands for, without evaluating anything."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        kind = getattr(ast, node.func.id)
        if not (isinstance(kind, type) and issubclass(kind, ast.AST)):
            raise ValueError(f"no node: {node.func.id}")
        return kind(**{word.arg: _rebuilt(word.value) for word in node.keywords if word.arg})
    if isinstance(node, ast.List):
        return [_rebuilt(item) for item in node.elts]
    return ast.literal_eval(node)


def setting(path: str, data: bytes | None, key: str) -> str | None:
    """A key of a configuration file as text, None where it is not there."""
    values = settings(path, data) if data is not None else {}
    return json.dumps(values[key], sort_keys=True, default=str) if key in values else None


def settings(path: str, data: bytes) -> dict[str, object]:
    """Dotted key → value of a YAML, TOML, JSON or INI file; empty where it cannot be read or is a list of data."""
    content = text(data)
    if content is None:
        return {}
    suffix = PurePosixPath(path).suffix.lower()
    loaded: object
    try:
        if suffix in (".yaml", ".yml"):
            loaded = _yaml(content)
        elif suffix == ".toml":
            loaded = tomllib.loads(content)
        elif suffix == ".json":
            loaded = json.loads(content)
        else:
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            parser.read_string(content)
            loaded = {section: dict(parser[section]) for section in parser.sections()}
    except (ValueError, RecursionError, configparser.Error):
        return {}
    return dict(_flatten(loaded, "", 0))


def _yaml(content: str) -> object:
    import yaml

    try:
        return yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _flatten(value: object, prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and depth < 12:
        for key, item in list(value.items())[:2000]:
            yield from _flatten(item, f"{prefix}.{key}" if prefix else str(key), depth + 1)
    elif prefix:
        yield prefix, value
