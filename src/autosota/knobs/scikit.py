"""scikit-learn's declared parameter constraints and defaults, read from its source by `ast`; the library is never imported."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from autosota.knobs.calls import dotted, stated
from autosota.records import Scalar

_NEVER = {"precomputed", "warn", "deprecated", "auto_deprecated", "passthrough", "drop"}
_MAX_SOURCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A declared range; None is no bound."""

    integer: bool
    low: float | None
    high: float | None
    closed_low: bool
    closed_high: bool

    def admits(self, value: float) -> bool:
        """Is the value inside?"""
        above = self.low is None or value > self.low or (self.closed_low and value == self.low)
        below = self.high is None or value < self.high or (self.closed_high and value == self.high)
        return above and below and (not self.integer or float(value).is_integer())


@dataclass(frozen=True)
class Allowed:
    """What one parameter may be."""

    intervals: tuple[Interval, ...] = ()
    options: tuple[str, ...] = ()
    boolean: bool = False
    none: bool = False

    def interval(self, value: float) -> Interval | None:
        """The interval the value lies in; one of the value's own type first."""
        fitting = [interval for interval in self.intervals if interval.admits(value)]
        fitting.sort(key=lambda interval: interval.integer is not isinstance(value, int))
        return fitting[0] if fitting else None

    def admits(self, value: float) -> bool:
        """Is the number in one of the intervals?"""
        return any(
            interval.admits(value)
            and (isinstance(value, int) or not interval.integer)
            and (not isinstance(value, int) or interval.integer or len(self.intervals) == 1)
            for interval in self.intervals
        )

    @property
    def integer_only(self) -> bool:
        """No interval takes a real number."""
        return all(interval.integer for interval in self.intervals)


@dataclass(frozen=True)
class Estimator:
    """A class: its parameters' constraints and defaults."""

    constraints: dict[str, Allowed] = field(default_factory=dict)
    defaults: dict[str, Scalar] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    """Positional parameters of its constructor."""


@lru_cache(maxsize=512)
def estimator(site_packages: Path, origin: str) -> Estimator | None:
    """The class that `origin` ("sklearn.svm.SVC") names; None where it is not found or declares nothing."""
    module, _, name = origin.rpartition(".")
    found = _locate(site_packages, module, name, 0)
    if found is None:
        return None
    file, node = found
    result = Estimator(_constraints(site_packages, file, node, 0), *_signature(site_packages, file, node, 0))
    return result if result.constraints else None


@lru_cache(maxsize=256)
def _tree(file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > _MAX_SOURCE:
            return None
        return ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _module_file(site_packages: Path, module: str) -> Path | None:
    if not re.fullmatch(r"sklearn(\.\w+)*", module):
        return None
    base = site_packages.joinpath(*module.split("."))
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)


def _locate(site_packages: Path, module: str, name: str, depth: int) -> tuple[Path, ast.ClassDef] | None:
    file = _module_file(site_packages, module)
    tree = _tree(file) if file else None
    if file is None or tree is None or depth > 6:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return file, node
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in statement.names):
            original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
            target = statement.module or ""
            if statement.level:
                parts = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
                target = ".".join([*parts[: len(parts) - statement.level + 1], *([target] if target else [])])
            return _locate(site_packages, target, original, depth + 1)
    return None


def _module_name(site_packages: Path, file: Path) -> str:
    parts = file.relative_to(site_packages).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _base(site_packages: Path, file: Path, name: str, depth: int) -> tuple[Path, ast.ClassDef] | None:
    return _locate(site_packages, _module_name(site_packages, file), name, depth)


def _constraints(site_packages: Path, file: Path, node: ast.ClassDef, depth: int) -> dict[str, Allowed]:
    """`_parameter_constraints` of a class with what it takes over from others and what it drops."""
    if depth > 6:
        return {}
    result: dict[str, Allowed] | None = None
    for statement in node.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if (
            isinstance(statement, (ast.Assign, ast.AnnAssign))
            and isinstance(target, ast.Name)
            and target.id == "_parameter_constraints"
        ):
            result = {}
            if isinstance(statement.value, ast.Dict):
                _merge(result, statement.value, site_packages, file, depth)
        elif result is not None:
            _adjust(result, statement, site_packages, file, depth)
    if result is None:
        result = {}
        for base in reversed(node.bases):
            found = _base(site_packages, file, dotted(base), depth + 1)
            if found:
                result.update(_constraints(site_packages, *found, depth + 1))
    return result


def _merge(result: dict[str, Allowed], node: ast.Dict, site_packages: Path, file: Path, depth: int) -> None:
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            found = _base(site_packages, file, dotted(value).removesuffix("._parameter_constraints"), depth + 1)
            if found:
                result.update(_constraints(site_packages, *found, depth + 1))
        elif isinstance(name := stated(key), str):
            result[name] = _allowed(value)


def _adjust(result: dict[str, Allowed], statement: ast.stmt, site_packages: Path, file: Path, depth: int) -> None:
    """`_parameter_constraints.pop("x")`, `.update({…})`, `["x"] = …`, and a loop of pops."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        name = stated(statement.targets[0].slice)
        if isinstance(name, str):
            result[name] = _allowed(statement.value)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = dotted(statement.value.func)
        argument = statement.value.args[0] if statement.value.args else None
        if called == "_parameter_constraints.pop":
            result.pop(str(stated(argument)), None)
        elif called == "_parameter_constraints.update" and isinstance(argument, ast.Dict):
            _merge(result, argument, site_packages, file, depth)
    elif isinstance(statement, ast.For) and isinstance(statement.iter, (ast.List, ast.Tuple)):
        for item in statement.iter.elts:
            result.pop(str(stated(item)), None)


def _allowed(node: ast.expr) -> Allowed:
    intervals: list[Interval] = []
    options: list[str] = []
    boolean = none = False
    for item in node.elts if isinstance(node, ast.List) else [node]:
        name = dotted(item.func).rpartition(".")[2] if isinstance(item, ast.Call) else ""
        if isinstance(item, ast.Call) and name == "Interval" and len(item.args) >= 3:
            intervals.append(_interval(item))
        elif isinstance(item, ast.Call) and name in ("StrOptions", "Options") and item.args:
            options += _options(item)
        elif isinstance(item, ast.Constant) and item.value == "boolean":
            boolean = True
        elif isinstance(item, ast.Constant) and item.value is None:
            none = True
    return Allowed(tuple(intervals), tuple(options), boolean, none)


def _interval(node: ast.Call) -> Interval:
    bounds = [stated(item) for item in node.args[1:3]]
    low, high = (float(bound) if isinstance(bound, (int, float)) else None for bound in bounds)
    closed = str(next((stated(item.value) for item in node.keywords if item.arg == "closed"), "both"))
    return Interval(
        dotted(node.args[0]).rpartition(".")[2] == "Integral", low, high, closed in ("left", "both"), closed in ("right", "both")
    )


def _options(node: ast.Call) -> list[str]:
    values = node.args[-1]
    deprecated = next((item.value for item in node.keywords if item.arg == "deprecated"), None)
    dropped = {stated(item) for item in deprecated.elts} if isinstance(deprecated, ast.Set) else set()
    texts = [stated(item) for item in values.elts] if isinstance(values, (ast.Set, ast.List, ast.Tuple)) else []
    return sorted(text for text in texts if isinstance(text, str) and text not in dropped and text not in _NEVER)


def _signature(site_packages: Path, file: Path, node: ast.ClassDef, depth: int) -> tuple[dict[str, Scalar], tuple[str, ...]]:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            arguments = statement.args
            positional = [*arguments.posonlyargs, *arguments.args]
            pairs = list(zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True))
            pairs += [(item, value) for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
            defaults = {
                item.arg: stated(value) for item, value in pairs if isinstance(value, (ast.Constant, ast.UnaryOp, ast.BinOp))
            }
            return defaults, tuple(item.arg for item in positional[1:])
    for base in node.bases if depth < 6 else []:
        found = _base(site_packages, file, dotted(base), depth + 1)
        if found:
            return _signature(site_packages, *found, depth + 1)
    return {}, ()
