"""The last, smaller batch is trained on too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import loops
from autosota.levers.source import Edits, Source
from autosota.records import Level, Risk, Scope

_TRAINS = re.compile(r"\.step\(|partial_fit\(|train_step|\.backward\(|train_on_batch|_update\(|\.update\(|update_\w+\(")


class LastBatch(PythonLever):
    """`range(n // batch)` and `range(0, n - batch, batch)` in loops that train."""

    name = "last_batch"
    title = "Train on the last batch too"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.86
    rationale = (
        "Rounding the number of batches down leaves the last rows out of every epoch, the same ones unless the order changes; "
        "rounding it up uses all training data."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        training = {node for loop in loops(source, view) for node in ast.walk(loop.node)}
        for node in source.walk():
            if not (isinstance(node, ast.For) and isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Call)):
                continue
            if source.name(node.iter.func) != "range" or not (node in training or _TRAINS.search(source.segment(node))):
                continue
            if not self._slices(source, node) or re.search(
                r"test|eval|predict|valid", source.scope(node).rsplit(".", 1)[-1], re.IGNORECASE
            ):
                continue
            edits, arguments = Edits(source), node.iter.args
            if len(arguments) == 1 and isinstance(arguments[0], ast.BinOp) and isinstance(arguments[0].op, ast.FloorDiv):
                total, size = source.segment(arguments[0].left), source.segment(arguments[0].right)
                if not re.search(r"batch|^bs$|^b$", size, re.IGNORECASE):
                    continue
                edits.replace(arguments[0], f"-(-{_operand(total)} // {size})")
            elif len(arguments) == 3 and isinstance(arguments[1], ast.BinOp) and isinstance(arguments[1].op, ast.Sub):
                size = source.segment(arguments[2])
                if source.segment(arguments[1].right) != size or not re.search(r"batch|^bs$", size, re.IGNORECASE):
                    continue
                edits.replace(arguments[1], source.segment(arguments[1].left))
            else:
                continue
            yield Place(node.lineno, f"batches in {source.scope(node) or 'module'}", edits)

    def _slices(self, source: Source, loop: ast.For) -> bool:
        """Are rows taken as slices that begin at the loop variable or a multiple of it? A slice may end past the last row."""
        name = loop.target.id if isinstance(loop.target, ast.Name) else ""
        starts = (node.lower for node in source.walk(loop) if isinstance(node, ast.Slice) and node.lower is not None)
        return any(isinstance(each, ast.Name) and each.id == name for start in starts for each in ast.walk(start))


def _operand(text: str) -> str:
    return text if re.fullmatch(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])?", text) else f"({text})"


LEVER = LastBatch()
