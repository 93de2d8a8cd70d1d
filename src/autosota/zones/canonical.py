"""What an expression computes, written so that names, layout and helper variables do not matter: to compare two states of code.

Local names are replaced by what they were given, repository functions by a digest of their body, and everything that a model has
a part in by `<free>`: two texts differ only where truth, data, split or the arithmetic on metrics differ.
"""

from __future__ import annotations

import ast
import hashlib

from autosota import syntax
from autosota.zones import calls
from autosota.zones.expressions import combines
from autosota.zones.flow import Flow
from autosota.zones.scopes import Scope, learns, model_class

FREE = "<free>"
_LIMIT = 4000
_DEPTH = 25
_SAME = {"float", "int", "round", "str", "list", "tuple", "numpy.asarray", "numpy.array", "item", "tolist", "copy"}


class Canonical:
    """Canonical texts in one state of a repository."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._digests: dict[tuple[str, str], str] = {}
        self._texts: dict[int, str] = {}

    def text(self, scope: Scope, expression: ast.expr) -> str:
        """The canonical text, at most a few thousand characters; longer ones are cut and digested."""
        mark = id(expression)
        if mark in self._texts:
            return self._texts[mark]
        text = self._text(scope, expression, 0, frozenset())
        self._texts[mark] = text if len(text) <= _LIMIT else f"{text[:200]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        return self._texts[mark]

    def _text(self, scope: Scope, node: ast.expr, depth: int, open_names: frozenset[str]) -> str:
        if depth > _DEPTH:
            return "…"
        if isinstance(node, ast.Constant):
            return repr(node.value)
        if isinstance(node, ast.Call):
            return self._call(scope, node, depth, open_names)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._name(scope, node, depth, open_names)
        if isinstance(node, ast.JoinedStr):
            values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            return self._join("text", [self._text(scope, value, depth + 1, open_names) for value in values])
        if isinstance(node, ast.Lambda):
            return "<lambda>"
        parts = [self._text(scope, child, depth + 1, open_names) for child in _expressions(node)]
        marks = (ast.operator, ast.cmpop, ast.unaryop, ast.boolop)
        operators = "".join(type(item).__name__ for item in ast.iter_child_nodes(node) if isinstance(item, marks))
        kind = type(node).__name__
        if isinstance(node, (ast.List, ast.Tuple, ast.Dict, ast.Set)) or (combines(node) and set(parts) != {FREE}):
            return f"{kind}{operators}({', '.join(parts)})"
        return self._join(f"{kind}{operators}", parts)

    def _join(self, kind: str, parts: list[str]) -> str:
        """A composite; free where a free part is not inside a metric, so that whatever a model computes stays one word."""
        return FREE if FREE in parts else f"{kind}({', '.join(parts)})"

    def _name(self, scope: Scope, node: ast.Name | ast.Attribute, depth: int, open_names: frozenset[str]) -> str:
        name = syntax.dotted(node)
        if name in open_names:
            return "<self>"
        values = scope.assigned.get(name)
        if values:
            inner = open_names | {name}
            texts = []
            for value, index in values:
                text = self._part(scope, value, index, depth, inner)
                texts.append(text if index is None or text == FREE else f"{text}[{index}]")
            texts = list(dict.fromkeys(texts))
            return FREE if FREE in texts else texts[0] if len(texts) == 1 else f"one of({', '.join(texts)})"
        if isinstance(node, ast.Attribute) and name.split(".")[0] not in scope.module.imports:
            inner_text = self._text(scope, node.value, depth + 1, open_names)
            return FREE if inner_text == FREE else f"{inner_text}.{node.attr}"
        if name in scope.parameters:
            return f"<{scope.parameters.index(name)}>"
        if scope.name and name in scope.module.constants:
            outer = self.flow.repository.scope(scope.module, "", scope.module.tree)
            return self._name(outer, node, depth + 1, open_names)
        target = self.flow.repository.named(name, scope)
        if isinstance(target, Scope):
            return f"<function {self.digest(target)}>"
        if isinstance(target, ast.ClassDef):
            return FREE
        return self._imported_constant(scope, name, depth) or scope.module.resolve(name)

    def _part(self, scope: Scope, value: ast.expr, index: int | None, depth: int, open_names: frozenset[str]) -> str:
        """An assigned value. Which rows a split puts where does not depend on the other arrays that are split along with it."""
        array = calls.split_source(value, index, scope.module) if isinstance(value, ast.Call) else None
        if array is not None and isinstance(value, ast.Call) and index is not None:
            options = sorted(f"{item.arg}={self._text(scope, item.value, depth + 1, open_names)}" for item in value.keywords)
            rows = self._text(scope, array, depth + 1, open_names)
            return FREE if rows == FREE else f"{scope.module.callee(value)}({', '.join([rows, *options])}){index % 2}"
        return self._text(scope, value, depth + 1, open_names)

    def _imported_constant(self, scope: Scope, name: str, depth: int) -> str | None:
        """The value of a constant that another file of the repository holds."""
        if name.split(".")[0] not in scope.module.imports:
            return None
        place = self.flow.repository.locate(scope.module.resolve(name), scope.module.path)
        module = self.flow.repository.module(place[0]) if place and place[1] else None
        if place is None or module is None or place[1] not in module.constants:
            return None
        outer = self.flow.repository.scope(module, "", module.tree)
        return self._text(outer, module.constants[place[1]], depth + 1, frozenset())

    def _call(self, scope: Scope, call: ast.Call, depth: int, open_names: frozenset[str]) -> str:
        name = scope.module.callee(call)
        attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        target = self.flow.repository.target(call, scope)
        arguments = [self._text(scope, item, depth + 1, open_names) for item in call.args]
        keywords = sorted(f"{item.arg}={self._text(scope, item.value, depth + 1, open_names)}" for item in call.keywords)
        everything = ", ".join([*arguments, *keywords])
        if calls.is_metric(name):
            return f"{name}({everything})"
        if isinstance(target, Scope):
            if target.key in self.flow.metric or target.key in self.flow.data:
                return f"<function {self.digest(target)}>({everything})"
            if self.flow.algorithm(target) or learns(target) or self.flow.in_model(target) or FREE in (*arguments, *keywords):
                return FREE
            return f"<function {self.digest(target)}>({everything})"
        if isinstance(target, ast.ClassDef):
            return FREE if model_class(target) else f"{target.name}({everything})"
        if attribute in self.flow.own or (target is None and calls.constructs(call, name, scope.module)):
            return FREE
        if isinstance(call.func, ast.Name) and (name in scope.assigned or name in scope.parameters):
            return FREE
        if FREE in arguments or any(item.endswith(f"={FREE}") for item in keywords):
            return FREE
        owner = self._text(scope, call.func.value, depth + 1, open_names) if isinstance(call.func, ast.Attribute) else ""
        if name in _SAME and len(call.args) in (1, 2):
            return arguments[0]
        if attribute in _SAME and owner:
            return owner
        if owner and (set("([") & set(name) or name.split(".")[0] not in scope.module.libraries):
            return FREE if owner == FREE else f"{owner}.{attribute}({everything})"
        return f"{name}({everything})"

    def digest(self, scope: Scope) -> str:
        """Of a function's body with parameters and local names numbered; its own name, docstring and annotations do not count."""
        if scope.key not in self._digests:
            self._digests[scope.key] = hashlib.sha256(function_text(scope.node).encode()).hexdigest()[:12]
        return self._digests[scope.key]


def function_text(node: ast.AST) -> str:
    """A function as text, with parameters and local names numbered in order of appearance and its own name left out."""
    plain = syntax.plain(node)
    names: dict[str, str] = {}
    for part in ast.walk(plain):
        if isinstance(part, ast.arg):
            names.setdefault(part.arg, f"v{len(names)}")
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.setdefault(part.id, f"v{len(names)}")
    for part in ast.walk(plain):
        if isinstance(part, ast.arg):
            part.arg = names[part.arg]
        elif isinstance(part, ast.Name):
            part.id = names.get(part.id, part.id)
    if isinstance(plain, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        plain.name = ""
    return ast.dump(plain)


def _expressions(node: ast.AST) -> list[ast.expr]:
    found: list[ast.expr] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            found.append(child)
        elif isinstance(child, (ast.comprehension, ast.keyword)):
            found.extend(_expressions(child))
    return found
