"""Elementwise Python loops as one array expression, where speed is the metric."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_FUNCTIONS = {"sqrt", "exp", "log", "sin", "cos", "tanh", "abs", "fabs", "log1p", "expm1"}


class VectorizeLoop(PythonLever):
    """`for i in range(n): out[i] = expression of x[i], y[i]` over arrays that numpy made in the same function."""

    name = "vectorize_loop"
    title = "Replace an elementwise loop by array arithmetic"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.9
    metrics = r"time|second|speed|throughput|latency|runtime|fps|ops|(^|_)ms$|cpu|wall"
    rationale = (
        "The same element by element arithmetic in compiled code gives the same numbers without the interpreter's cost per "
        "element "
        "(Harris et al. 2020, Array programming with NumPy)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        for node in source.walk():
            if not (isinstance(node, ast.For) and isinstance(node.target, ast.Name) and len(node.body) == 1 and not node.orelse):
                continue
            statement, index = node.body[0], node.target.id
            if not (isinstance(node.iter, ast.Call) and source.name(node.iter.func) == "range" and len(node.iter.args) == 1):
                continue
            if not (
                isinstance(statement, ast.Assign)
                and len(statement.targets) == 1
                and isinstance(statement.targets[0], ast.Subscript)
            ):
                continue
            output = statement.targets[0]
            arrays = self._arrays(source, source.function(node), node)
            if not self._item(output, index) or source.segment(output.value) not in arrays:
                continue
            stop = source.segment(node.iter.args[0])
            text = self._expression(source, statement.value, index, stop, arrays, source.segment(output.value))
            if text is None:
                continue
            edits = Edits(source)
            edits.replace(node, f"{source.segment(output.value)}[:{stop}] = {text}")
            yield Place(node.lineno, f"{source.segment(output.value)} in {source.scope(node) or 'module'}", edits)

    def _item(self, node: ast.Subscript, index: str) -> bool:
        return isinstance(node.slice, ast.Name) and node.slice.id == index and isinstance(node.value, ast.Name)

    def _arrays(self, source: Source, function: ast.AST, loop: ast.For) -> frozenset[str]:
        """Names assigned from numpy makers of one-dimensional arrays before the loop."""
        makers = {
            "numpy.zeros",
            "numpy.empty",
            "numpy.ones",
            "numpy.linspace",
            "numpy.arange",
            "numpy.zeros_like",
            "numpy.empty_like",
            "numpy.asarray",
        }
        found: set[str] = set()
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Assign)
                and node.lineno < loop.lineno
                and len(node.targets) == 1
                and isinstance(node.targets[0], ast.Name)
            ):
                value = node.value
                if (
                    isinstance(value, ast.Call)
                    and source.name(value.func) in makers
                    and not any(isinstance(each, ast.Tuple) for each in value.args)
                ):
                    found.add(node.targets[0].id)
                else:
                    found.discard(node.targets[0].id)
        return frozenset(found)

    def _expression(
        self, source: Source, node: ast.expr, index: str, stop: str, arrays: frozenset[str], output: str
    ) -> str | None:
        """The expression over whole arrays; None where a part of it is not elementwise arithmetic."""
        if isinstance(node, ast.Subscript):
            name = source.segment(node.value)
            return f"{name}[:{stop}]" if self._item(node, index) and name in arrays and name != output else None
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return source.segment(node)
        if isinstance(node, ast.Name):
            return node.id if node.id != index and node.id not in arrays else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self._expression(source, node.operand, index, stop, arrays, output)
            return None if inner is None else f"-({inner})"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            left = self._expression(source, node.left, index, stop, arrays, output)
            right = self._expression(source, node.right, index, stop, arrays, output)
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
            return None if left is None or right is None else f"({left} {sign} {right})"
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            name = source.name(node.func)
            inner = self._expression(source, node.args[0], index, stop, arrays, output)
            if name.startswith("numpy.") and name.rsplit(".", 1)[-1] in _FUNCTIONS and inner is not None:
                return f"{source.segment(node.func)}({inner})"
        return None


LEVER = VectorizeLoop()
