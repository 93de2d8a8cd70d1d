"""New code of a patch, syntax node by syntax node: what all small rules walk over."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from autosota import syntax
from autosota.redlines.difference import Difference, File
from autosota.syntax import Module


@dataclass(frozen=True)
class Fresh:
    """A node that the baseline's state of the file does not have, with the function it stands in."""

    file: File
    module: Module
    scope: str
    """Qualified name of the function; "" at module level."""
    node: ast.AST

    @property
    def line(self) -> int | None:
        return getattr(self.node, "lineno", None)


def nodes(difference: Difference, *kinds: type[ast.AST]) -> Iterator[Fresh]:
    """New nodes of the given kinds in changed Python files outside the protected zone; moved code is not new."""
    return (found for found in _everything(difference) if isinstance(found.node, kinds))


def _everything(difference: Difference) -> list[Fresh]:
    """All new nodes, found once a patch."""
    if "fresh" not in difference.notes:
        difference.notes["fresh"] = [
            Fresh(file, file.new, scope, node)
            for file in difference.files
            if file.new is not None and not difference.case.environment.zones.is_protected(file.path) and file.added
            for scope, body in syntax.scopes(file.new)
            for node in _own(body)
            if getattr(node, "lineno", None) in file.added
            and file.new.marks.get(id(node), 0) not in difference.old_marks
            and id(node) in file.new.marks
        ]
    return cast("list[Fresh]", difference.notes["fresh"])


def _own(body: ast.AST) -> Iterator[ast.AST]:
    """A scope's nodes, with decorators and defaults of the functions defined in it, and class bodies."""
    for child in getattr(body, "body", []):
        yield from _below(child)
    yield from getattr(body, "decorator_list", [])


def _below(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _below(child)
