"""What can be read from one call expression: options, their choices and types, and where an argument could be added."""

from __future__ import annotations

import ast

from autosota.knobs.place import literal
from autosota.knobs.text import Lines
from autosota.records import Scalar


def dotted(node: ast.expr) -> str:
    """ "optim.SGD" for the expression, or "" where it is not a chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def stated(node: ast.expr | None) -> Scalar:
    """The value of a literal, else None."""
    try:
        return literal(node)
    except ValueError:
        return None


def flag_names(node: ast.Call) -> list[str]:
    """The option's names: `add_argument("-l", "--lr")` → ["-l", "--lr"]; a click flag's "/--no-x" part is left out."""
    texts = [stated(item) for item in node.args]
    return [text.split("/")[0] for text in texts if isinstance(text, str) and text.startswith("-")]


def is_flag(given: dict[str, ast.expr]) -> bool:
    """An option without a value: argparse's store_true and store_false, click's is_flag."""
    return stated(given.get("action")) in ("store_true", "store_false") or stated(given.get("is_flag")) is True


def declared_type(given: dict[str, ast.expr]) -> str:
    """The option's declared type as text: "float", "int", "bool", "str" or ""."""
    if is_flag(given):
        return "bool"
    name = dotted(given["type"]) if "type" in given else ""
    return {"click.FLOAT": "float", "click.INT": "int", "click.BOOL": "bool", "click.STRING": "str"}.get(name, name)


def choices(node: ast.expr | None) -> tuple[Scalar, ...]:
    """The alternatives of `choices=[…]`, `click.Choice([…])`, `Literal[…]`; empty where they are not all literals."""
    if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "Choice" and node.args:
        node = node.args[0]
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return ()
    try:
        return tuple(literal(item) for item in node.elts)
    except ValueError:
        return ()


def annotated(node: ast.expr | None) -> tuple[tuple[Scalar, ...], str]:
    """Alternatives and type text of a type hint: Literal["a", "b"] → (("a", "b"), "Literal"); `float | None` → ((), "float")."""
    if node is None:
        return (), ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
        try:
            node = ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError):
            return (), ""
    if isinstance(node, ast.Subscript):
        name = dotted(node.value).rpartition(".")[2]
        if name == "Literal":
            items = node.slice if isinstance(node.slice, ast.Tuple) else ast.Tuple([node.slice])
            return choices(items), "Literal"
        if name in ("Optional", "Annotated", "Final", "ClassVar"):
            return annotated(node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice)
        return (), name
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [annotated(side) for side in (node.left, node.right)]
        return next((side for side in sides if side[1] not in ("", "None")), ((), ""))
    return (), dotted(node).rpartition(".")[2]


def insertion(node: ast.Call, data: bytes, lines: Lines) -> tuple[int, str] | None:
    """Where a further keyword argument can be written, and what must stand before it; None where it cannot."""
    if any(item.arg is None for item in node.keywords) or any(
        isinstance(item, (ast.Starred, ast.GeneratorExp)) for item in node.args
    ):
        return None
    close = lines.offset(node.end_lineno or 0, node.end_col_offset or 0) - 1
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not arguments:
        return (close, "") if data[close : close + 1] == b")" else None
    offset = max(lines.offset(item.end_lineno or 0, item.end_col_offset or 0) for item in arguments)
    position = offset
    while position < close:
        if data[position : position + 1] == b"#":
            position = data.find(b"\n", position) % (close + 1)
        elif data[position : position + 1] == b")":
            offset = position + 1
        position += 1
    return offset, ", "
