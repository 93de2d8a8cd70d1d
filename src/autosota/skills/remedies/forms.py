"""Remedies for values whose form changed: scalars that were indexed, floats that counted, old method names, text encodings."""

from __future__ import annotations

import ast
import re

from autosota.failures import Failure
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done

_METHODS = {"getiterator": "iter", "isAlive": "is_alive", "tostring": "tobytes", "itervalues": "values", "iterkeys": "keys"}


@remedy("scalar-tensor-indexed")
def scalar_tensor_indexed(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`loss.data[0]`, and on the failing line any `x[0]`, is `x.item()`."""
    frame = edits.frame_of(failure, context.tree, context.root)

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant) or node.slice.value != 0:
                continue
            data = isinstance(node.value, ast.Attribute) and node.value.attr == "data"
            here = frame is not None and frame.file == editor.path and node.lineno == frame.line
            if isinstance(node.ctx, ast.Load) and (data or here):
                inner = node.value.value if isinstance(node.value, ast.Attribute) and data else node.value
                editor.replace(node, f"{editor.text(inner)}.item()")

    return done(edits.edited(failure, context.tree, context.root, edit), "Read scalars with item()")


@remedy("renamed-method")
def renamed_method(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Methods of the standard library's objects with a successor of the same meaning."""
    name = match[1]

    def edit(editor: Editor) -> None:
        for call in editor.calls(name):
            if not isinstance(call.func, ast.Attribute):
                continue
            if name == "getchildren" and not call.args:
                editor.replace(call, f"list({editor.text(call.func.value)})")
            elif name in _METHODS:
                _, end = editor.span(call.func)
                editor.replace_range(end - len(name), end, _METHODS[name])

    return done(edits.edited(failure, context.tree, context.root, edit), f"Replace the removed method {name}")


@remedy("float-as-count")
def float_as_count(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Where a quotient counts or indexes, it was an integer: on the failing line, and where its names get their value."""
    frame = edits.frame_of(failure, context.tree, context.root)
    if frame is None:
        return None

    def edit(editor: Editor) -> None:
        names = {
            node.id
            for node in editor.nodes()
            if isinstance(node, ast.Name) and node.lineno <= frame.line <= (node.end_lineno or 0)
        }
        for node in editor.nodes():
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                if node.targets[0].id in names and _quotient(node.value):
                    editor.replace(node.value, f"int({editor.text(node.value)})")
            elif isinstance(node, ast.Call) and node.lineno <= frame.line <= (node.end_lineno or 0):
                for argument in node.args:
                    counting = editor.text(node.func).rpartition(".")[2] in (
                        "range",
                        "zeros",
                        "ones",
                        "empty",
                        "randint",
                        "sample",
                    )
                    if counting and _quotient(argument):
                        editor.replace(argument, f"int({editor.text(argument)})")
            elif isinstance(node, (ast.Slice,)) and node.lineno <= frame.line <= (node.end_lineno or 0):
                for part in (node.lower, node.upper):
                    if part is not None and _quotient(part):
                        editor.replace(part, f"int({editor.text(part)})")

    return done(edits.edited(failure, context.tree, context.root, edit), "Count with whole numbers, as Python 2 divided them")


def _quotient(node: ast.expr) -> bool:
    """Is it a division, or a sum or product with one, of names, numbers and lengths?"""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div) or (
            isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)) and (_quotient(node.left) or _quotient(node.right))
        )
    return False


@remedy("western-text")
def western_text(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Text that is not UTF-8 was written in a Western code page: what the failing function opens is read as such."""
    frame = edits.frame_of(failure, context.tree, context.root)
    if frame is None:
        return None

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if not isinstance(node, ast.Call) or any(keyword.arg in ("encoding", None) for keyword in node.keywords):
                continue
            name = editor.text(node.func)
            mode = next((keyword.value for keyword in node.keywords if keyword.arg == "mode"), None)
            mode = node.args[1] if name in ("open", "io.open") and len(node.args) > 1 else mode
            reads = mode is None or (isinstance(mode, ast.Constant) and mode.value in ("r", "rt", "rU"))
            if (name in ("open", "io.open") and reads and len(node.args) < 3) or name.endswith((".read_csv", ".read_table")):
                _, end = editor.span(node)
                editor.replace_range(end - 1, end - 1, ", encoding='latin-1'")

    return done(edits.edited(failure, context.tree, context.root, edit), "Read text that is not UTF-8 as Latin-1")


@remedy("sample-of-set")
def sample_of_set(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`random.sample` of a set drew from a tuple of it until Python 3.11; the same draw is made."""
    frame = edits.frame_of(failure, context.tree, context.root)

    def edit(editor: Editor) -> None:
        for call in editor.calls("sample"):
            if frame is not None and call.args and call.lineno <= frame.line <= (call.end_lineno or 0):
                editor.replace(call.args[0], f"tuple({editor.text(call.args[0])})")

    return done(edits.edited(failure, context.tree, context.root, edit), "Draw from a tuple of the set, as before Python 3.11")


@remedy("universal-newline-mode")
def universal_newline_mode(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Text is read with universal newlines anyway: the mode U is gone."""

    def edit(editor: Editor) -> None:
        for call in editor.calls("open"):
            for node in [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]:
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "U" in node.value:
                    rest = node.value.replace("U", "")
                    editor.replace(node, repr(rest if "r" in rest else f"r{rest}"))

    return done(edits.edited(failure, context.tree, context.root, edit), "Open files without the mode U")


@remedy("pattern-flags-inside")
def pattern_flags_inside(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Flags of a whole regular expression stand at its start."""

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and (
                found := re.search(r"(?<!^)(?<!\\\\)\(\?[aiLmsux]+\)", node.value)
            ):  # fmt: skip
                editor.replace(node, repr(found[0] + node.value.replace(found[0], "", 1)))

    return done(edits.edited(failure, context.tree, context.root, edit), "Put flags at the start of patterns")


@remedy("mutable-field-default")
def mutable_field_default(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """An object as the default of a data class's field is made for each instance, as Python 3.11 demands."""

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            decorated = isinstance(node, ast.ClassDef) and any("dataclass" in editor.text(part) for part in node.decorator_list)
            for part in node.body if decorated and isinstance(node, ast.ClassDef) else ():
                if isinstance(part, ast.AnnAssign) and isinstance(part.value, ast.Call):
                    made = editor.text(part.value)
                    if not made.split("(")[0].endswith("field"):
                        editor.replace(part.value, f"__import__('dataclasses').field(default_factory=lambda: {made})")

    return done(edits.edited(failure, context.tree, context.root, edit), "Make default objects of data classes per instance")
