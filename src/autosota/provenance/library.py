"""Calls on abstract values: of the repository's functions and classes, and of what libraries are known to do."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from autosota import syntax
from autosota.provenance import members, methods, sources
from autosota.provenance.values import (
    EMPTY,
    NONE,
    Influence,
    Thing,
    Value,
    constant,
    container,
    derived,
    element,
    flatten,
    join,
    position,
    short,
)
from autosota.zones import calls

if TYPE_CHECKING:
    from autosota.provenance.calling import Frame
    from autosota.provenance.interpreter import Interpreter

_SOLVES = re.compile(
    r"(^|\.)(lstsq|polyfit|curve_fit|nnls|lsq_linear|cross_val_score|cross_val_predict|cross_validate|"
    r"lightgbm\.(train|cv)|xgboost\.(train|cv)|minimize|minimize_scalar|differential_evolution|least_squares|gp_minimize)$"
)
_PICKS = {"max", "min", "sorted", "numpy.argmax", "numpy.argmin", "numpy.argsort", "numpy.max", "numpy.min", "heapq.nlargest",
          "heapq.nsmallest"}  # fmt: skip
_LOADERS = ("DataLoader", "Subset", "ConcatDataset", "TensorDataset", "Dataset", "DMatrix", "Pool")


def call(
    run: Interpreter, called: Value, args: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, frame: Frame | None
) -> Value:  # fmt: skip
    """A call of whatever a value may be."""
    from autosota.provenance.calling import Frame

    if frame is None:
        frame = Frame(run.repository.closure(())[0] if False else syntax.Module("?", ast.Module([], [])), "", {}, ())
    found: list[Value] = []
    for thing in called.refs:
        extra, more = thing.given if thing.given else ((), {})
        if thing.kind == "function" and thing.given:
            plain = Thing("function", thing.name, code=thing.code, closure=thing.closure, bound=thing.bound)
            found.append(run.call_function(plain, [*extra, *args], {**more, **keywords}, node, frame))
        elif thing.kind == "function":
            found.append(run.call_function(thing, args, keywords, node, frame))
        elif thing.kind == "class":
            found.append(_instance(run, thing, args, keywords, node, frame))
        elif thing.kind == "instance":
            found.append(_called(run, thing, args, keywords, node, frame))
        elif thing.kind == "library":
            inputs = [*args, *keywords.values()]
            made = derived(inputs, f"{thing.name}()")
            found.append(made.but(deps=made.deps | thing.deps, through=made.through | {thing}))
        elif thing.kind == "name":
            found.append(_named(run, thing, [*extra, *args], {**more, **keywords}, node, frame))
    if not found:
        found.append(derived([called, *args, *keywords.values()], f"{called.text}()"))
    result = join(found)
    chosen = called.deps
    return result.but(deps=result.deps | chosen) if chosen else result


def _called(
    run: Interpreter, thing: Thing, args: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, frame: Frame
) -> Value:  # fmt: skip
    bound = members.member(run, thing, "__call__") or members.member(run, thing, "forward")
    if bound is None:
        made = derived([*args, *keywords.values()], f"{thing.name}()")
    else:
        made = call(run, bound, args, keywords, node, frame)
    return made.but(deps=made.deps | thing.deps, through=made.through | {thing})


def _instance(
    run: Interpreter, thing: Thing, args: Sequence[Value], keywords: Mapping[str, Value], node: ast.AST, frame: Frame
) -> Value:  # fmt: skip
    made = Thing("instance", thing.name, code=thing.code, fields={})
    made.fields["__class__"] = Value(refs=(thing,))
    value = Value(refs=(made,), text=thing.name)
    start = members.member(run, made, "__init__")
    if start is not None:
        call(run, start, args, keywords, node, frame)
        return value
    del made.fields["__class__"]
    for statement in thing.code[1].body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            made.fields[statement.target.id] = thing.fields.get(statement.target.id, EMPTY)
    for name, given in zip(list(made.fields), args, strict=False):
        made.fields[name] = given
    made.fields.update(keywords)
    return value


def _named(
    run: Interpreter, thing: Thing, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame
) -> Value:  # fmt: skip
    """A library function, a builtin, or a method of what `thing` is bound to."""
    name = thing.name
    last = name.rsplit(".", 1)[-1]
    inputs = [*args, *keywords.values()]
    call_node = node if isinstance(node, ast.Call) else ast.Call(ast.Name(last), [], [])
    if thing.bound is not None and not name.startswith("str."):
        return methods.method(run, thing.bound, last, args, keywords, call_node, frame)
    if thing.bound is not None:
        return _worded(thing.bound, last, inputs)
    for special in (sources.random, sources.plumbing, sources.reading, sources.splitting):
        found = special(run, thing, name, args, keywords, call_node, frame)
        if found is not None:
            return found
    if calls.is_metric(name):
        truth = _truth(call_node, name, args, keywords)
        others = derived([v for v in inputs if v is not truth], "predictions")
        known = run.metrics.get(id(call_node))
        plain = flatten(truth)
        run.metrics[id(call_node)] = (join([known[0], plain]), join([known[1], others])) if known else (plain, others)
    if calls.is_sink(call_node, name):
        run.event("report", derived(inputs, ""), call_node, frame)
    if name in _PICKS and inputs:
        return _picked(run, name, args, keywords, call_node, frame)
    functions = [ref for value in inputs for ref in value.refs if ref.kind == "function"]
    results = []
    if functions:
        rest = [element(v) if v.refs and not any(r.kind == "function" for r in v.refs) else v
                for v in inputs if not any(r.kind == "function" for r in v.refs)]  # fmt: skip
        for ref in functions[:4]:
            results.append(call(run, Value(refs=(ref,)), rest, {}, call_node, frame))
    if _SOLVES.search(name):
        data = derived([*inputs, *results], name)
        run.event("learn", data, call_node, frame)
        return Value(deps=learned(data, frame, call_node), refs=tuple(functions), text=short(name))
    made = derived([*inputs, *results], f"{name}({','.join(v.text for v in args)})", refs=tuple(functions))
    if last[:1].isupper() or last.startswith("make_"):
        if last in _LOADERS or last.endswith(("Dataset", "Loader")):
            held = element(args[0]) if args else EMPTY
            items = container("tuple", [element(v) for v in args]) if last == "TensorDataset" else held
            return Value(refs=(Thing("loader", last, element=items),), text=made.text)
        built = Thing("library", last, fields={**{str(i): v for i, v in enumerate(args)}, **keywords})
        return Value(refs=(built,), text=made.text, deps=made.deps)
    return made


def _worded(text: Value, method: str, inputs: Sequence[Value]) -> Value:
    """A method of a known text or path."""
    assert isinstance(text.const, str)
    if method in ("resolve", "absolute", "expanduser", "as_posix", "strip"):
        return text
    if method == "joinpath" and all(isinstance(value.const, str) for value in inputs):
        return constant("/".join([text.const, *(value.const for value in inputs)]))
    if method == "format" and all(isinstance(value.const, (str, int)) for value in inputs) and "{}" in text.const:
        for value in inputs:
            text = constant(text.const.replace("{}", str(value.const), 1))
        return text
    if method in ("open", "read_text", "read_bytes"):
        return Value(rows=frozenset({sources.source(text.const, "")}), text=f"open({PurePosixPath(text.const)})")
    return derived([text, *inputs], f"{text.text}.{method}()")


def learned(value: Value, frame: Frame, node: ast.AST) -> frozenset[Influence]:
    """The influences that learning from a value leaves."""
    line = position(node)
    return value.deps | {Influence("learn", atom, frame.module.path, line) for atom in value.rows}


def _truth(node: ast.Call, name: str, args: Sequence[Value], keywords: Mapping[str, Value]) -> Value:
    for key in ("y_true", "labels_true", "target", "y", "references", "truth"):
        if key in keywords:
            return keywords[key]
    marked = calls.truth(node, name)
    index = next((i for i, item in enumerate(node.args) if item is marked), 0)
    return args[index] if index < len(args) else EMPTY


def _picked(
    run: Interpreter, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value:  # fmt: skip
    items = element(args[0]) if len(args) == 1 else join(args)
    key = keywords.get("key")
    score = call(run, key, [items], {}, node, frame) if key is not None else flatten(items)
    return items.but(const=NONE, deps=items.deps | run.choice(flatten(score), frame, node), text=short(f"{name}({items.text})"))
