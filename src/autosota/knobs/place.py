"""A place in a source file that holds a value: what the readers give and the writer needs."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from autosota.records import Scalar

Kind = Literal["argparse", "click", "dataclass", "constant", "keyword", "default", "yaml", "toml", "json", "ini"]
PYTHON = frozenset({"argparse", "click", "dataclass", "constant", "keyword", "default"})
MAX_BYTES = 1_000_000
"""Larger files are data, not configuration or hand-written code."""


@dataclass(frozen=True)
class Place:
    """One value in one file. Offsets count bytes of the file's UTF-8 form."""

    file: str
    kind: Kind
    key: str
    """Qualified place, unique in the file for its kind: "--lr", "Model.__init__.dropout", "optimizer.lr"."""
    name: str
    """Last part of the key, as people say it."""
    owner: str
    """Callee, class, function or section."""
    line: int
    value: Scalar
    start: int = -1
    end: int = -1
    """The value's span; equal where a value is to be inserted; -1 where the writer finds the place by its key."""
    before: str = ""
    """Text that goes in front of an inserted value: ", default="."""
    plain: bool = True
    """The text is a literal. Otherwise the value is only read, never rewritten."""
    structured: bool = False
    """The value is the text of a tuple or list of integers and is written as it stands."""
    choices: tuple[Scalar, ...] = ()
    """Stated alternatives."""
    declared: str = ""
    """Declared type as text: "float", "int", "bool", "Optional[float]"."""
    callee: str = ""
    """For keywords: dotted name of the callee with imports resolved, e.g. "sklearn.svm.SVC"."""
    scope: tuple[str, ...] = ()
    """Enclosing classes and functions, outermost first."""
    position: int | None = None
    """For defaults and dataclass fields: index among the positional parameters, `self` left out."""
    implicit: bool = False
    """The callee's own default: the code does not state it yet."""

    @property
    def id(self) -> str:
        """The knob's id."""
        return f"{self.file}::{self.kind}:{self.key}"


def number_duplicates(places: list[Place]) -> list[Place]:
    """The second place of the same kind and key becomes "key#2", the third "key#3"."""
    seen: Counter[tuple[str, str]] = Counter()
    result = []
    for place in places:
        seen[place.kind, place.key] += 1
        count = seen[place.kind, place.key]
        result.append(place if count == 1 else replace(place, key=f"{place.key}#{count}"))
    return result


def literal(node: ast.expr | None, depth: int = 0) -> Scalar:
    """The value of a literal or of simple arithmetic on literals, e.g. `1e-3`, `-1`, `2 ** 10`. Raises ValueError."""
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, (bool, int, float, str))):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        number = _number(node.operand, depth)
        return -number if isinstance(node.op, ast.USub) else number
    if isinstance(node, ast.BinOp) and depth < 4:
        return _arithmetic(node.op, _number(node.left, depth), _number(node.right, depth))
    raise ValueError("not a literal")


def _number(node: ast.expr, depth: int) -> int | float:
    value = literal(node, depth + 1)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a number")
    return value


def _arithmetic(operator: ast.operator, left: int | float, right: int | float) -> int | float:
    if max(abs(left), abs(right)) > 1e12 or (isinstance(operator, ast.Pow) and abs(right) > 64):
        raise ValueError("too large")
    try:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.FloorDiv():
                return left // right
            case ast.Pow():
                power = left**right
                if isinstance(power, (int, float)):
                    return power
    except (ArithmeticError, TypeError):
        pass
    raise ValueError("not simple arithmetic")


_NUMBER = re.compile(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def scalar(text: str) -> Scalar:
    """The value that unquoted configuration text stands for: a number, true/false, none, or the text itself."""
    if _NUMBER.fullmatch(text) and len(text) <= 40:
        number = text.replace("_", "")
        if re.fullmatch(r"[-+]?\d+", number):
            return int(number)
        return float(number) if math.isfinite(float(number)) else text
    return {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}.get(text.lower(), text)


def float_text(value: float) -> str:
    """The same short text for the same value: six significant digits, always recognizable as a float."""
    return repr(float(f"{value:.6g}"))
