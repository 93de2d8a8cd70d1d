"""Library functions that make or hand on data: random draws, files, splits, containers."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from autosota import syntax
from autosota.provenance import library, members
from autosota.provenance.values import (
    EMPTY,
    MOVES,
    NONE,
    Atom,
    Thing,
    Value,
    constant,
    container,
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

_COUNTS = {"len", "range", "isinstance", "type", "hasattr", "id", "callable", "issubclass"}
_DRAWS = calls.RANDOM | {
    "random_sample",
    "randperm",
    "rand_like",
    "randn_like",
    "standard_t",
    "poisson",
    "chisquare",
    "triangular",
}
_GENERATORS = ("numpy.random.default_rng", "numpy.random.RandomState", "random.Random", "torch.Generator", "jax.random.PRNGKey",
               "numpy.random.Generator")  # fmt: skip


def random(
    run: Interpreter, thing: Thing, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value | None:  # fmt: skip
    """Random generators, seeds and draws."""
    last = name.rsplit(".", 1)[-1]
    if name in _GENERATORS:
        text = f"rng({','.join(v.text for v in (*args, *keywords.values()))})"
        return Value(refs=(Thing("generator", short(text)),), text=short(text))
    if last in ("seed", "manual_seed") and name.split(".")[0] in ("numpy", "random", "torch"):
        run.common = Thing("generator", "global")
        return EMPTY
    if last in _DRAWS and name.startswith(("numpy.random.", "random.", "torch.")):
        return draw(run, run.common, last, args, keywords, node, frame)
    return None


def draw(
    run: Interpreter, generator: Thing, method: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value:  # fmt: skip
    """Random numbers, or a random choice among rows."""
    data = [flatten(value) for value in (*args, *keywords.values())]
    if method in ("choice", "sample", "permutation", "permuted") and data and data[0].rows:
        if method.startswith("perm"):
            return args[0]
        return mapped(args[0], lambda atom: part(atom, "rows", f"{method}({generator.name})"), f"{method}({args[0].text})")
    if method == "shuffle":
        return EMPTY
    mark = (id(generator), id(node), frame.chain)
    if mark not in run.draws:
        words = ",".join(value.text for value in (*args, *keywords.values()))
        run.draws[mark] = Atom(short(f"{generator.name}.{method}({words})@{generator.count}"))
        generator.count += 1
    atom = run.draws[mark]
    return Value(rows=frozenset({atom}), text=atom.text.translate(MOVES))


def plumbing(
    run: Interpreter, thing: Thing, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value | None:  # fmt: skip
    """Builtins and helpers that hand values on."""
    last = name.rsplit(".", 1)[-1]
    if name in _COUNTS:
        return Value(text=short(f"{name}({','.join(v.text for v in args)})"))
    if name in ("locals", "globals", "vars") and not args:
        places = (frame.names,) if name != "globals" else (frame.outer or (frame.names,))[-1:]
        return Value(refs=(Thing("dict", fields={f"[{key}": value for place in places for key, value in place.items()}),))
    if not args:
        if name in ("dict", "collections.defaultdict", "collections.OrderedDict", "types.SimpleNamespace", "argparse.Namespace"):
            return Value(refs=(Thing("dict", fields={f"[{k}": v for k, v in keywords.items()}),), text="dict")
        return Value(refs=(Thing("list"),), text="list") if name in ("list", "tuple", "set") else None
    first = args[0]
    if name in ("list", "tuple", "reversed", "iter", "set", "tqdm.tqdm", "tqdm.auto.tqdm", "copy.copy", "copy.deepcopy",
                "numpy.asarray", "numpy.array", "numpy.copy", "torch.as_tensor", "torch.tensor", "torch.from_numpy") and not (
        name.startswith("numpy") and first.refs
    ):  # fmt: skip
        return first.but(const=NONE)
    if name == "next":
        return element(first)
    if name in ("zip", "itertools.product"):
        return Value(refs=(Thing("list", element=container("tuple", [element(v) for v in args])),), text="zip")
    if name == "enumerate":
        return Value(refs=(Thing("list", element=container("tuple", [Value(text="index"), element(first)])),), text="enumerate")
    if name in ("itertools.chain", "torch.utils.data.ConcatDataset"):
        return Value(refs=(Thing("list", element=join([element(v) for v in args])),), text="chain")
    if name in ("pathlib.Path", "str", "os.path.abspath", "os.fspath", "os.path.realpath") and isinstance(
        first.const, (str, int)
    ):
        return constant(str(first.const))
    if name == "os.path.join" and all(isinstance(v.const, str) for v in args):
        return constant("/".join(v.const for v in args))
    if name == "getattr" and len(args) > 1 and isinstance(args[1].const, str):
        return members.attribute(run, first, args[1].const, frame)
    if name == "setattr" and len(args) == 3 and isinstance(args[1].const, str):
        for ref in first.refs:
            run.put(ref, args[1].const, args[2])
        return EMPTY
    if name == "vars":
        return first
    if name == "collections.namedtuple" and len(args) > 1:
        names = args[1].const.replace(",", " ").split() if isinstance(args[1].const, str) else list(args[1].const or ()) \
            if isinstance(args[1].const, tuple) else []  # fmt: skip
        body: list[ast.stmt] = [ast.AnnAssign(ast.Name(str(field)), ast.Name("object"), None, 1) for field in names]
        record = ast.ClassDef(str(first.const), [], [], body, [])
        return Value(refs=(Thing("class", "record", code=(frame.module, record)),), text="record")
    if name == "functools.partial":
        made = [Thing(ref.kind, ref.name, ref.fields, code=ref.code, closure=ref.closure, bound=ref.bound,
                      given=(tuple(args[1:]), dict(keywords))) for ref in first.refs]  # fmt: skip
        return Value(refs=tuple(made), text="partial")
    if name in ("map", "filter") and len(args) > 1:
        made_value = library.call(run, first, [element(v) for v in args[1:]], {}, node, frame)
        return Value(refs=(Thing("list", element=element(args[1]) if name == "filter" else made_value),), text=name)
    if last == "import_module" and isinstance(first.const, str):
        return run.dotted(first.const, frame.module.path)
    return None


def reading(
    run: Interpreter, thing: Thing, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value | None:  # fmt: skip
    """Files and data sets: settings are read for real, data become atoms."""
    last = name.rsplit(".", 1)[-1]
    named = [value for key, value in keywords.items() if key in ("file", "fname", "path", "filepath_or_buffer", "io")]
    path = next((v.const for v in (*args[:2], *named) if isinstance(v.const, str) and len(v.const) > 1), None)
    if last in ("save", "savez", "savez_compressed", "dump") and name.split(".")[0] in (
        "numpy",
        "torch",
        "joblib",
        "pickle",
        "json",
    ):
        where = next((v.text for v in args if v.text.startswith("open(")), f"open({path})")
        run.files[where] = join([run.files.get(where, EMPTY), *[v for v in (*args, *keywords.values()) if v.const is NONE]])
        return None
    if name in ("open", "io.open", "gzip.open", "bz2.open"):
        text = f"open({path if path is not None else ','.join(v.text for v in args)})"
        return run.files.get(text, Value(rows=frozenset({source(path, text)}))).but(text=text)
    if last in ("load", "loads", "safe_load", "full_load", "load_state_dict") and args:
        config = args[0].text.removeprefix("open(").removesuffix(")").removeprefix("./").removeprefix("./")
        if config in run.tree and PurePosixPath(config).suffix.lower() in (".json", ".yaml", ".yml", ".toml"):
            return _python(_settings(config, run.tree[config]), config, 0)
        if args[0].text in run.files or f"open({path})" in run.files:
            return run.files.get(args[0].text) or run.files[f"open({path})"]
        if not calls.is_load(node, name):
            return args[0] if args[0].rows else None
    if not calls.is_load(node, name):
        return None
    if f"open({path})" in run.files:
        return run.files[f"open({path})"]
    words = ",".join([*(v.text for v in args), *(f"{k}={v.text}" for k, v in keywords.items())])
    opened = frozenset().union(*(flatten(v).rows for v in args)) if args else frozenset()
    rows = opened or frozenset({source(path, f"{name}({words})")})
    value = Value(rows=rows, deps=frozenset().union(*(v.deps for v in args)), text=short(f"{name}({words})"))
    if keywords.get("return_X_y", EMPTY).const is True:
        return container("tuple", [
            mapped(value, lambda a: part(a, "columns", "data"), f"{value.text}.data"),
            mapped(value, lambda a: part(a, "columns", "target"), f"{value.text}.target"),
        ])  # fmt: skip
    return value


def source(path: str | None, text: str) -> Atom:
    """The atom of a file, or of a call that makes data."""
    return Atom(short(f"file:{PurePosixPath(path)}" if path is not None else text))


def _settings(path: str, data: bytes) -> object:
    nested: dict[str, object] = {}
    for key, value in syntax.settings(path, data).items():
        place = nested
        *front, end = key.split(".")
        for name in front:
            inner = place.setdefault(name, {})
            place = inner if isinstance(inner, dict) else {}
        place[end] = value
    return nested


def _python(value: object, text: str, depth: int) -> Value:
    if isinstance(value, dict) and depth < 8:
        fields = {f"[{key}": _python(inner, f"{text}.{key}", depth + 1) for key, inner in list(value.items())[:300]}
        return Value(refs=(Thing("dict", fields=fields),), text=text)
    if isinstance(value, list) and depth < 8:
        return container("list", [_python(inner, text, depth + 1) for inner in value[:50]], text)
    return constant(value)


def splitting(
    run: Interpreter, thing: Thing, name: str, args: list[Value], keywords: dict[str, Value], node: ast.Call, frame: Frame
) -> Value | None:  # fmt: skip
    """Library functions that split rows."""
    last = name.rsplit(".", 1)[-1]
    if not calls.is_split(name):
        return None
    options = ",".join(sorted(f"{key}={value.text}" for key, value in keywords.items()))
    if last.endswith("train_test_split"):
        parts = [
            mapped(value, lambda atom, word=f"{last}({options})#{side}": part(atom, "rows", word), f"{last}({value.text})#{side}")  # type: ignore[misc]
            for value in args
            for side in (0, 1)
        ]
        return container("tuple", parts)
    if last in ("random_split", "array_split", "split") and args:
        words = ",".join(value.text for value in args[1:])
        return container("list", [
            mapped(args[0], lambda atom, word=f"{last}({words},{options})#{n}": part(atom, "rows", word), f"{last}#{n}")  # type: ignore[misc]
            for n in range(4)
        ])  # fmt: skip
    words = ",".join(value.text for value in args)
    return Value(refs=(Thing("library", f"fold({last},{words},{options})"),), text=name)
