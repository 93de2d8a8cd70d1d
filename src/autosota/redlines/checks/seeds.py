"""S16: seeds written into code. Advisory, since the host gives the seeds; a list of them is a choice among them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.checks import fresh
from autosota.redlines.difference import Difference, File

_SEED = re.compile(r"(^|_)(seeds?|random_state|random_seed|rng_seed|manual_seed)$", re.IGNORECASE)
_CALLEE = re.compile(
    r"(^|\.)(seed|manual_seed|manual_seed_all|default_rng|RandomState|Random|set_seed|seed_everything|PRNGKey|SeedSequence)$"
)
_FIX = "take the seed that the evaluation gives"


def literals(difference: Difference) -> Iterator[Violation]:
    """New literal seeds (note) and new lists of seeds (review)."""
    for found in fresh.nodes(difference, ast.Assign, ast.Call, ast.For):
        for value, name in _given(found.node, found.file):
            yield _violation(found.file, found.node, value, name)


def _given(node: ast.AST, file: File) -> Iterator[tuple[ast.expr, str]]:
    assert file.new is not None
    if isinstance(node, ast.Assign):
        for target in node.targets:
            name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
            if _SEED.search(name):
                yield node.value, name
    elif isinstance(node, ast.Call):
        if _CALLEE.search(file.new.callee(node)) and node.args:
            yield node.args[0], file.new.callee(node)
        for keyword in node.keywords:
            if keyword.arg and _SEED.search(keyword.arg):
                yield keyword.value, keyword.arg
    elif isinstance(node, ast.For):
        names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        if any(_SEED.search(name) for name in names):
            yield node.iter, "a loop over seeds"


def _violation(file: File, node: ast.AST, value: ast.expr, name: str) -> Violation:
    literal = isinstance(value, ast.Constant) and isinstance(value.value, int) and not isinstance(value.value, bool)
    several = isinstance(value, (ast.List, ast.Tuple, ast.Set)) or (
        isinstance(value, ast.Call) and syntax.dotted(value.func) == "range"
    )
    if not (literal or several):
        return Violation(
            red_line="R1",
            rule="seed-literal",
            action="note",
            evidence=f"{name} is set",
            file=file.path,
            line=getattr(node, "lineno", None),
        )
    return Violation(
        red_line="R1", rule="seed-list" if several else "seed-literal", action="review" if several else "note",
        evidence=f"{name}: {ast.unparse(value)[:100]}", file=file.path, line=getattr(node, "lineno", None), fix=_FIX,
    )  # fmt: skip
