"""S7: values that the caller or the configuration gives, overwritten on their way."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.checks import fresh
from autosota.redlines.difference import Difference

_READ = ("parse_args", "parse_known_args", "safe_load", "full_load", "from_yaml", "from_json")
_LOADED = ("yaml.load", "json.load", "json.loads", "tomllib.load", "tomllib.loads", "toml.load", "OmegaConf.load")


def parameters(difference: Difference) -> Iterator[Violation]:
    """New assignments to parsed options or loaded settings, and updates after them."""
    for found in fresh.nodes(difference, ast.Assign, ast.AugAssign, ast.Call):
        given = _given(found)
        for target in _targets(found.node):
            base, _, key = _split(target)
            if base in given and key:
                yield Violation(
                    red_line="R2",
                    rule="parameter-overridden",
                    action="review",
                    evidence=f"{ast.unparse(target)[:80]} is set after it was given from outside",
                    file=found.file.path,
                    line=found.line,
                    fix="change the value where it is declared: the option's default or the configuration file",
                )


def _given(found: fresh.Fresh) -> set[str]:
    """Names in this scope, or at module level, that hold parsed options or loaded settings."""
    names: set[str] = set()
    node = found.module.functions.get(found.scope)
    for body in (node, found.module.tree):
        for item in syntax.own_nodes(body) if body is not None else ():
            if isinstance(item, ast.Assign) and isinstance(item.value, ast.Call):
                callee = found.module.callee(item.value)
                if callee.rsplit(".", 1)[-1] in _READ or callee.endswith(_LOADED):
                    names.update(part.id for target in item.targets for part in ast.walk(target) if isinstance(part, ast.Name))
    return names


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign):
        return [node.target]
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("update", "merge_update", "__setitem__", "setdefault"):
            return [node.func]
        if syntax.dotted(node.func) == "setattr" and node.args and isinstance(node.args[0], ast.Name):
            return [ast.Attribute(value=node.args[0], attr="?")]
    return []


def _split(target: ast.expr) -> tuple[str, str, str]:
    """`args.x`, `config["a"]["b"]`, `config.update` → the name at its root, and whether something below it is meant."""
    node, below = target, ""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        below = "below"
        node = node.value
    return (node.id if isinstance(node, ast.Name) else ""), ".", below
