"""Methods of models, arrays, containers and parsers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from autosota.provenance import library, sources
from autosota.provenance.values import (
    EMPTY,
    Thing,
    Value,
    bound_text,
    constant,
    container,
    derived,
    element,
    flatten,
    join,
    mapped,
    part,
    short,
)
from autosota.zones import calls

if TYPE_CHECKING:
    from autosota.provenance.calling import Frame
    from autosota.provenance.interpreter import Interpreter

_SHAPE = {"shape", "size", "ndim", "dtype", "columns", "nbytes", "device"}
_LEARN = {"fit", "partial_fit", "fit_transform", "fit_predict", "fit_resample", "train_on_batch", "train_step", "fine_tune",
          "finetune", "fit_generator", "learn", "train"}  # fmt: skip
_ROWWISE = {"query", "sample", "head", "tail", "dropna", "drop_duplicates", "nlargest", "nsmallest", "filter", "select", "take",
            "skip", "shard", "get_group"}  # fmt: skip


def method(
    run: Interpreter, owner: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value:  # fmt: skip
    """A method of something that is no object of the repository."""
    inputs = [*args, *keywords.values()]
    things = [ref for ref in owner.refs if ref.kind not in ("module", "class", "function")]
    for thing in things:
        if thing.kind == "generator":
            return sources.draw(run, thing, name, args, keywords, node, frame)
        if thing.kind in ("list", "dict", "tuple"):
            found = _contained(run, thing, owner, name, args, keywords)
            if found is not None:
                return found
        if name == "split" and thing.name.startswith("fold("):
            return _folds(thing, args)
    if name == "add_argument":
        _declared(things, args, keywords)
        return EMPTY
    if name in ("parse_args", "parse_known_args") and things:
        options = Thing("instance", "options", fields=dict(things[0].fields))
        value = Value(refs=(options,), text="options")
        return value if name == "parse_args" else container("tuple", [value, EMPTY])
    if name == "backward":
        learned = flatten(owner)
        run.event("learn", learned, node, frame)
        for thing in owner.through:
            thing.deps |= library.learned(learned, frame, node)
            run.touched.append(thing)
        return EMPTY
    models = [ref for ref in things if ref.kind in ("library", "instance")]
    if name in _LEARN and models and (inputs or any(ref.fields for ref in models)):
        return _fitted(run, owner, models, name, inputs, node, frame)
    if calls.is_sink(node, f"x.{name}") and inputs and not owner.rows:
        run.event("report", derived(inputs, ""), node, frame)
    if name in _SHAPE or name in ("size", "dim", "numel", "nunique"):
        return Value(text=f"{owner.text}.{name}()")
    text = f"{owner.text}.{name}({','.join(v.text for v in inputs)})"
    if name in ("pop", "get") and args and isinstance(args[0].const, str) and owner.rows:
        return mapped(owner, lambda atom: part(atom, "columns", args[0].const), text)
    if name in _ROWWISE and owner.rows and not things:
        return mapped(owner, lambda atom: part(atom, "rows", f"{name}({','.join(v.text for v in inputs)})"), text)
    if name in ("argmax", "argmin", "idxmax", "idxmin", "max", "min", "argsort"):
        return derived([owner, *inputs], text)
    functions = [ref for value in inputs for ref in value.refs if ref.kind == "function"]
    results = [library.call(run, Value(refs=(ref,)), [element(owner)], {}, node, frame) for ref in functions[:3]]
    states = [Value(deps=ref.deps, rows=ref.rows) for ref in models]
    made = derived([Value(owner.rows, owner.deps, (), owner.through), *states, *inputs, *results], text)
    kept = (
        tuple(models) if not inputs or name in ("to", "cuda", "eval", "train", "set_params", "load_state_dict", "compile") else ()
    )
    if name in ("load_state_dict", "update", "add", "append", "set_weights"):
        for ref in models:
            ref.deps |= flatten(join(inputs)).deps
            ref.rows |= flatten(join(inputs)).rows
            run.touched.append(ref)
    return made.but(refs=kept, through=made.through | frozenset(models))


def _declared(parsers: list[Thing], args: list[Value], keywords: dict[str, Value]) -> None:
    """An option of a command line: its default stands for its value."""
    words = [value.const for value in args if isinstance(value.const, str)]
    long = next((word for word in words if word.startswith("--")), words[0] if words else "?")
    named = keywords["dest"].const if "dest" in keywords else long.lstrip("-").replace("-", "_")
    default = keywords.get("default", EMPTY)
    for parser in parsers:
        parser.fields[str(named)] = default if default.const is not None else EMPTY


def _fitted(
    run: Interpreter, owner: Value, models: list[Thing], name: str, inputs: list[Value], node: ast.Call, frame: Frame
) -> Value:  # fmt: skip
    given = inputs or [v for ref in models for k, v in ref.fields.items() if not k.startswith(("eval", "valid"))]
    learned = derived(given, "learned")
    run.event("learn", learned, node, frame)
    influences = library.learned(learned, frame, node) | frame.control
    reached = [*models, *(ref for value in inputs for ref in value.refs if ref.kind in ("instance", "library"))]
    for ref in reached:
        ref.deps |= influences
        run.touched.append(ref)
    if name in ("fit_transform", "fit_predict", "fit_resample") and inputs:
        first = flatten(inputs[0])
        return first.but(deps=first.deps | influences, text=short(f"{owner.text}.{name}({inputs[0].text})"))
    return owner


def _folds(thing: Thing, args: list[Value]) -> Value:
    base = args[0] if args else EMPTY
    sides = [Value(text=f"{thing.name}({bound_text(base.text)})#{side}") for side in (0, 1)]
    return Value(refs=(Thing("list", element=container("tuple", sides)),), text="folds")


def _contained(
    run: Interpreter, thing: Thing, owner: Value, name: str, args: list[Value], keywords: dict[str, Value]
) -> Value | None:  # fmt: skip
    if name in ("append", "add", "extend", "insert", "appendleft", "extendleft") and args:
        new = element(args[-1]) if name.startswith("extend") else args[-1]
        thing.element = join([thing.element or EMPTY, new])
        thing.fields = {} if thing.kind == "list" else thing.fields
        run.touched.append(thing)
        return EMPTY
    if name in ("update", "setdefault"):
        for value in args:
            for ref in value.refs:
                for key, inner in ref.fields.items():
                    run.put(thing, key, inner)
        for key, inner in keywords.items():
            run.put(thing, f"[{key}", inner)
        return None if name == "setdefault" else EMPTY
    if name == "items":
        pairs = [container("tuple", [constant(key[1:]), value]) for key, value in thing.fields.items()]
        return Value(refs=(Thing("list", fields={str(i): v for i, v in enumerate(pairs)}, element=join(pairs)),), text="items")
    if name == "values":
        inside = [*thing.fields.values(), *([thing.element] if thing.element is not None else [])]
        return container("list", inside, "values")
    if name in ("get", "pop") and args:
        known = thing.fields.get(f"[{args[0].const}")
        return known if known is not None else join([*([thing.element] if thing.element is not None else []), *args[1:]])
    return owner if name in ("copy", "keys") else None
