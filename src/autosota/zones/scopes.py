"""Functions and module code of a repository as scopes: what is assigned, called, returned; calls resolved within it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

from autosota import syntax
from autosota.syntax import Module
from autosota.zones import calls

Value = tuple[ast.expr, int | None]
"""An assigned expression, and the index taken from it where a tuple is unpacked."""


@dataclass(frozen=True, eq=False)
class Scope:
    """A function with its qualified name, or a module's own code with the name ""."""

    module: Module
    name: str
    node: ast.AST

    @property
    def key(self) -> tuple[str, str]:
        """File and qualified name."""
        return self.module.path, self.name

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything in its own body, inner functions left out."""
        return tuple(syntax.own_nodes(self.node))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """Calls in its own body, in the order of the text."""
        found = [node for node in self.nodes if isinstance(node, ast.Call)]
        return tuple(sorted(found, key=lambda call: (call.lineno, call.col_offset)))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, `self` included."""
        if not isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return ()
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return tuple(item.arg for item in every)

    @cached_property
    def returns(self) -> tuple[ast.expr, ...]:
        """Returned and yielded expressions."""
        return tuple(node.value for node in self.nodes if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None)

    @cached_property
    def assigned(self) -> Mapping[str, list[Value]]:
        """Name (or dotted `self.x`) → everything that is put into it: assignments, loops, appends, items."""
        found: dict[str, list[Value]] = {}

        def put(target: ast.expr, value: ast.expr, index: int | None = None) -> None:
            if isinstance(target, (ast.Tuple, ast.List)):
                literal = value.elts if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts) else None
                for position, item in enumerate(target.elts):
                    put(item, literal[position] if literal else value, None if literal else position)
            elif isinstance(target, (ast.Starred, ast.Subscript)):
                put(target.value, value, index)
            else:
                name = syntax.dotted(target)
                if name:
                    found.setdefault(name, []).append((value, index))

        for node in self.nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    put(target, node.value)
            elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value is not None:
                put(node.target, node.value)
            elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
                put(node.target, node.iter)
            elif isinstance(node, ast.withitem) and node.optional_vars is not None:
                put(node.optional_vars, node.context_expr)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("append", "extend", "add", "update", "insert")
                and node.args
            ):
                put(node.func.value, node.args[-1])
        return found


@lru_cache(maxsize=50_000)
def _scope(module: Module, name: str) -> Scope:
    return Scope(module, name, module.functions[name] if name else module.tree)


class Repository:
    """The parsed Python files that an evaluation may reach."""

    def __init__(self, tree: Mapping[str, bytes], roots: Sequence[str]) -> None:
        self._tree = tree
        self._roots = tuple(roots)
        self._modules: dict[str, Module | None] = {}
        self._named: dict[tuple[tuple[str, str], str], Scope | ast.ClassDef | None] = {}
        self._places: dict[tuple[str, str], tuple[str, str] | None] = {}

    def module(self, path: str) -> Module | None:
        """A file parsed, once; None where it is absent or no Python."""
        if path not in self._modules:
            self._modules[path] = syntax.module(path, self._tree[path]) if path in self._tree else None
        return self._modules[path]

    def scopes(self, module: Module) -> Iterator[Scope]:
        """Module code and all functions of a file."""
        for name, node in syntax.scopes(module):
            yield self.scope(module, name, node)

    def scope(self, module: Module, name: str, node: ast.AST) -> Scope:
        """The one Scope object for a function; unchanged files share theirs between states of a repository."""
        return _scope(module, name)

    def locate(self, name: str, importer: str) -> tuple[str, str] | None:
        """Dotted name → (file, rest of the name inside it), tried from the importer's folder and the roots."""
        folder = str(PurePosixPath(importer).parent)
        if (name, folder) not in self._places:
            self._places[name, folder] = self._locate(name, folder)
        return self._places[name, folder]

    def _locate(self, name: str, folder: str) -> tuple[str, str] | None:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            stem = "/".join(parts[:length])
            for root in dict.fromkeys((*self._roots, "" if folder == "." else folder)):
                for tail in (".py", "/__init__.py"):
                    path = f"{root}/{stem}{tail}" if root else f"{stem}{tail}"
                    if path in self._tree:
                        return path, ".".join(parts[length:])
        return None

    def imported(self, module: Module) -> list[str]:
        """Files of the repository that a file imports, packages on the way included."""
        found: list[str] = []
        for node in module.import_nodes:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [module.imports[alias.asname or alias.name] for alias in node.names if alias.name != "*"]
                if any(alias.name == "*" for alias in node.names):
                    names.append(module.imports["*"].removesuffix(".*"))
            for name in names:
                parts = name.split(".")
                for length in range(1, len(parts) + 1):
                    place = self.locate(".".join(parts[:length]), module.path)
                    if place and not place[1] and place[0] not in found:
                        found.append(place[0])
        return found

    def closure(self, scripts: Sequence[str]) -> list[Module]:
        """The scripts and everything they import from the repository, in order of discovery."""
        found: dict[str, Module] = {}
        waiting = list(scripts)
        while waiting:
            path = waiting.pop(0)
            module = self.module(path)
            if module is not None and path not in found:
                found[path] = module
                waiting.extend(self.imported(module))
        return list(found.values())

    def target(self, call: ast.Call, scope: Scope) -> Scope | ast.ClassDef | None:
        """The function or class of the repository that a call runs, or None."""
        return self.named(syntax.dotted(call.func), scope)

    def named(self, name: str, scope: Scope) -> Scope | ast.ClassDef | None:
        """The function or class of the repository that a dotted name stands for in a scope, or None."""
        if not name or "[" in name:
            return None
        mark = (scope.key, name)
        if mark not in self._named:
            self._named[mark] = None
            self._named[mark] = self._resolve(name, scope)
        return self._named[mark]

    def _resolve(self, name: str, scope: Scope) -> Scope | ast.ClassDef | None:
        module = scope.module
        if name.startswith("self."):
            owner = scope.name.rsplit(".", 1)[0]
            return self._member(module, f"{owner}.{name.removeprefix('self.')}")
        resolved = module.resolve(name.replace("()", ""))
        for prefix in (f"{scope.name}.", ""):
            if found := self._member(module, f"{prefix}{resolved}"):
                return found
        if name.split(".")[0] in module.imports or "*" in module.imports:
            for candidate in (resolved, *([f"{module.imports['*'].removesuffix('.*')}.{name}"] if "*" in module.imports else [])):
                place = self.locate(candidate, module.path)
                other = self.module(place[0]) if place and place[1] else None
                if place and other and (found := self._exported(other, place[1], 0)):
                    return found
        return self._method(name, scope)

    def _member(self, module: Module, name: str) -> Scope | ast.ClassDef | None:
        if name in module.functions:
            return self.scope(module, name, module.functions[name])
        return module.classes.get(name)

    def _exported(self, module: Module, name: str, depth: int) -> Scope | ast.ClassDef | None:
        """A name of another module, through re-exports in package files."""
        if found := self._member(module, name):
            return found
        head = name.split(".")[0]
        if depth < 4 and head in module.imports:
            place = self.locate(module.resolve(name), module.path)
            other = self.module(place[0]) if place and place[1] else None
            if place and other:
                return self._exported(other, place[1], depth + 1)
        return None

    def _method(self, name: str, scope: Scope) -> Scope | None:
        """`thing.method()` where `thing` was made from a class of the repository in this scope."""
        head, _, method = name.rpartition(".")
        for value, _ in scope.assigned.get(head, ()):
            if isinstance(value, ast.Call) and syntax.dotted(value.func) != name:
                made = self.named(syntax.dotted(value.func), scope)
                if isinstance(made, ast.ClassDef):
                    for module in self._modules.values():
                        if module is not None and made in module.classes.values():
                            found = self._member(module, f"{made.name}.{method}")
                            return found if isinstance(found, Scope) else None
        return None


# ── what a scope holds ────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=50_000)
def learns(scope: Scope) -> bool:
    """Does it train something itself: `fit`, `backward`, a loop that updates a state?"""
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in calls.LEARN for call in scope.calls) or updates(scope)


@lru_cache(maxsize=50_000)
def updates(scope: Scope) -> bool:
    """A loop that rewrites what was set before it, other than by counting, adding up, or keeping an extreme."""
    outside = _names(node for node in scope.nodes if isinstance(node, (ast.Assign, ast.AnnAssign)))
    outside |= set(scope.parameters)
    for loop in scope.nodes:
        if not isinstance(loop, (ast.For, ast.While)):
            continue
        inside = [node for statement in loop.body for node in ast.walk(statement)]
        before = _names(node for node in scope.nodes if isinstance(node, ast.Assign) and node.lineno < loop.lineno) | set(
            scope.parameters
        )
        for node in inside:
            if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Sub, ast.Mult, ast.Div, ast.MatMult)):
                return True
            if (
                isinstance(node, ast.AugAssign)
                and isinstance(node.target, (ast.Subscript, ast.Attribute))
                and _product(node.value)
            ):
                return True
            if isinstance(node, ast.Assign) and _names([node]) & before & outside and not _accumulates(node):
                return True
    return False


def _names(nodes: Iterator[ast.AST] | list[ast.Assign]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            found.update(part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
    return found


def _product(value: ast.expr) -> bool:
    return isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Mult, ast.MatMult, ast.Div))


def _accumulates(node: ast.Assign) -> bool:
    value, own = node.value, _names([node])
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return any(isinstance(side, ast.Name) and side.id in own for side in (value.left, value.right))
    if isinstance(value, ast.Call) and syntax.dotted(value.func) in ("max", "min"):
        return any(isinstance(item, ast.Name) and item.id in own for item in value.args)
    return isinstance(value, ast.Constant)


@lru_cache(maxsize=50_000)
def random_draws(scope: Scope) -> bool:
    """Does it draw random numbers itself?"""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in calls.RANDOM
        and (
            "rng" in syntax.dotted(call.func).lower()
            or "random" in scope.module.callee(call)
            or "generator" in syntax.dotted(call.func)
        )
        for call in scope.calls
    )


@lru_cache(maxsize=50_000)
def model_class(definition: ast.ClassDef) -> bool:
    """A class that learns or predicts, or derives from one that does."""
    methods = {item.name for item in definition.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}
    bases = {syntax.dotted(base).rsplit(".", 1)[-1] for base in definition.bases}
    known = {
        "Module",
        "LightningModule",
        "BaseEstimator",
        "ClassifierMixin",
        "RegressorMixin",
        "TransformerMixin",
        "ClusterMixin",
        "Model",
    }
    return bool(methods & (calls.LEARN | calls.PREDICT | {"step"})) or bool(bases & known)


def own_methods(modules: Sequence[Module]) -> frozenset[str]:
    """Names of the methods of model classes."""
    models = [node for module in modules for node in module.classes.values() if model_class(node)]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(item.name for node in models for item in node.body if isinstance(item, kinds))
