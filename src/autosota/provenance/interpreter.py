"""Runs the code of a repository on abstract values: which rows of data reach which call. Nothing of it is executed.

Functions are followed where they are called, in any module, with what they are given; objects keep what is put into them; both
branches of a condition are taken, loops twice. What chooses between values (a condition, an index, a maximum) is part of them.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from autosota.provenance import library, members
from autosota.provenance.calling import STEPS, Calling, Environment, Frame
from autosota.provenance.values import (
    EMPTY,
    NONE,
    Influence,
    Thing,
    Value,
    derived,
    element,
    flatten,
    join,
    position,
    relation,
    short,
)


class Interpreter(Calling):
    """One abstract run over a repository's evaluation."""

    # ── statements ────────────────────────────────────────────────────────────────────────────────────────────────────

    def block(self, statements: Sequence[ast.stmt], frame: Frame) -> bool:
        """Run statements in order; True where the end is not reached."""
        for statement in statements:
            if self.steps > STEPS:
                self.complete = False
                return True
            if self.statement(statement, frame):
                return True
        return False

    def statement(self, node: ast.stmt, frame: Frame) -> bool:
        """One statement; True where what follows it in its block is not reached."""
        if isinstance(node, ast.Expr):
            self.value(node.value, frame)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            self._assignment(node, frame)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._definition(node, frame)
        elif isinstance(node, ast.Return):
            value = self.value(node.value, frame) if node.value is not None else EMPTY
            frame.returns.append(self._controlled(value, frame))
            frame.escapes |= frame.control
            return True
        elif isinstance(node, ast.If):
            return self._branches(node, frame)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            self._loop(node, frame)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                value = self.value(item.context_expr, frame)
                if item.optional_vars is not None:
                    self.assign(item.optional_vars, value, frame)
            return self.block(node.body, frame)
        elif isinstance(node, (ast.Try, ast.TryStar)):
            ended = self.block(node.body, frame)
            for handler in node.handlers:
                self.block(handler.body, frame)
            ended = (ended if ended else self.block(node.orelse, frame)) and bool(node.handlers) is False
            return self.block(node.finalbody, frame) or ended
        elif isinstance(node, ast.Match):
            self._match(node, frame)
        else:
            return self._rest(node, frame)
        return False

    def _rest(self, node: ast.stmt, frame: Frame) -> bool:
        if isinstance(node, (ast.Break, ast.Continue)):
            frame.escapes |= frame.control
            return True
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            frame.shared.update(node.names)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._imported(node, frame)
        elif isinstance(node, ast.Assert):
            self.value(node.test, frame)
        return False

    def _imported(self, node: ast.Import | ast.ImportFrom, frame: Frame) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            if alias.name == "*":
                place = self.repository.locate(frame.module.imports["*"].removesuffix(".*"), frame.module.path)
                if place is not None:
                    frame.names.update({k: v for k, v in self.load(place[0]).items() if not k.startswith("__")})
                continue
            dotted = frame.module.imports.get(name, name)
            frame.names[name] = self.dotted(dotted, frame.module.path)
            if isinstance(node, ast.Import) and "." in alias.name and not alias.asname:
                self.dotted(alias.name, frame.module.path)

    def dotted(self, name: str, importer: str) -> Value:
        """What a dotted name of an import stands for."""
        place = self.repository.locate(name, importer)
        if place is None:
            return Value(refs=(Thing("name", name),), text=name)
        environment = self.load(place[0])
        value = Value(refs=(Thing("module", place[0]),), text=name)
        for field_name in place[1].split(".") if place[1] else []:
            value = environment.get(field_name, Value(text=name)) if value.refs and value.refs[0].kind == "module" else (
                members.attribute(self, value, field_name, None)
            )  # fmt: skip
        return value

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, frame: Frame) -> None:
        qualified = f"{frame.scope}.{node.name}" if frame.scope else node.name
        if isinstance(node, ast.ClassDef):
            thing = Thing("class", qualified, code=(frame.module, node), closure=(frame.names, *frame.outer))
            inner = Frame(frame.module, qualified, thing.fields, (frame.names, *frame.outer), chain=frame.chain)
            for statement in node.body:
                self.statement(statement, inner)
            value = Value(refs=(thing,), text=node.name)
        else:
            thing = Thing("function", qualified, code=(frame.module, qualified, node), closure=(frame.names, *frame.outer))
            if frame.scope in frame.module.classes and frame.names is not self.modules.get(frame.module.path):
                thing.closure = frame.outer
            value = Value(refs=(thing,), text=node.name)
        for decorator in reversed(node.decorator_list):
            given = self.value(decorator, frame)
            if any(ref.kind == "function" for ref in given.refs):
                value = join([value, library.call(self, given, [value], {}, ast.Call(decorator, [], []), frame)])
            elif any(ref.kind == "name" and ref.name == "property" for ref in given.refs) and value.refs:
                value.refs[0].count = -1
            elif "staticmethod" in given.text and value.refs:
                value.refs[0].count = -2
        frame.names[node.name] = value

    def _branches(self, node: ast.If, frame: Frame) -> bool:
        condition = self.value(node.test, frame)
        before, control = dict(frame.names), frame.control
        frame.control = control | self.choice(condition, frame, node)
        ended = self.block(node.body, frame)
        taken = frame.names
        states = [] if ended else [dict(taken)]
        self._restore(frame, before)
        other = self.block(node.orelse, frame)
        if not other:
            states.append(dict(frame.names))
        frame.control = control
        self._restore(frame, merged(states) if states else before)
        return not states

    @staticmethod
    def _restore(frame: Frame, names: Environment) -> None:
        """Replace the names in place: closures and modules hold the same dictionary."""
        frame.names.clear()
        frame.names.update(names)

    def choice(self, condition: Value, frame: Frame, node: ast.AST) -> frozenset[Influence]:
        """What a condition, index or key puts into the values that it chooses between."""
        if not condition.rows and not condition.deps:
            return frozenset()
        line = position(node)
        return condition.deps | {Influence("choose", atom, frame.module.path, line) for atom in condition.rows}

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, frame: Frame) -> None:
        start, control, escapes = len(self.touched), frame.control, frame.escapes
        frame.escapes = frozenset()
        before = dict(frame.names)
        for _ in range(2):
            entered = dict(frame.names)
            if isinstance(node, ast.While):
                frame.control = control | self.choice(self.value(node.test, frame), frame, node)
            else:
                self.assign(node.target, element(self.iterated(self.value(node.iter, frame), node, frame)), frame)
            self.block(node.body, frame)
            frame.control = control
            self._restore(frame, merged([entered, dict(frame.names)]))
        if frame.escapes:
            for name, value in list(frame.names.items()):
                if before.get(name) is not value:
                    frame.names[name] = value.but(deps=value.deps | frame.escapes)
            for thing in self.touched[start:]:
                thing.deps |= frame.escapes
        frame.escapes = escapes
        self.block(node.orelse, frame)

    def iterated(self, value: Value, node: ast.AST, frame: Frame) -> Value:
        """The value that a loop runs over: objects of the repository by their own `__iter__` or `__getitem__`."""
        found = [value.but(refs=tuple(ref for ref in value.refs if ref.kind != "instance"))]
        for thing in value.refs:
            if thing.kind != "instance":
                continue
            for method in ("__iter__", "__getitem__"):
                bound = members.member(self, thing, method)
                if bound is not None:
                    index = [Value(text="index")] if method == "__getitem__" else []
                    given = library.call(self, bound, index, {}, node, frame)
                    found.append(given if method == "__iter__" else Value(refs=(Thing("list", element=given),)))
                    break
            else:
                found.append(Value(refs=(thing,)))
        return join(found) if len(found) > 1 else value

    def _match(self, node: ast.Match, frame: Frame) -> None:
        subject = self.value(node.subject, frame)
        before, control, states = dict(frame.names), frame.control, []
        for case in node.cases:
            self._restore(frame, before)
            frame.control = control | self.choice(subject, frame, node)
            for pattern in ast.walk(case.pattern):
                if isinstance(pattern, (ast.MatchAs, ast.MatchStar)) and pattern.name:
                    frame.names[pattern.name] = subject
            if not self.block(case.body, frame):
                states.append(dict(frame.names))
        frame.control = control
        self._restore(frame, merged([before, *states]))

    # ── assignments ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _controlled(self, value: Value, frame: Frame) -> Value:
        return value.but(deps=value.deps | frame.control) if frame.control else value

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, frame: Frame) -> None:
        if isinstance(node, ast.AugAssign):
            old, new = self.value(node.target, frame), self.value(node.value, frame)
            plain = flatten(new)
            if isinstance(node.op, (ast.Sub, ast.Mult, ast.Div, ast.MatMult)):
                self.updated(old, plain, node, frame)
            text = short(f"{type(node.op).__name__}({old.text},{new.text})")
            self.assign(node.target, join([derived([old, new], text), Value(refs=old.refs)]).but(text=text), frame)
        elif node.value is not None:
            value = self.value(node.value, frame)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            step = node.value
            if isinstance(step, ast.BinOp) and isinstance(step.op, ast.Sub) and ast.dump(step.left) == ast.dump(
                _loaded(targets[0])
            ):  # fmt: skip
                self.updated(self.value(step.left, frame), flatten(value), node, frame)
            for target in targets:
                self.assign(target, value, frame)

    def updated(self, old: Value, new: Value, node: ast.AST, frame: Frame) -> None:
        """A state moves by what is computed from data: learning written by hand."""
        held = flatten(old)
        rows = frozenset(
            atom for atom in new.rows
            if atom not in held.rows and not any(relation(atom, other) in ("inside", "holds") for other in held.rows)
        )  # fmt: skip
        if rows:
            self.event("update", Value(rows=rows, deps=new.deps), node, frame)

    def assign(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Put a value where a target says."""
        value = self._controlled(value, frame)
        if isinstance(target, ast.Name):
            places = (frame.names, *frame.outer)
            place = next((p for p in places[1:] if target.id in p), places[-1]) if target.id in frame.shared else frame.names
            place[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value, frame)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, frame)
        elif isinstance(target, ast.Attribute):
            holder = self.value(target.value, frame)
            for thing in holder.refs:
                self.put(thing, target.attr, value)
            if not holder.refs:
                self._widen(target.value, value, frame)
        elif isinstance(target, ast.Subscript):
            self._item(target, value, frame)

    def _unpack(self, targets: Sequence[ast.expr], value: Value, frame: Frame) -> None:
        star = next((index for index, item in enumerate(targets) if isinstance(item, ast.Starred)), None)
        for index, item in enumerate(targets):
            place = index if star is None or index < star else None
            self.assign(item, members.item(value, place, self), frame)

    def put(self, thing: Thing, name: str, value: Value) -> None:
        """Set an attribute or item of an object; what was there may still be."""
        old = thing.fields.get(name)
        known = old is None or (old.refs == () and old.rows <= value.rows and old.deps <= value.deps)
        thing.fields[name] = value if known else join([old, value])  # type: ignore[list-item]
        self.touched.append(thing)

    def _item(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        holder, key = self.value(target.value, frame), self.value(target.slice, frame)
        chosen = value.but(deps=value.deps | self.choice(key, frame, target))
        for thing in holder.refs:
            if thing.kind == "dict" and isinstance(key.const, (str, int)):
                self.put(thing, f"[{key.const}", chosen)
            elif thing.kind in ("list", "tuple", "dict", "loader"):
                thing.element = join([thing.element or EMPTY, chosen])
                self.touched.append(thing)
            else:
                self.put(thing, "[]", chosen)
        if not holder.refs:
            self._widen(target.value, chosen, frame)

    def _widen(self, holder: ast.expr, value: Value, frame: Frame) -> None:
        """Something is written into an array: it now also holds these rows."""
        old, plain = self.value(holder, frame), flatten(value)
        wide = Value(old.rows | plain.rows, old.deps | plain.deps, old.refs, old.through | plain.through, NONE, old.text)
        while isinstance(holder, ast.Subscript):
            holder = holder.value
        if isinstance(holder, (ast.Name, ast.Attribute)):
            self.assign(holder, wide, frame)


def merged(states: Sequence[Environment]) -> Environment:
    """The names after branches that may each have been taken."""
    if len(states) == 1:
        return states[0]
    names = dict.fromkeys(name for state in states for name in state)
    result: Environment = {}
    for name in names:
        values = [state[name] for state in states if name in state]
        result[name] = values[0] if all(value is values[0] for value in values) else join(values)
    return result


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body
