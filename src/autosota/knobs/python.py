"""Reads tunable places from Python source by `ast`; nothing is ever imported or run."""

from __future__ import annotations

import ast
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from autosota.knobs import calls
from autosota.knobs.calls import dotted
from autosota.knobs.place import Kind, Place, literal, number_duplicates
from autosota.knobs.signatures import POSITIONAL
from autosota.knobs.text import Lines, Text, decode
from autosota.records import Scalar

_FIELDS = {"field", "Field", "ib", "attrib"}
_DATACLASSES = {"dataclass", "define", "attrs", "frozen", "BaseModel", "BaseSettings", "NamedTuple", "Tap"}


@dataclass(frozen=True)
class Call:
    """How something is called: enough to know which parameters the caller states."""

    positional: int
    keywords: frozenset[str]
    star: bool
    """Has *args or **kwargs, so that nothing is known."""

    def states(self, name: str, position: int | None) -> bool:
        """Is the parameter given by this call?"""
        return name in self.keywords or (position is not None and position < self.positional)


@dataclass
class Module:
    """What one Python file holds."""

    file: str
    text: Text
    places: list[Place] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)
    """Local name → dotted origin."""
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """Last part of the callee's name → calls."""
    names: Counter[str] = field(default_factory=Counter)
    """Names and attributes that are read."""
    words: set[str] = field(default_factory=set)
    """String constants, keyword names and parameters: what a configuration key may be matched with."""
    defined: set[str] = field(default_factory=set)
    """Functions and classes."""
    updates_options: bool = False
    """Calls `parser.set_defaults(**…)`: configuration overrides the defaults of options."""


def read(file: str, content: bytes) -> Module | None:
    """None where the file cannot be read as Python."""
    text = decode(content, python=True)
    if text is None:
        return None
    module = Module(file, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.data.decode())
        _Reader(module, Lines(text.data)).read(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    module.places = number_duplicates(sorted(module.places, key=lambda place: (place.line, place.start)))
    return module


class _Reader:
    """Walks a tree once, keeping the scope."""

    def __init__(self, module: Module, lines: Lines) -> None:
        self.module = module
        self.lines = lines
        self.scope: tuple[str, ...] = ()
        self.constants: dict[str, Scalar] = {}
        self.in_class = False
        self.in_dataclass = False
        self.fields = 0
        self.bound: Counter[tuple[tuple[str, ...], str]] = Counter()
        self.called: Counter[tuple[tuple[str, ...], str]] = Counter()

    def read(self, tree: ast.Module) -> None:
        self._count(tree)
        for statement in tree.body:
            self._visit(statement)

    def _count(self, tree: ast.Module) -> None:
        """How often each name is bound in each scope: a name bound twice is a variable, not a constant."""
        stack: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ())]
        while stack:
            node, inside = stack.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inside = (*inside, node.name)
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self.bound[inside, node.id] += 1
            elif isinstance(node, ast.Global):
                self.bound.update({((), name): 1 for name in node.names})
            stack.extend((child, inside) for child in ast.iter_child_nodes(node))

    def _visit(self, node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
                return
            case ast.ClassDef():
                self._class(node)
                return
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.Assign() | ast.AnnAssign():
                self._assignment(node)
            case ast.Call():
                self._call(node)
            case ast.Name(ctx=ast.Load()):
                self.module.names[node.id] += 1
            case ast.Attribute(ctx=ast.Load()):
                self.module.names[node.attr] += 1
            case ast.Constant(value=str() as text) if len(text) <= 100:
                self.module.words.add(text)
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    # ── scopes ──

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                origin = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                self.module.names[alias.name] += 1
            else:
                origin = alias.name if alias.asname else alias.name.partition(".")[0]
            self.module.imports[alias.asname or origin.rpartition(".")[2]] = origin

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.module.defined.add(node.name)
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and dotted(decorator.func).rpartition(".")[2] == "option":
                self._option(decorator, "click", node.name)
            self._visit(decorator)
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        bound = self.in_class and not any(dotted(item) == "staticmethod" for item in node.decorator_list)
        owner = self.scope[-1] if bound and node.name == "__init__" else node.name
        pairs = list(zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True))
        pairs += [(item, value) for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
        for argument, default in pairs:
            alternatives, declared = calls.annotated(argument.annotation)
            place = self._at(default, "default", (node.name, argument.arg), owner)
            position = positional.index(argument) - bound if argument in positional else None
            self._add(default, replace(place, choices=alternatives, declared=declared, position=position,
                                       scope=(*self.scope, node.name)))  # fmt: skip
            self._visit(default)
        self.module.words.update(argument.arg for argument in (*positional, *arguments.kwonlyargs))
        self._inside(node, in_class=False, in_dataclass=False)

    def _class(self, node: ast.ClassDef) -> None:
        self.module.defined.add(node.name)
        for expression in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self._visit(expression)
        marks = [item.func if isinstance(item, ast.Call) else item for item in (*node.decorator_list, *node.bases)]
        fields, self.fields = self.fields, 0
        self._inside(node, in_class=True, in_dataclass=any(dotted(item).rpartition(".")[2] in _DATACLASSES for item in marks))
        self.fields = fields

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, *, in_class: bool, in_dataclass: bool) -> None:
        before = self.scope, self.in_class, self.in_dataclass
        self.scope, self.in_class, self.in_dataclass = (*self.scope, node.name), in_class, in_dataclass
        for statement in node.body:
            self._visit(statement)
        self.scope, self.in_class, self.in_dataclass = before

    # ── values ──

    def _at(self, node: ast.expr, kind: Kind, key: tuple[str, ...], owner: str, name: str = "") -> Place:
        """A place in the current scope, its value still unknown."""
        return Place(self.module.file, kind, ".".join((*self.scope, *key)), name or key[-1], owner, node.lineno, None,
                     scope=self.scope)  # fmt: skip

    def _add(self, node: ast.expr, place: Place) -> None:
        """Adds the place if its value is a literal, the name of a constant, or a short tuple or list of numbers."""
        start = self.lines.offset(node.lineno, node.col_offset)
        end = self.lines.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
        place = replace(place, start=start, end=end, line=node.lineno)
        try:
            value = literal(node)
        except ValueError:
            if isinstance(node, (ast.Tuple, ast.List)):
                self._sequence(node, place)
            elif isinstance(node, ast.Name) and node.id in self.constants:
                self.module.places.append(replace(place, value=self.constants[node.id], plain=False))
            return
        if place.kind == "constant" and not self.scope:
            self.constants[place.key] = value
        self.module.places.append(replace(place, value=value))

    def _sequence(self, node: ast.Tuple | ast.List, place: Place) -> None:
        """Integers are one structured place; other numbers are a place each, "betas.0", "betas.1"."""
        values = [calls.stated(item) for item in node.elts]
        if not 0 < len(values) <= 8 or any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
            return
        if all(isinstance(value, int) for value in values):
            text = self.module.text.data[place.start : place.end].decode("utf-8", "replace")
            self.module.places.append(replace(place, value=text, structured=True))
            return
        for index, item in enumerate(node.elts):
            self._add(item, replace(place, key=f"{place.key}.{index}", name=f"{place.name}.{index}", position=None))

    def _assignment(self, node: ast.Assign | ast.AnnAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if len(targets) != 1 or not isinstance(targets[0], ast.Name):
            return
        name = targets[0].id
        self.module.words.add(name)
        alternatives, declared = calls.annotated(node.annotation) if isinstance(node, ast.AnnAssign) else ((), "")
        value = node.value
        if isinstance(node, ast.AnnAssign) and self.in_dataclass:
            position, self.fields = self.fields, self.fields + 1
            if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in _FIELDS:
                value = next(
                    (item.value for item in value.keywords if item.arg == "default"), value.args[0] if value.args else None
                )
            if value is not None:
                place = self._at(value, "dataclass", (name,), self.scope[-1])
                self._add(value, replace(place, choices=alternatives, declared=declared, position=position))
        elif value is not None and self.bound[self.scope, name] == 1:
            if isinstance(value, ast.Dict):
                self._dictionary(value, (name,))
            else:
                place = self._at(value, "constant", (name,), ".".join(self.scope))
                self._add(value, replace(place, choices=alternatives, declared=declared))

    def _dictionary(self, node: ast.Dict, key: tuple[str, ...]) -> None:
        for name, value in zip(node.keys, node.values, strict=True):
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                if isinstance(value, ast.Dict):
                    self._dictionary(value, (*key, name.value))
                else:
                    self._add(value, self._at(value, "constant", (*key, name.value), key[-1]))

    # ── calls ──

    def _call(self, node: ast.Call) -> None:
        callee = dotted(node.func)
        last = node.func.attr if isinstance(node.func, ast.Attribute) else callee
        keywords = frozenset(item.arg for item in node.keywords if item.arg)
        star = any(isinstance(item, ast.Starred) for item in node.args) or any(item.arg is None for item in node.keywords)
        self.module.words.update(keywords)
        if last:
            self.module.calls[last].append(Call(len(node.args), keywords, star))
        if last == "set_defaults":
            self.module.updates_options |= star
        if last == "add_argument":
            self._option(node, "argparse", "")
        elif last == "get" and len(node.args) == 2:
            self._lookup(node)
        elif callee and last != "option":
            self._keywords(node, callee)

    def _keywords(self, node: ast.Call, callee: str) -> None:
        first, _, rest = callee.partition(".")
        origin = self.module.imports.get(first, first) + (f".{rest}" if rest else "")
        last = origin.rpartition(".")[2]
        values = [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
        values += list(zip(POSITIONAL.get(last, ()), node.args, strict=False))
        self.called[self.scope, callee] += 1
        count = self.called[self.scope, callee]
        mark = f"#{count}" if count > 1 else ""
        for name, value in values:
            if name:
                self._add(value, replace(self._at(value, "keyword", (callee, name + mark), last, name), callee=origin))
        where = calls.insertion(node, self.module.text.data, self.lines) if origin.startswith("sklearn.") else None
        if where is not None:
            given = ",".join(sorted(keyword.arg for keyword in node.keywords if keyword.arg))
            place = replace(self._at(node, "keyword", (callee, "*" + mark), last, "*"), callee=origin, value=given, plain=False)
            self.module.places.append(replace(place, start=where[0], end=where[0], before=where[1], implicit=True,
                                              position=len(node.args)))  # fmt: skip

    def _lookup(self, node: ast.Call) -> None:
        """`config.get("lr", 0.1)`."""
        name = calls.stated(node.args[0])
        if isinstance(name, str) and name.isidentifier() and isinstance(node.func, ast.Attribute):
            key = f'{dotted(node.func.value) or "?"}.get("{name}")'
            self._add(node.args[1], self._at(node.args[1], "default", (key,), "get", name))

    def _option(self, node: ast.Call, kind: Kind, owner: str) -> None:
        names = calls.flag_names(node)
        if not names:
            return
        long = next((name for name in names if name.startswith("--")), names[0])
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        key = f"{owner}.{long}" if owner else long
        name = long.lstrip("-").replace("-", "_")
        self.module.words.add(name)
        place = Place(self.module.file, kind, key, name, owner, node.lineno, None, declared=calls.declared_type(given),
                      choices=calls.choices(given.get("choices") or given.get("type")), scope=self.scope)  # fmt: skip
        where = calls.insertion(node, self.module.text.data, self.lines)
        if "default" in given:
            self._add(given["default"], place)
        elif where is not None:
            flag = calls.is_flag(given)
            value = calls.stated(given.get("action")) == "store_false" if flag else None
            self.module.places.append(replace(place, value=value, start=where[0], end=where[0], before=f"{where[1]}default=",
                                              plain=flag))  # fmt: skip
