"""Initial weights scaled to the number of inputs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.loops import has_activation
from autosota.levers.source import Edits, Source, keyword, number
from autosota.records import Level, Risk, Scope

_WEIGHT = re.compile(r"(^|[._\"'])(w|weights?|kernel)[_\d]*([a-z]{0,3})?\d*([\"'\]]|$)", re.IGNORECASE)


class WeightInit(PythonLever):
    """`randn(a, b) * 0.01` and `normal(0, 0.01, (a, b))` of hand-written networks: He for ReLU, Xavier for the rest."""

    name = "weight_init"
    title = "Scale initial weights to the layer's inputs"
    level: Level = "CODE"
    scope: Scope = "meso"
    risk: Risk = "low"
    priority = 0.83
    rationale = (
        "With one fixed small scale for every layer, signals and gradients shrink layer by layer; a variance of 2/inputs "
        "(ReLU) or 1/inputs keeps "
        "them alive (Glorot and Bengio 2010; He et al. 2015, Delving deep into rectifiers)."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        if not has_activation(source.text) or re.search(
            r"xavier|glorot|kaiming|he_init|he_normal|np\.sqrt\(\s*[126](\.0*)?\s*/", source.text
        ):
            return
        gain = "2.0" if re.search(r"relu|np\.maximum\(", source.text, re.IGNORECASE) else "1.0"
        groups: dict[str, list[tuple[ast.expr, ast.expr]]] = {}
        for node in source.walk():
            found = self._scale(source, node)
            if found:
                around = source.class_of(node)
                groups.setdefault(around.name if around else source.scope(node) or "module", []).append(found)
        for where, scales in groups.items():
            edits = Edits(source)
            numpy = edits.use("numpy")
            for scale, inputs in scales:
                edits.replace(scale, f"{numpy}.sqrt({gain} / {source.segment(inputs)})")
            yield Place(scales[0][0].lineno, where, edits)

    def _scale(self, source: Source, node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
        """(the fixed scale, the number of inputs) of a weight matrix drawn from a normal distribution."""
        if not isinstance(node, ast.expr) or not self._is_weight(source, node):
            return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for scale, draw in ((node.left, node.right), (node.right, node.left)):
                value = number(scale)
                if value is not None and 0 < value <= 1 and isinstance(draw, ast.Call):
                    inputs = _inputs(source, draw)
                    return None if inputs is None else (scale, inputs)
        if isinstance(node, ast.Call) and source.segment(node.func).rsplit(".", 1)[-1] == "normal":
            scale_at = keyword(node, "scale") or (node.args[1] if len(node.args) > 1 else None)
            value, size = number(scale_at), keyword(node, "size") or (node.args[2] if len(node.args) > 2 else None)
            if (
                scale_at is not None
                and value is not None
                and 0 < value <= 1
                and isinstance(size, ast.Tuple)
                and len(size.elts) == 2
            ):
                return scale_at, size.elts[0]
        return None

    def _is_weight(self, source: Source, node: ast.expr) -> bool:
        """Is it assigned to something called like weights, or a value of a dict or list of weights?"""
        parent = source.parents.get(node)
        if isinstance(parent, ast.Dict):
            keys = [key for key, value in zip(parent.keys, parent.values, strict=True) if value is node]
            return bool(keys and keys[0] is not None and _WEIGHT.search(source.segment(keys[0])))
        statement = source.statement(node)
        if isinstance(statement, ast.Assign):
            return any(_WEIGHT.search(source.segment(target)) for target in statement.targets)
        if (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and isinstance(statement.value.func, ast.Attribute)
        ):
            return statement.value.func.attr == "append" and bool(_WEIGHT.search(source.segment(statement.value.func.value)))
        return False


def _inputs(source: Source, draw: ast.Call) -> ast.expr | None:
    """The number of inputs of `randn(inputs, outputs)` or `standard_normal((inputs, outputs))`."""
    name = source.segment(draw.func).rsplit(".", 1)[-1]
    if name == "randn" and len(draw.args) == 2 and not any(isinstance(each, ast.Starred) for each in draw.args):
        return draw.args[0]
    size = keyword(draw, "size") or (draw.args[0] if len(draw.args) == 1 else None)
    if name in ("standard_normal", "normal") and isinstance(size, ast.Tuple) and len(size.elts) == 2:
        return size.elts[0]
    return None


LEVER = WeightInit()
