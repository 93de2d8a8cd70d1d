"""S10, S11 and S20: predictions that depend on which item it is, on where the code runs, or on numbers nobody can explain."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import cast

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.checks import fresh
from autosota.redlines.difference import Difference
from autosota.zones import calls

_IDENTITY = re.compile(
    r"(^|_)(id|ids|idx|index|indices|uid|name|filename|file_name|path|stem|row|item_id|sample_id|dataset|dataset_name)$", re.I
)
_BYTES = {
    "tobytes",
    "sha1",
    "sha256",
    "md5",
    "blake2b",
    "blake2s",
    "crc32",
    "adler32",
    "xxh64",
    "hexdigest",
    "digest",
    "sha512",
    "sha224",
}
_SEEDED = ("SEED", "THREADS", "CUDA", "DEVICE")
_FIX = "predict from the item's content by the same rule for every item"


def branches(difference: Difference) -> Iterator[Violation]:
    """S11: new branches, lookups or hashes on an item's identity."""
    for found in fresh.nodes(difference, ast.If, ast.IfExp, ast.Compare, ast.Subscript, ast.Call):
        evidence = _identity(found)
        if evidence:
            yield Violation(
                red_line="R3",
                rule="identity-lookup",
                action="review",
                evidence=evidence,
                file=found.file.path,
                line=found.line,
                fix=_FIX,
            )


def _identity(found: fresh.Fresh) -> str | None:
    node = found.node
    if isinstance(node, ast.Call):
        name = found.module.callee(node)
        last = name.rsplit(".", 1)[-1]
        if last in _BYTES or (name == "hash" and node.args):
            return f"{ast.unparse(node)[:100]} makes a key from the bytes of an input"
        if last == "get" and isinstance(node.func, ast.Attribute) and node.args and _named(node.args[0]):
            return f"{ast.unparse(node)[:100]} looks an answer up by identity" if _predicting(found) else None
    if isinstance(node, ast.Compare) and _predicting(found):
        sides = [node.left, *node.comparators]
        literal = any(isinstance(side, (ast.Constant, ast.Set, ast.List, ast.Tuple, ast.Dict)) for side in sides)
        if (
            literal
            and any(_named(side) for side in sides)
            and not any(isinstance(op, (ast.Lt, ast.Gt, ast.LtE, ast.GtE)) for op in node.ops)
        ):
            return f"{ast.unparse(node)[:100]} decides by which item it is"
    return None


def _named(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return bool(_IDENTITY.search(name))


def _predicting(found: fresh.Fresh) -> bool:
    """In a function that predicts or is about rows: by its own name as a method, or because it calls a prediction."""
    last = found.scope.rsplit(".", 1)[-1].lstrip("_")
    if last in calls.PREDICT or last.startswith(("predict", "infer", "decode", "answer")):
        return True
    node = found.module.functions.get(found.scope)
    inside = [item for item in syntax.own_nodes(node) if isinstance(item, ast.Call)] if node is not None else []
    return any(isinstance(item.func, ast.Attribute) and item.func.attr in calls.PREDICT for item in inside)


def environment(difference: Difference) -> Iterator[Violation]:
    """S20: new reads of where and how the code runs, outside the scripts' own start."""
    for found in fresh.nodes(difference, ast.Call, ast.Subscript, ast.Attribute):
        name = _outside(found)
        if name:
            yield Violation(
                red_line="R2",
                rule="environment-read",
                action="review",
                evidence=f"{name} tells the code where it runs",
                file=found.file.path,
                line=found.line,
                fix="behave the same wherever it runs; take settings from options and configuration",
            )


def _outside(found: fresh.Fresh) -> str | None:
    node = found.node
    if isinstance(node, ast.Subscript):
        name = found.module.resolve(syntax.dotted(node.value))
        key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return (
            f"{name}[{key!r}]"
            if name == "os.environ" and not str(key).endswith(_SEEDED) and isinstance(node.ctx, ast.Load)
            else None
        )
    if isinstance(node, ast.Attribute):
        return "sys.argv" if found.module.resolve(syntax.dotted(node)) == "sys.argv" and found.scope else None
    if not isinstance(node, ast.Call):
        return None
    name = found.module.callee(node)
    key = str(node.args[0].value) if node.args and isinstance(node.args[0], ast.Constant) else ""
    if name in ("os.getenv", "os.environ.get"):
        return f"{name}({key!r})" if not key.endswith(_SEEDED) else None
    if name.startswith(
        (
            "socket.gethost",
            "platform.",
            "getpass.",
            "psutil.",
            "os.getlogin",
            "os.uname",
            "os.getppid",
            "os.listdir",
            "os.scandir",
        )
    ):
        return name
    if name in ("os.path.exists", "os.path.isfile", "os.path.isdir") or (
        name.endswith((".exists", ".is_file")) and "path" in name.lower()
    ):
        return name
    return None


def _declares(found: fresh.Fresh) -> bool:
    """Does the number stand on a line that declares an option?"""
    line = found.line or 0
    text = found.file.lines[line - 1] if 0 < line <= len(found.file.lines) else ""
    return "add_argument(" in text or "default=" in text


def literals(difference: Difference) -> Iterator[Violation]:
    """S10: new numbers between a model's output and its prediction. Advisory: counted, for the judge and the report."""
    counted: dict[tuple[str, str], list[int]] = {}
    declared = {
        id(part)
        for found in fresh.nodes(difference, ast.Call)
        if syntax.dotted(cast("ast.Call", found.node).func).endswith(("add_argument", "option"))
        for part in ast.walk(found.node)
    }
    for found in fresh.nodes(difference, ast.Constant):
        assert isinstance(found.node, ast.Constant)
        if id(found.node) in declared or _declares(found):
            continue
        if isinstance(found.node.value, float) and not found.node.value.is_integer() and _predicting(found):
            counted.setdefault((found.file.path, found.scope), []).append(found.node.lineno)
    for (path, scope), lines in counted.items():
        yield Violation(
            red_line="R5",
            rule="literals-on-predictions",
            action="note",
            evidence=f"{len(lines)} new number(s) in {scope}, between model and prediction",
            file=path,
            line=lines[0],
            fix="choose them on a validation part of the training data, in code",
        )
