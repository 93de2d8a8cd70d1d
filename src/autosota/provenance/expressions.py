"""What single expressions give on abstract values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autosota.provenance import library, members
from autosota.provenance.values import (
    EMPTY,
    NONE,
    Thing,
    Value,
    constant,
    container,
    derived,
    element,
    join,
    mapped,
    part,
    short,
)

if TYPE_CHECKING:
    from autosota.provenance.calling import Frame
    from autosota.provenance.interpreter import Interpreter

_FOLDED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip


def _constant(run: Interpreter, node: ast.Constant, frame: Frame) -> Value:
    return constant(node.value)


def _name(run: Interpreter, node: ast.Name, frame: Frame) -> Value:
    return run.lookup(node.id, frame)


def _attribute(run: Interpreter, node: ast.Attribute, frame: Frame) -> Value:
    return members.attribute(run, run.value(node.value, frame), node.attr, frame)


def _subscript(run: Interpreter, node: ast.Subscript, frame: Frame) -> Value:
    return members.subscript(run, run.value(node.value, frame), node.slice, frame, node)


def _call(run: Interpreter, node: ast.Call, frame: Frame) -> Value:
    called = run.value(node.func, frame)
    args: list[Value] = []
    for item in node.args:
        if isinstance(item, ast.Starred):
            given = run.value(item.value, frame)
            known = [thing for thing in given.refs if thing.kind in ("tuple", "list") and thing.fields]
            args += list(known[0].fields.values()) if known else [element(given)]
        else:
            args.append(run.value(item, frame))
    keywords: dict[str, Value] = {}
    for keyword in node.keywords:
        value = run.value(keyword.value, frame)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        inside = {k[1:]: v for thing in value.refs if thing.kind == "dict" for k, v in thing.fields.items()}
        keywords.update(inside or {"**": value})
    return library.call(run, called, args, keywords, node, frame)


def _operation(run: Interpreter, node: ast.BinOp, frame: Frame) -> Value:
    left, right = run.value(node.left, frame), run.value(node.right, frame)
    simple = (str, int, float, bytes)
    if isinstance(left.const, simple) and isinstance(right.const, simple):
        if isinstance(node.op, ast.Div) and isinstance(left.const, str) and isinstance(right.const, str):
            return constant(f"{left.const!s}/{right.const!s}")
        if type(node.op) in _FOLDED and not (
            isinstance(node.op, ast.Mult) and max(len(str(left.const)), len(str(right.const))) > 6
        ):
            try:
                return constant(_FOLDED[type(node.op)](left.const, right.const))
            except (TypeError, ValueError, ArithmeticError):
                pass
    text = f"{type(node.op).__name__}({left.text},{right.text})"
    lists = tuple(ref for value in (left, right) for ref in value.refs if ref.kind in ("list", "tuple", "loader"))
    if isinstance(node.op, ast.Add) and lists:
        both = join([element(left), element(right)])
        return Value(refs=(Thing("list", element=both),), text=short(text))
    return derived([left, right], text)


def _sides(run: Interpreter, node: ast.Compare, frame: Frame) -> Value:
    values = [run.value(item, frame) for item in (node.left, *node.comparators)]
    return derived(values, f"{type(node.ops[0]).__name__}({values[0].text},{values[1].text})")


def _all(run: Interpreter, node: ast.BoolOp, frame: Frame) -> Value:
    values = [run.value(item, frame) for item in node.values]
    return join(values).but(const=NONE, text=short(f"{type(node.op).__name__}({','.join(v.text for v in values)})"))


def _unary(run: Interpreter, node: ast.UnaryOp, frame: Frame) -> Value:
    value = run.value(node.operand, frame)
    if isinstance(node.op, ast.USub) and isinstance(value.const, (int, float)):
        return constant(-value.const)
    return derived([value], f"{type(node.op).__name__}({value.text})")


def _either(run: Interpreter, node: ast.IfExp, frame: Frame) -> Value:
    condition = run.value(node.test, frame)
    chosen = join([run.value(node.body, frame), run.value(node.orelse, frame)])
    return chosen.but(deps=chosen.deps | run.choice(condition, frame, node))


def _sequence(run: Interpreter, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Value:
    items = [run.value(item.value if isinstance(item, ast.Starred) else item, frame) for item in node.elts]
    if any(isinstance(item, ast.Starred) for item in node.elts):
        items = [element(v) if isinstance(n, ast.Starred) else v for v, n in zip(items, node.elts, strict=True)]
        return Value(refs=(Thing("list", element=join(items)),), text="list")
    found = container("tuple" if isinstance(node, ast.Tuple) else "list", items, f"({','.join(v.text for v in items)})")
    known = items and len(items) < 50 and all(isinstance(item.const, (str, int, float)) for item in items)
    return found.but(const=tuple(item.const for item in items)) if known else found


def _mapping(run: Interpreter, node: ast.Dict, frame: Frame) -> Value:
    thing = Thing("dict")
    for key, item in zip(node.keys, node.values, strict=True):
        value = run.value(item, frame)
        if key is None:
            for other in value.refs:
                thing.fields.update(other.fields if other.kind == "dict" else {})
            continue
        known = run.value(key, frame)
        if isinstance(known.const, (str, int)):
            thing.fields[f"[{known.const}"] = value
        else:
            thing.element = join([thing.element or EMPTY, value.but(deps=value.deps | run.choice(known, frame, node))])
    return Value(refs=(thing,), text="dict")


def _comprehension(
    run: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, frame: Frame
) -> Value:  # fmt: skip
    outer, names = frame.outer, frame.names
    frame.outer, frame.names = (names, *outer), {}
    several: list[Value] | None = None
    conditions: list[Value] = []
    for loop in node.generators:
        over = run.iterated(run.value(loop.iter, frame), node, frame)
        literal = [thing for thing in over.refs if thing.kind in ("tuple", "list") and 0 < len(thing.fields) <= 8]
        alone = len(node.generators) == 1 and len(over.refs) == 1 and literal and not loop.ifs
        several = list(literal[0].fields.values()) if alone else None
        run.assign(loop.target, element(over), frame)
        conditions += [run.value(test, frame) for test in loop.ifs]
    result: Value
    if isinstance(node, ast.DictComp):
        run.value(node.key, frame)
        made = run.value(node.value, frame)
        result = Value(refs=(Thing("dict", element=made),), text="dict")
    elif several is not None:
        items = []
        for item in several:
            run.assign(node.generators[0].target, item, frame)
            items.append(run.value(node.elt, frame))
        result = container("list", items, "list")
    else:
        made = run.value(node.elt, frame)
        texts = ",".join(value.text for value in conditions)
        if any(value.rows for value in conditions):
            made = mapped(made, lambda atom: part(atom, "rows", texts), f"{made.text}|{texts}")
        for condition in conditions:
            made = made.but(deps=made.deps | run.choice(condition, frame, node))
        result = Value(refs=(Thing("list", element=made),), text=short(f"list({made.text})"))
    frame.names, frame.outer = names, outer
    return result


def _text(run: Interpreter, node: ast.JoinedStr, frame: Frame) -> Value:
    values = [run.value(item.value if isinstance(item, ast.FormattedValue) else item, frame) for item in node.values]
    if all(isinstance(value.const, (str, int)) for value in values):
        return constant("".join(str(value.const) for value in values))
    return derived(values, f"text({','.join(value.text for value in values)})")


def _function(run: Interpreter, node: ast.Lambda, frame: Frame) -> Value:
    thing = Thing("function", "lambda", code=(frame.module, frame.scope, node), closure=(frame.names, *frame.outer))
    return Value(refs=(thing,), text="lambda")


def _assigned(run: Interpreter, node: ast.NamedExpr, frame: Frame) -> Value:
    value = run.value(node.value, frame)
    run.assign(node.target, value, frame)
    return value


def _waited(run: Interpreter, node: ast.Await, frame: Frame) -> Value:
    return run.value(node.value, frame)


def _yielded(run: Interpreter, node: ast.Yield | ast.YieldFrom, frame: Frame) -> Value:
    value = run.value(node.value, frame) if node.value is not None else EMPTY
    frame.yields.append(element(value) if isinstance(node, ast.YieldFrom) else value)
    return EMPTY


EXPRESSIONS: dict[type[ast.expr], Callable[[Any, Any, Any], Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.Subscript: _subscript, ast.Call: _call,
    ast.BinOp: _operation, ast.Compare: _sides, ast.BoolOp: _all, ast.UnaryOp: _unary, ast.IfExp: _either,
    ast.List: _sequence, ast.Tuple: _sequence, ast.Set: _sequence, ast.Dict: _mapping, ast.ListComp: _comprehension,
    ast.SetComp: _comprehension, ast.GeneratorExp: _comprehension, ast.DictComp: _comprehension, ast.JoinedStr: _text,
    ast.Lambda: _function, ast.NamedExpr: _assigned, ast.Await: _waited, ast.Yield: _yielded, ast.YieldFrom: _yielded,
}  # fmt: skip
