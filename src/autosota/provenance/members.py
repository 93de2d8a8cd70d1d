"""Attributes and items of abstract values."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from autosota.provenance import library
from autosota.provenance.values import (
    EMPTY,
    MOVES,
    NONE,
    Thing,
    Value,
    bound_text,
    constant,
    element,
    join,
    mapped,
    part,
)

if TYPE_CHECKING:
    from autosota.provenance.calling import Frame
    from autosota.provenance.interpreter import Interpreter

_SHAPE = {"shape", "size", "ndim", "dtype", "columns", "nbytes", "device"}
_SAME = {"values", "T", "iloc", "loc", "at", "iat", "real", "flat", "numpy", "data_ptr", "array", "mT", "str", "dt"}


def attribute(run: Interpreter, value: Value, name: str, frame: Frame | None) -> Value:
    """`value.name`."""
    if isinstance(value.const, str) and not value.refs:
        path = PurePosixPath(value.const)
        if name in ("parent", "name", "stem", "suffix"):
            return constant(str(getattr(path, name)))
        return Value(refs=(Thing("name", f"str.{name}", bound=value),), text=f"{value.text}.{name}")
    found: list[Value] = []
    for thing in value.refs:
        inside = _of(run, thing, name, value)
        if inside is not None:
            found.append(inside)
    if found:
        return join(found)
    if name in _SHAPE:
        return Value(text=f"{value.text}.{name}")
    if name in _SAME:
        return value.but(const=NONE)
    plain = Value(value.rows, value.deps, (), value.through)
    projected = mapped(plain, lambda atom: part(atom, "columns", name), f"{value.text}.{name}")
    return projected.but(refs=(Thing("name", f"?.{name}", bound=value),))


def _of(run: Interpreter, thing: Thing, name: str, value: Value) -> Value | None:
    if thing.kind == "module":
        place = run.load(thing.name).get(name)
        return place if place is not None else run.dotted(f"{value.text}.{name}", thing.name)
    if thing.kind == "name":
        return Value(refs=(Thing("name", f"{thing.name}.{name}", bound=thing.bound),), text=f"{thing.name}.{name}")
    if name in thing.fields and thing.kind in ("instance", "class", "tuple", "library", "function"):
        field = thing.fields[name]
        if thing.kind == "class":
            return field
        return field.but(deps=field.deps | thing.deps) if thing.deps else field
    if name == "__dict__":
        return Value(refs=(thing,), text=f"{value.text}.__dict__")
    if thing.kind in ("instance", "class"):
        found = member(run, thing, name)
        if found is not None and found.refs and found.refs[0].count == -1:
            return library.call(run, found, [], {}, ast.Call(ast.Name(name), [], []), None)
        if found is not None:
            return found
    if thing.kind == "dict" and f"[{name}" in thing.fields and name not in ("get", "items", "values", "keys", "update", "pop"):
        return thing.fields[f"[{name}"]
    return Value(refs=(Thing("name", f"?.{name}", bound=value.but(refs=(thing,), const=NONE)),), text=f"{value.text}.{name}")


def member(run: Interpreter, thing: Thing, name: str, depth: int = 0) -> Value | None:
    """A method of a class of the repository, bound to the object, through base classes."""
    if thing.code is None or depth > 6:
        return None
    module, node = thing.code
    owner = thing if thing.kind == "class" else next(
        (ref for ref in run.load(module.path).get(node.name, EMPTY).refs if ref.kind == "class"), None
    )  # fmt: skip
    if owner is None and thing.fields.get("__class__") is not None:
        owner = thing.fields["__class__"].refs[0]
    if owner is not None and name in owner.fields:
        value = owner.fields[name]
        functions = [ref for ref in value.refs if ref.kind == "function"]
        if functions and thing.kind == "instance" and functions[0].count != -2:
            made = [
                Thing("function", ref.name, code=ref.code, closure=ref.closure, bound=Value(refs=(thing,)), count=ref.count)
                for ref in functions
            ]
            return Value(refs=tuple(made), text=name)
        return value
    from autosota.provenance.calling import Frame

    for base in node.bases:
        parent = run.value(base, Frame(module, "", run.load(module.path), ()))
        for ref in parent.refs:
            if ref.kind == "class" and ref is not owner:
                holder = Thing("instance", thing.name, thing.fields, code=ref.code) if thing.kind == "instance" else ref
                holder.fields = thing.fields if thing.kind == "instance" else ref.fields
                found = member(run, holder, name, depth + 1)
                if found is not None:
                    for item in found.refs:
                        item.bound = Value(refs=(thing,)) if thing.kind == "instance" and item.count != -2 else item.bound
                    return found
    return None


def item(value: Value, index: int | None, run: Interpreter) -> Value:
    """Item `index` of what is unpacked; any where the index is unknown."""
    if index is None:
        return element(value)
    found: list[Value] = []
    for thing in value.refs:
        if str(index) in thing.fields and thing.kind in ("tuple", "list"):
            found.append(thing.fields[str(index)])
        elif thing.kind in ("instance", "tuple", "list") and len(thing.fields) > index and thing.name != "":
            found.append(list(thing.fields.values())[index])
        elif thing.element is not None:
            found.append(thing.element)
    if value.rows or not found:
        plain = Value(value.rows, value.deps, (), value.through)
        found.append(mapped(plain, lambda atom: part(atom, "columns", f"item{index}"), f"{value.text}.{index}"))
    return join(found)


def subscript(run: Interpreter, value: Value, key: ast.expr, frame: Frame, node: ast.AST) -> Value:
    """`value[key]`."""
    if isinstance(key, ast.Slice):
        low = run.value(key.lower, frame).text if key.lower is not None else ""
        high = run.value(key.upper, frame).text if key.upper is not None else ""
        if not low and not high:
            return value
        words = f"[{bound_text(low)}:{bound_text(high)}]"
        return mapped(value, lambda atom: part(atom, "rows", words), f"{value.text.translate(MOVES)}{words}")
    if isinstance(key, ast.Tuple) and key.elts:
        rows = subscript(run, value, key.elts[0], frame, node)
        columns = "".join(ast.unparse(item) for item in key.elts[1:])
        whole = all(isinstance(item, ast.Slice) and item.lower is item.upper is None for item in key.elts[1:])
        return rows if whole else mapped(rows, lambda atom: part(atom, "columns", columns), f"{rows.text}|{columns}")
    chosen = run.value(key, frame)
    found: list[Value] = []
    for thing in value.refs:
        if thing.kind == "instance":
            bound = member(run, thing, "__getitem__")
            if bound is not None:
                found.append(library.call(run, bound, [chosen], {}, node, frame))
        elif chosen.const is not NONE and f"[{chosen.const}" in thing.fields:
            found.append(thing.fields[f"[{chosen.const}"])
        elif isinstance(chosen.const, int) and str(chosen.const % max(len(thing.fields), 1)) in thing.fields:
            found.append(thing.fields[str(chosen.const % len(thing.fields))])
        elif thing.kind in ("dict", "list", "tuple", "loader", "name"):
            inside = [thing.element] if thing.element is not None else []
            found.extend(inside or thing.fields.values())
        if thing.kind == "library":
            found.append(Value(rows=thing.rows, deps=thing.deps, text=value.text))
    if value.rows or not found:
        plain = Value(value.rows, value.deps, (), value.through)
        projected = isinstance(chosen.const, (str, tuple)) and not chosen.rows
        word = str(chosen.const) if projected else chosen.text
        found.append(
            mapped(plain, lambda a: part(a, "columns" if projected else "rows", word), f"{value.text}[{bound_text(word)}]")
        )
    result = join(found)
    return result.but(deps=result.deps | run.choice(chosen, frame, node))
