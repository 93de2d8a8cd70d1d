"""State of an abstract run: frames, modules, calls of the repository's functions, expressions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autosota.provenance.expressions import EXPRESSIONS
from autosota.provenance.values import (
    EMPTY,
    Atom,
    Influence,
    Thing,
    Value,
    constant,
    container,
    derived,
    flatten,
    join,
)
from autosota.syntax import Module
from autosota.zones.scopes import Repository, Scope

STEPS = 40_000
"""Expressions evaluated at most; code beyond is not looked at, and `complete` says so."""
_DEPTH, _AGAIN = 24, 40

Environment = dict[str, Value]


@dataclass(eq=False)
class Frame:
    """One call under way."""

    module: Module
    scope: str
    names: Environment
    outer: tuple[Environment, ...]
    control: frozenset[Influence] = frozenset()
    escapes: frozenset[Influence] = frozenset()
    """What decided about leaving a loop early."""
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)
    """Names declared global or nonlocal."""
    chain: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Event:
    """Something is learned from data, or a result is reported."""

    kind: str
    value: Value
    path: str
    scope: str
    node: ast.AST


class Calling:
    """An abstract run: modules loaded, functions called, expressions evaluated. Statements are the subclass's."""

    def __init__(self, repository: Repository, tree: Mapping[str, bytes], watch: frozenset[int]) -> None:
        self.repository = repository
        self.tree = tree
        self.watch = watch
        self.seen: dict[int, Value] = {}
        """Watched node → everything it was."""
        self.events: list[Event] = []
        self.metrics: dict[int, tuple[Value, Value]] = {}
        """Library metric call → truth, predictions."""
        self.complete = True
        self.files: dict[str, Value] = {}
        """What the code itself wrote, by path."""
        self.touched: list[Thing] = []
        self.draws: dict[tuple[int, int, tuple[int, ...]], Atom] = {}
        self.common = Thing("generator", "global")
        self.reached: set[tuple[str, str]] = set()
        self.modules: dict[str, Environment] = {}
        self.steps = 0
        self._stack: list[object] = []
        self._again: dict[object, int] = {}
        self._last: dict[object, Value] = {}

    # ── modules and functions ─────────────────────────────────────────────────────────────────────────────────────────

    def load(self, path: str) -> Environment:
        """Run a module's own code once; its global names."""
        if path in self.modules:
            return self.modules[path]
        module = self.repository.module(path)
        names: Environment = {"__file__": constant(path), "__name__": Value(text="__name__")}
        self.modules[path] = names
        if module is not None and len(self._stack) < _DEPTH:
            self.reached.add((path, ""))
            self._stack.append(path)
            self.block(module.tree.body, Frame(module, "", names, ()))
            self._stack.pop()
        return names

    def call_unseen(self, scope: Scope) -> None:
        """Run a function that nothing was seen to call, with parameters that are only known by their names."""
        environment = self.load(scope.module.path)
        given = {
            name: Value(rows=frozenset({Atom(f"parameter:{name}")}), text=name)
            for name in scope.parameters
            if name not in ("self", "cls")
        }
        owner = scope.name.rpartition(".")[0]
        if owner in scope.module.classes and "self" in scope.parameters:
            given["self"] = Value(refs=(Thing("instance", owner, code=(scope.module, scope.module.classes[owner])),), text="self")
        self.reached.add(scope.key)
        self.run(scope.node, Frame(scope.module, scope.name, given, (environment,)))

    def run(self, node: ast.AST, frame: Frame) -> Value:
        """A function's body in a prepared frame; what it returns."""
        if isinstance(node, ast.Lambda):
            return self.value(node.body, frame)
        self.block(getattr(node, "body", []), frame)
        if frame.yields:
            items = join(frame.yields)
            frame.returns.append(Value(refs=(Thing("list", element=items),), text="generated"))
        return join(frame.returns)

    def call_function(
        self, thing: Thing, args: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, frame: Frame
    ) -> Value:
        """A function of the repository, called."""
        module, name, code = thing.code
        if self._stack.count(id(code)) >= 2 or len(self._stack) >= _DEPTH:
            return derived([*args, *keywords.values()], f"{name}()")
        count = self._again[id(code)] = self._again.get(id(code), 0) + 1
        if count > _AGAIN and not any(value.refs for value in (*args, *keywords.values())):
            known = self._last.get(id(code), EMPTY)
            return join([known, derived([*args, *keywords.values()], known.text)])
        inner = Frame(
            module, name, {}, thing.closure or (self.load(module.path),), control=frame.control,
            chain=(*frame.chain, id(node))[-12:],
        )  # fmt: skip
        self._bind(code.args, thing, args, keywords, inner)
        self.reached.add((module.path, name))
        self._stack.append(id(code))
        try:
            result = self.run(code, inner)
        finally:
            self._stack.pop()
        self._last[id(code)] = result.but(refs=())
        return result

    def _bind(
        self, parameters: ast.arguments, thing: Thing, args: Sequence[Value], keywords: Mapping[str, Value], inner: Frame
    ) -> None:
        given = [*([thing.bound] if thing.bound is not None else []), *args]
        names = [item.arg for item in (*parameters.posonlyargs, *parameters.args)]
        rest = dict(keywords)
        defaults = parameters.defaults
        outside = Frame(inner.module, "", inner.outer[0] if inner.outer else {}, inner.outer[1:])
        for offset, default in enumerate(defaults):
            inner.names[names[len(names) - len(defaults) + offset]] = self.value(default, outside)
        for item, preset in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True):
            inner.names[item.arg] = self.value(preset, outside) if preset is not None else EMPTY
        for name, value in zip(names, given, strict=False):
            inner.names[name] = value
        known = {*names, *(item.arg for item in parameters.kwonlyargs)}
        for name in [name for name in rest if name in known]:
            inner.names[name] = rest.pop(name)
        if parameters.vararg is not None:
            inner.names[parameters.vararg.arg] = container("tuple", given[len(names) :])
        if parameters.kwarg is not None:
            fields = {f"[{name}": value for name, value in rest.items()}
            inner.names[parameters.kwarg.arg] = Value(refs=(Thing("dict", fields=fields),))
        elif "**" in rest:
            for name in known - set(inner.names):
                inner.names[name] = rest["**"]
        for name in known:
            inner.names.setdefault(name, EMPTY)

    # ── expressions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, node: ast.expr, frame: Frame) -> Value:
        """What an expression may be."""
        self.steps += 1
        if self.steps > STEPS:
            self.complete = False
            return EMPTY
        method = EXPRESSIONS.get(type(node))
        found = method(self, node, frame) if method else derived([], type(node).__name__)
        if id(node) in self.watch:
            known = self.seen.get(id(node))
            plain = flatten(found)
            self.seen[id(node)] = join([known, plain]) if known is not None else plain
        return found

    def lookup(self, name: str, frame: Frame) -> Value:
        """A name in a function, around it, in its module, or a builtin."""
        for place in (frame.names, *frame.outer):
            found = place.get(name)
            if found is not None:
                return found
        if name in frame.module.imports:
            return self.dotted(frame.module.imports[name], frame.module.path)
        return Value(refs=(Thing("name", name),), text=name)

    def block(self, statements: Sequence[ast.stmt], frame: Frame) -> bool:
        """Run statements in order; True where the end is not reached."""
        raise NotImplementedError

    def event(self, kind: str, value: Value, node: ast.AST, frame: Frame) -> None:
        """Note that something was learned or reported."""
        plain = flatten(value)
        self.events.append(Event(kind, plain.but(deps=plain.deps | frame.control), frame.module.path, frame.scope, node))

    def dotted(self, name: str, importer: str) -> Value:
        """What a dotted name of an import stands for."""
        raise NotImplementedError
