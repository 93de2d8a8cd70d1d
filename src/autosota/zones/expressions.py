"""Small questions about single expressions."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota.zones import configs
from autosota.zones.scopes import Scope


def number(value: ast.expr, scope: Scope) -> bool:
    """A number written down: as an argument, in a local name, or in a module constant that is not the protocol's."""
    if isinstance(value, ast.Name):
        if configs.named_for_protocol(value.id):
            return False
        local = [item for item, _ in scope.assigned.get(value.id, ())]
        outer = scope.module.constants.get(value.id)
        return any(number(item, scope) for item in (local or ([outer] if outer else [])) if isinstance(item, ast.Constant))
    return isinstance(value, ast.Constant) and isinstance(value.value, (int, float)) and not isinstance(value.value, bool)


def combines(node: ast.expr) -> bool:
    """Two things compared or subtracted, elementwise: where predictions and truth meet in a metric written by hand."""
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq, ast.LtE, ast.GtE, ast.Lt, ast.Gt)):
        return compound(node.left) and compound(node.comparators[0])
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and compound(node.left) and compound(node.right)


def compound(node: ast.expr) -> bool:
    """Can it hold an array: a name, a part of one, or a call?"""
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call))


def sides(node: ast.expr) -> tuple[ast.expr, ...]:
    """Both operands of what `combines`."""
    if isinstance(node, ast.Compare):
        return node.left, node.comparators[0]
    assert isinstance(node, ast.BinOp)
    return node.left, node.right


def children(node: ast.expr) -> Iterator[ast.expr]:
    """Expressions directly inside, keywords and loops of comprehensions looked through."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, (ast.comprehension,)):
            yield child.iter
        elif isinstance(child, (ast.keyword, ast.FormattedValue)):
            yield child.value


def meets(node: ast.AST) -> bool:
    """`combines` for any node."""
    return isinstance(node, ast.expr) and combines(node)
