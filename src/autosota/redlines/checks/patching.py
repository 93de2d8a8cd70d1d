"""S3: code that replaces parts of other modules while it runs, or looks into frames and the heap."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Literal

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File
from autosota.syntax import Module

_CLOCKS = {"time", "datetime", "timeit"}
_CORE = {"builtins", "sys", "json", "importlib", "random", "csv", "statistics", "math", "atexit", "io", "pathlib", "os"}
_SETTINGS = ("options", "backends", "rcParams", "config", "flags", "conf", "settings", "cudnn", "rcparams")
_LOOKING = {
    "inspect.stack", "inspect.currentframe", "inspect.trace", "inspect.getouterframes", "sys._getframe", "sys._current_frames",
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys.settrace", "sys.setprofile", "threading.settrace",
}  # fmt: skip
_RUNNING = {
    "exec",
    "eval",
    "compile",
    "__import__",
    "importlib.import_module",
    "importlib.reload",
    "types.FunctionType",
    "types.CodeType",
}
_FIX = "call your own function where you need it instead of replacing somebody else's"


def foreign(difference: Difference) -> Iterator[Violation]:
    """Replacements of, and looks into, what does not belong to the change."""
    stakes = _stakes(difference)
    for file in difference.files:
        if file.new is None:
            continue
        for node in ast.walk(file.new.tree):
            if not isinstance(node, (ast.stmt, ast.Call)) or getattr(node, "lineno", None) not in file.added:
                continue
            if isinstance(
                node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.While, ast.With, ast.Try)
            ):
                continue
            for target, word in _targets(node, file.new):
                if file.new.marks[id(node)] not in difference.old_marks:
                    yield _violation(file, node, target, word, stakes, difference)


def _targets(node: ast.AST, module: Module) -> Iterator[tuple[str, str]]:
    """What a statement or call reaches into: dotted name and a word for how."""
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for part in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                name = _foreign(part, module)
                if name and not (isinstance(node.value, ast.Constant) and _is_setting(name)):
                    yield name, "replaces"
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            if name := _foreign(target, module):
                yield name, "deletes"
    elif isinstance(node, ast.Call):
        callee = module.callee(node)
        if callee in ("setattr", "delattr", "object.__setattr__", "type.__setattr__") and node.args:
            name = _foreign_root(node.args[0], module)
            if name:
                attribute = str(node.args[1].value) if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else "?"
                yield f"{name}.{attribute}", "replaces"
        elif callee.endswith((".__dict__.update", "globals().update")) or callee in ("vars().update",):
            yield callee.removesuffix(".update"), "replaces"
        elif callee.startswith(("unittest.mock.patch", "mock.patch", "pytest.MonkeyPatch")):
            aim = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else callee
            yield str(aim), "replaces"
        elif callee in _LOOKING:
            yield callee, "looks through"
        elif callee in _RUNNING and not (callee.startswith("importlib") and _literal(node)):
            yield callee, "runs text as code with"
        elif callee == "atexit.register":
            yield callee, "acts after the end with"


def _literal(call: ast.Call) -> bool:
    """Is everything that a call is given written down?"""
    return bool(call.args) and all(isinstance(item, ast.Constant) for item in call.args)


def _foreign(target: ast.expr, module: Module) -> str:
    """Dotted name of an assigned attribute or item that belongs to an imported module, or ""."""
    if isinstance(target, ast.Attribute):
        if target.attr in ("__code__", "__defaults__", "__kwdefaults__", "__globals__"):
            return f"{syntax.dotted(target.value) or '?'}.{target.attr}"
        root = _foreign_root(target.value, module)
        return f"{root}.{target.attr}" if root and not _is_setting(f"{root}.{target.attr}") else ""
    if isinstance(target, ast.Subscript):
        name = module.resolve(syntax.dotted(target.value))
        if name in ("sys.modules", "globals()") or name.endswith(".__dict__") or name.startswith(("vars()", "__builtins__")):
            return name
    return ""


def _foreign_root(node: ast.expr, module: Module) -> str:
    """The imported module or name an expression stands for, or "": local objects, `self` and arguments are one's own."""
    name = syntax.dotted(node)
    head = name.split(".")[0].rstrip("()[]")
    if head in ("__builtins__",) or name.startswith("sys.modules[]"):
        return name
    if head in module.imports and "(" not in name and "[" not in name:
        return module.resolve(name)
    if isinstance(node, ast.Call) and module.callee(node) in ("importlib.import_module", "__import__") and node.args:
        return str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else "?"
    return ""


def _is_setting(name: str) -> bool:
    return any(part in _SETTINGS for part in name.split("."))


def _stakes(difference: Difference) -> set[str]:
    """Top-level modules that protected code imports, and the protected modules themselves."""
    zones = difference.case.environment.zones
    names: set[str] = set()
    for path in (*zones.protected, *zones.symbols):
        module = difference.before(path)
        if module is not None:
            names.update(value.split(".")[0] for value in module.imports.values())
            names.add(path.removesuffix(".py").replace("/", "."))
    return names


def _violation(file: File, node: ast.AST, target: str, word: str, stakes: set[str], difference: Difference) -> Violation:
    head = target.split(".")[0]
    action: Literal["reject", "review"] = "review"
    if word in ("replaces", "deletes"):
        protected = {path.removesuffix(".py").replace("/", ".") for path in difference.case.environment.zones.protected}
        own = _own_module(target, difference)
        serious = (
            head in _CLOCKS | _CORE or ".metrics" in target or any(target == p or target.startswith(p + ".") for p in protected)
        )
        if serious or (head in stakes and not own) or "__code__" in target or "__builtins__" in target or target == "globals()":
            action = "reject"
        if target in ("sys.stdout", "sys.stderr", "sys.argv", "sys.path", "os.environ", "globals()"):
            action = "review"
    return Violation(
        red_line="R2", rule="monkeypatch" if action == "reject" or word == "replaces" else "introspection", action=action,
        evidence=f"{word} {target}", file=file.path, line=getattr(node, "lineno", None), fix=_FIX,
    )  # fmt: skip


def _own_module(target: str, difference: Difference) -> bool:
    """Does the dotted name lie in a free module of the repository?"""
    parts = target.split(".")
    zones = difference.case.environment.zones
    for length in range(len(parts), 0, -1):
        stem = "/".join(parts[:length])
        for path in (f"{stem}.py", f"{stem}/__init__.py", f"src/{stem}.py", f"src/{stem}/__init__.py"):
            if path in difference.case.tree:
                return not zones.is_protected(path)
    return False
