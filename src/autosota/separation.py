"""Cutting one evaluation script in two: what predicts, and what scores (for `autosota split`). Pure: source text in and out.

The cut runs through one function, or a module's own code, where predictions meet the truth: statements from there on that compute
and report metrics go to the scorer, everything that trains and predicts stays. What crosses is saved as arrays.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from autosota import syntax, zones
from autosota.records import Commands, MetricSpec
from autosota.zones import calls
from autosota.zones.flow import Flow
from autosota.zones.scopes import Scope, learns

VARIABLE = "PREDICTIONS"
"""Environment variable with the folder that predictions cross in."""
CROSSING = "predictions.npz"
_SAVE = """\
import os
import numpy
numpy.savez(os.path.join(os.environ["{folder}"], "{file}"), {values})
"""
_LOAD = """\
import os
import numpy
_crossed = numpy.load(os.path.join(os.environ["{folder}"], "{file}"), allow_pickle=False)
"""


class Inseparable(Exception):
    """Why rules cannot cut here, with the place."""


@dataclass(frozen=True)
class Cut:
    """The two halves of one script."""

    script: str
    """The script that was cut."""
    line: int
    """Where scoring begins in it."""
    predict: str
    """Path of the half that predicts, beside the script."""
    score: str
    files: Mapping[str, str]
    """Path → source of both halves."""
    crossing: tuple[str, ...]
    """Names of what crosses."""


def cut(tree: Mapping[str, bytes], command: str, metrics: Sequence[MetricSpec]) -> Cut:
    """Separate the script that `command` runs. Raises Inseparable with the reason and the place."""
    flow, started = zones.analyse(tree, Commands(evaluate=command), metrics=metrics)
    if len(started.scripts) != 1:
        raise Inseparable(f"the command runs {len(started.scripts)} Python scripts; one is needed: {command}")
    script = started.scripts[0]
    scope, body = _place(flow, script)
    halves = _Halves(flow, scope, body)
    stem = PurePosixPath(script)
    names = [str(stem.with_name(f"{stem.stem}_{half}.py")) for half in ("predict", "score")]
    taken = [name for name in names if name in tree]
    if taken:
        raise Inseparable(f"{taken[0]} exists already")
    source = syntax.code(script, tree[script]) or ""
    files = {names[0]: halves.predicting(source), names[1]: halves.scoring(source)}
    return Cut(script, halves.tail[0].lineno, names[0], names[1], files, tuple(halves.crossing))


def _place(flow: Flow, script: str) -> tuple[Scope, list[ast.stmt]]:
    """The scope of the script where most of the metric is computed, and its statements."""
    counts: dict[tuple[str, str], int] = {}
    scopes: dict[tuple[str, str], Scope] = {}
    for scope, _ in (*flow.truths, *flow.reports):
        counts[scope.key] = counts.get(scope.key, 0) + 1
        scopes[scope.key] = scope
    reporting = {scope.key for scope, _ in flow.reports}
    here = [key for key in counts if key[0] == script and key in reporting]
    if not here:
        where = ", ".join(sorted(f"{path}: {name or 'module'}" for path, name in reporting)) or "no place that rules can follow"
        raise Inseparable(f"{script} does not report the metric itself; it is reported in {where}")
    scope = scopes[max(here, key=lambda key: counts[key])]
    node = scope.node
    if isinstance(node, ast.Module):
        guarded = [item for item in node.body if isinstance(item, ast.If) and "__main__" in ast.unparse(item.test)]
        inside = {id(item) for block in guarded for item in ast.walk(block)}
        if any(id(expression) in inside for found, expression in flow.reports if found.key == scope.key):
            return scope, guarded[0].body
        return scope, node.body
    return scope, list(getattr(node, "body", []))


class _Halves:
    """Which statements of one body predict and which score."""

    def __init__(self, flow: Flow, scope: Scope, body: list[ast.stmt]) -> None:
        self._flow, self._scope, self._body = flow, scope, body
        self._modules = {
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(scope.module.tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        self._models = self._receivers()
        operands = {id(node) for found, node in flow.truths if found.key == scope.key}
        reported = {id(node) for found, node in flow.reports if found.key == scope.key}
        first = self._first(operands, reported)
        place = body.index(first)
        self._before, self.tail = body[:place], body[place:]
        made = self._made_by_model(self._before)
        self._hoisted: dict[str, ast.expr] = {}
        self._rewritten = [self._hoist(copy.deepcopy(item), made) for item in self.tail]
        for statement in self._rewritten:
            if self._trains(statement):
                raise Inseparable(
                    f"{scope.module.path}:{statement.lineno}: training or predicting goes on where scoring has begun"
                )
        assigned = {name for item in self.tail for name in _assigned(item)}
        read = {name for item in self._rewritten for name in _read(item)}
        self.crossing = sorted((read & made) - assigned) + sorted(self._hoisted)
        if not self.crossing:
            raise Inseparable(
                f"{scope.module.path}:{first.lineno}: nothing that the model made is scored here, as far as rules see"
            )
        self._needed = self._needed_by(read - set(self.crossing), made)

    # ── which statement does what ─────────────────────────────────────────────────────────────────────────────────────

    def _made_by_model(self, statements: Sequence[ast.stmt]) -> set[str]:
        """Names whose value comes out of training or predicting, in the order of the statements."""
        made: set[str] = set()
        for statement in statements:
            if self._trains(statement) or _read(statement) & made or _assigned(statement) & self._models:
                made |= (_assigned(statement) | _changed(statement)) - self._modules
        return made

    def _trains(self, statement: ast.stmt) -> bool:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom)):
            return False
        if any(isinstance(node, (ast.For, ast.While)) for node in ast.walk(statement)):
            return True
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call)):
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if method in calls.LEARN | calls.PREDICT | self._flow.own:
                return True
            found = self._flow.repository.target(call, self._scope)
            if isinstance(found, Scope) and learns(found):
                return True
        return False

    def _first(self, operands: set[int], reported: set[int]) -> ast.stmt:
        """The first statement where a metric is computed, else reported, from what the model made."""
        for wanted in (operands, reported):
            for place, statement in enumerate(self._body):
                inside = any(id(node) in wanted for node in ast.walk(statement))
                read = _read(statement)
                if inside and (read & self._made_by_model(self._body[:place]) or self._trains(statement)):
                    return statement
        where = f"{self._scope.module.path}: {self._scope.name or 'module'}"
        raise Inseparable(f"{where}: rules do not see where predictions meet the truth")

    def _hoist(self, statement: ast.stmt, made: set[str]) -> ast.stmt:
        """Calls of the model inside a scoring statement happen on the other side: they cross by a name of their own."""
        hoisted, scope = self._hoisted, self._scope
        bound = {name for item in self.tail for name in _assigned(item)}

        class Hoist(ast.NodeTransformer):
            def visit_Call(self, node: ast.Call) -> ast.expr:
                root = node.func
                while isinstance(root, (ast.Attribute, ast.Call, ast.Subscript)):
                    root = root.func if isinstance(root, ast.Call) else root.value
                method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                if isinstance(root, ast.Name) and root.id in made and method and method not in calls.ARRAY:
                    inner = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
                    if inner & bound:
                        return self.generic_visit(node)  # type: ignore[return-value]
                    name = f"_made_{len(hoisted)}"
                    hoisted[name] = node
                    return ast.copy_location(ast.Name(name, ast.Load()), node)
                return self.generic_visit(node)  # type: ignore[return-value]

        changed = Hoist().visit(statement)
        for call in (node for node in ast.walk(changed) if isinstance(node, ast.Call)):
            for argument in call.args:
                if isinstance(argument, ast.Name) and argument.id in self._models:
                    place = f"{scope.module.path}:{call.lineno}"
                    raise Inseparable(f"{place}: {ast.unparse(call.func)} gets the model itself; only arrays can cross")
        return changed  # type: ignore[no-any-return]

    def _receivers(self) -> set[str]:
        """Names that are used as models: methods that learn or predict are called on them."""
        methods = calls.LEARN | calls.PREDICT | self._flow.own
        found = set()
        for node in (node for statement in self._body for node in ast.walk(statement)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in methods:
                found.add(node.value.id)
        return found - self._modules

    def _needed_by(self, names: set[str], made: set[str]) -> list[ast.stmt]:
        """Statements before the cut that the scorer needs, backwards from the names it reads."""
        needed: list[ast.stmt] = []
        wanted = set(names)
        for statement in reversed(self._before):
            definition = isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom))
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if definition or docstring or (_assigned(statement) | _changed(statement)) & (wanted - self._modules):
                trained = _assigned(statement) & made & wanted
                if not definition and trained and self._trains(statement):
                    place = f"{self._scope.module.path}:{statement.lineno}"
                    raise Inseparable(f"{place}: scoring needs {', '.join(sorted(trained))}, which training made")
                needed.append(statement)
                wanted |= _read(statement)
        return needed[::-1]

    # ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def predicting(self, source: str) -> str:
        """The script without its scoring; what crosses is saved where scoring began."""
        kept = _live(self._before, set(self.crossing), [*self._hoisted.values()])
        lines = [f"{name} = {ast.unparse(value)}" for name, value in self._hoisted.items()]
        values = ", ".join(f"{name}=numpy.asarray({name})" for name in self.crossing)
        return self._written(source, kept, [*lines, _SAVE.format(folder=VARIABLE, file=CROSSING, values=values)])

    def scoring(self, source: str) -> str:
        """The script without training and predicting; what crossed is read."""
        lines = [_LOAD.format(folder=VARIABLE, file=CROSSING)]
        lines += [f"{name} = _crossed[{name!r}]" for name in self.crossing]
        return self._written(source, self._needed, [*lines, *(ast.unparse(item) for item in self._rewritten)])

    def _written(self, source: str, kept: Sequence[ast.stmt], added: Sequence[str]) -> str:
        """The source with the body's statements `kept`, then `added`; everything outside the body as it is."""
        lines = source.splitlines()
        start, end = _start(self._body[0]), self._body[-1].end_lineno or self._body[-1].lineno
        indent = " " * self._body[0].col_offset
        body: list[str] = []
        for statement in kept:
            body += lines[_start(statement) - 1 : statement.end_lineno]
        for text in added:
            body += [indent + line for line in text.splitlines()]
        return "\n".join([*lines[: start - 1], *body, *lines[end:]]) + "\n"


def _start(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", [])
    return int(min([statement.lineno, *(item.lineno for item in decorators)]))


def _live(statements: Sequence[ast.stmt], wanted: set[str], values: Sequence[ast.expr]) -> list[ast.stmt]:
    """Without plain assignments that nothing reads any more: the labels' loading, where it stands alone."""
    read = wanted | {node.id for value in values for node in ast.walk(value) if isinstance(node, ast.Name)}
    kept: list[ast.stmt] = []
    for statement in reversed(statements):
        plain = isinstance(statement, (ast.Assign, ast.AnnAssign)) and all(
            isinstance(target, (ast.Name, ast.Tuple, ast.List))
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        )
        if plain and not _assigned(statement) & read:
            continue
        kept.append(statement)
        read |= _read(statement)
    return kept[::-1]


def _assigned(statement: ast.stmt) -> set[str]:
    """Names a statement binds."""
    found = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return {statement.name}
    return found


def _changed(statement: ast.stmt) -> set[str]:
    """Names whose value a statement may change in place: receivers of methods, what is assigned into, bare calls' arguments."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            if node.func.attr not in calls.ARRAY and node.func.attr not in calls.PREDICT - calls.LEARN:
                found.add(node.func.value.id)
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            root: ast.expr = node
            while isinstance(root, (ast.Subscript, ast.Attribute)):
                root = root.value
            if isinstance(root, ast.Name):
                found.add(root.id)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        found |= {argument.id for argument in statement.value.args if isinstance(argument, ast.Name)}
    return found


def _read(statement: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
