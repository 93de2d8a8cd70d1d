"""Which files a candidate may change (validity.md 3.2): found from content and flow, not from names.

Backwards from what the evaluation prints or writes: code that computes the metric, and code that loads, makes or splits the data
behind it, is protected. Model, loss, training and the settings they use stay free. A file that does both is free except for
symbols:

- `function`, `Class.method`, `Class`: that definition, defaults included;
- `NAME`: a module constant; `--option`: the default of a command-line option; `a.b`: a key of a configuration file;
- `function.callee`, or `callee` at module level: every call of `callee` there, with its arguments.

`protected` and `free` also take `path::symbol`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from autosota import syntax
from autosota.records import Commands, MetricSpec, Zones
from autosota.syntax import DATA, Module
from autosota.zones import calls, configs
from autosota.zones.commands import Entries, entries
from autosota.zones.flow import Flow
from autosota.zones.globs import matches
from autosota.zones.scopes import Repository, Scope, learns, model_class

__all__ = ["analyse", "find", "matches"]

_WEIGHTS = {".pt", ".pth", ".ckpt", ".safetensors", ".joblib", ".onnx", ".weights"}
_PACKING = {".pkl", ".pickle", ".npz", ".npy", ".h5", ".hdf5", ".bin"}
_PROSE = {".md", ".rst", ".pdf", ".svg", ".html", ".tex", ".bib"}


def find(
    tree: Mapping[str, bytes],
    commands: Commands,
    *,
    read: frozenset[str] | None,
    protected: Sequence[str],
    free: Sequence[str],
    task_file: str | None = None,
    metrics: Sequence[MetricSpec] = (),
) -> Zones:
    """The zones of a repository.

    `read`: files that a traced evaluation opened, None without a trace. `protected` wins over everything; with `free`, every
    other file is protected. `metrics`, where known, tell which printed numbers matter. Pure: looks at the tree only.
    """
    flow, started = analyse(tree, commands, read=read, metrics=metrics)
    modules = flow.modules
    whole, symbols, notes = _python(flow, modules, started, commands, tree)
    produced = {*commands.outputs, *filter(None, (commands.metrics, commands.items))}
    whole.update(dict.fromkeys(started.wrappers, "runs the evaluation"))
    if task_file is not None and task_file in tree:
        whole[task_file] = "the task file"
    reached = _reached(tree, read, modules, started)
    used = _used(flow)
    for path in tree:
        suffix = PurePosixPath(path).suffix.lower()
        if path in produced:
            whole.pop(path, None)
        elif path in commands.labels:
            whole[path] = "labels"
        elif suffix in configs.SUFFIXES and not configs.is_data(path, tree[path]):
            if path in reached or path in started.arguments:
                keys = configs.protected_keys(syntax.settings(path, tree[path]), used)
                if keys:
                    symbols[path] = tuple(keys)
        elif _is_data(path, suffix, read):
            whole[path] = "data"
    return _corrected(tree, whole, symbols, reached, protected, free, notes)


def analyse(
    tree: Mapping[str, bytes], commands: Commands, *, read: Iterable[str] | None = None, metrics: Sequence[MetricSpec] = ()
) -> tuple[Flow, Entries]:
    """The flow from data to reported numbers in one state of a repository, and what the commands start."""
    lines = [line for line in (commands.evaluate, commands.predict, commands.score) if line]
    started = entries(lines, tree)
    repository = Repository(tree, started.roots)
    modules = repository.closure(
        [*started.scripts, *sorted(path for path in read or () if path in tree and path.endswith(".py"))]
    )
    scored = entries([commands.score], tree).scripts if commands.score else started.scripts
    return Flow(repository, modules, scored, [spec.name for spec in metrics]), started


# ── code ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _python(
    flow: Flow, modules: Sequence[Module], started: Entries, commands: Commands, tree: Mapping[str, bytes]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]], list[str]]:
    """Protected files with the reason, symbols of mixed files, and notes."""
    whole: dict[str, str] = {}
    symbols: dict[str, tuple[str, ...]] = {}
    scored = set(entries([commands.score], tree).scripts) if commands.score else set()
    predicting = set(entries([commands.predict], tree).scripts) - scored if commands.predict else set()
    for module in modules:
        scopes = list(flow.repository.scopes(module))
        roles = [scope for scope in scopes if scope.key in flow.metric or scope.key in flow.data]
        if module.path in scored:
            whole[module.path] = "the scorer"
        elif (
            not roles and module.path in started.scripts and module.path not in predicting and not _has_free(flow, module, scopes)
        ):
            whole[module.path] = "starts the evaluation"
        elif not roles:
            continue
        elif module.path not in predicting and not _has_free(flow, module, scopes):
            words = ["computes the metric"] if any(s.key in flow.metric for s in roles) else []
            words += ["loads or splits data"] if any(s.key in flow.data for s in roles) else []
            whole[module.path] = " and ".join(words)
        else:
            symbols[module.path] = tuple(dict.fromkeys(_symbols(flow, module, roles)))
    notes = (
        [] if flow.metric else ["no code was found that computes a reported metric; name the evaluation's files in `protected`"]
    )
    return whole, symbols, notes


def _has_free(flow: Flow, module: Module, scopes: Iterable[Scope]) -> bool:
    """Does the file hold anything a candidate may improve?"""
    if any(model_class(node) for node in module.classes.values()):
        return True
    if any(flow.algorithm(scope) for scope in scopes):
        return True
    return any(learns(scope) and scope.key not in flow.metric and scope.key not in flow.data for scope in scopes)


def _symbols(flow: Flow, module: Module, roles: Sequence[Scope]) -> Iterable[str]:
    """What must stay in a file that is otherwise free."""
    for scope in roles:
        if scope.name and not flow.algorithm(scope) and not flow.trains(scope):
            yield scope.name
            continue
        for call in flow.pieces.get(scope.key, {}).values():
            callee = syntax.dotted(call.func).rsplit(".", 1)[-1]
            yield f"{scope.name}.{callee}" if scope.name else callee
    used = _used(flow)
    for name in module.constants:
        if name in used or configs.named_for_protocol(name):
            yield name
    for name in syntax.options(module):
        if configs.named_for_protocol(name) or name.lstrip("-").replace("-", "_") in used:
            yield name


def _used(flow: Flow) -> set[str]:
    """Names, attributes and keys that protected calls are given: `args.horizon`, `config["window"]`, `FRACTION`."""
    found: set[str] = set()
    for (path, _), pieces in flow.pieces.items():
        module = flow.repository.module(path)
        for call in pieces.values():
            name = module.callee(call) if module else ""
            if calls.is_metric(name):
                continue
            deep = calls.is_load(call, name) or calls.is_split(name)
            for item in (*call.args, *(keyword.value for keyword in call.keywords)):
                if deep or not any(isinstance(part, ast.Call) for part in ast.walk(item)):
                    found.update(_words(item))
    return found


def _words(node: ast.expr) -> Iterable[str]:
    """Settings an argument names; plain local variables say nothing."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            if part.value.id in (
                "args",
                "opt",
                "options",
                "config",
                "cfg",
                "conf",
                "settings",
                "params",
                "hparams",
                "flags",
                "FLAGS",
            ):
                yield part.attr
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant) and isinstance(part.slice.value, str):
            yield part.slice.value
        elif isinstance(part, ast.Name) and part.id.isupper():
            yield part.id


# ── everything else ───────────────────────────────────────────────────────────────────────────────────────────────────


def _reached(tree: Mapping[str, bytes], read: frozenset[str] | None, modules: Sequence[Module], started: Entries) -> set[str]:
    reached = {module.path for module in modules} | set(started.wrappers) | set(started.arguments)
    if read is not None:
        return reached | {path for path in read if path in tree}
    text = "\n".join(ast.unparse(module.tree) for module in modules[:200])
    return reached | {
        path for path in tree if PurePosixPath(path).suffix.lower() in configs.SUFFIXES and PurePosixPath(path).name in text
    }


def _is_data(path: str, suffix: str, read: frozenset[str] | None) -> bool:
    """Data, by how the file is kept. Formats that also hold other things count only where a trace, if any, saw them."""
    name = PurePosixPath(path).name.lower()
    if suffix in _WEIGHTS or suffix in _PROSE or name.startswith(("requirements", "readme", "license", "constraints")):
        return False
    if suffix == ".txt" or suffix in (".png", ".jpg", ".jpeg", ".gif"):
        return read is None or path in read or _neighbor(path, read)
    if suffix in _PACKING and any(word in name for word in ("model", "weight", "checkpoint", "ckpt", "best")):
        return False
    return suffix in DATA or suffix == ".json"


def _neighbor(path: str, read: frozenset[str]) -> bool:
    """In a folder of which the evaluation read files of this kind through native code the trace does not see."""
    folder = str(PurePosixPath(path).parent)
    return folder != "." and any(str(PurePosixPath(other).parent) == folder for other in read if not other.endswith(".py"))


def _corrected(
    tree: Mapping[str, bytes],
    whole: dict[str, str],
    symbols: dict[str, tuple[str, ...]],
    reached: set[str],
    protected: Sequence[str],
    free: Sequence[str],
    notes: list[str],
) -> Zones:
    """Apply the user's globs: `protected` wins over `free`, which wins over the analysis."""
    wide = [pattern for pattern in free if "::" not in pattern]
    for path in tree:
        if wide:
            if any(matches(path, pattern) for pattern in wide):
                whole.pop(path, None)
            else:
                whole.setdefault(path, "not in `free`")
        if any(matches(path, pattern) for pattern in protected if "::" not in pattern):
            whole[path] = "named in `protected`"
    for patterns, add in ((free, False), (protected, True)):
        for pattern in patterns:
            path, mark, symbol = pattern.partition("::")
            if mark and path in tree:
                known = [name for name in symbols.get(path, ()) if name != symbol]
                symbols[path] = tuple([*known, symbol] if add else known)
    notes.extend(f"{path}: {reason}" for path, reason in sorted(whole.items()) if reason not in ("data", "not in `free`"))
    return Zones(
        protected=tuple(sorted(whole)),
        symbols={path: names for path, names in sorted(symbols.items()) if names and path not in whole},
        reached=tuple(sorted(reached)),
        notes=tuple(notes),
    )
