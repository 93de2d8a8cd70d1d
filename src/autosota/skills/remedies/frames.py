"""Remedies for data frames' methods and arguments that pandas removed or made stricter: edits of the file that failed."""

from __future__ import annotations

import ast
import re

from autosota.failures import Failure
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done


@remedy("pandas-axis-and-labels")
def pandas_axis_and_labels(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`drop(columns=…, axis=1)`: the axis is said twice."""

    def edit(editor: Editor) -> None:
        for name in ("drop", "reindex", "rename", "set_axis"):
            for call in editor.calls(name):
                arguments = {keyword.arg for keyword in call.keywords}
                for keyword in call.keywords:
                    if keyword.arg == "axis" and arguments & {"index", "columns"}:
                        editor.remove_argument(call, keyword)

    return done(edits.edited(failure, context.tree, context.root, edit), "Leave out the axis that index or columns already say")


_METHODS = {
    "iteritems": "items", "as_matrix": "to_numpy", "get_value": "at.__getitem__", "to_panel": "stack", "applymap": "map",
    "get_feature_names": "get_feature_names_out", "get_dtype_counts": "dtypes.value_counts", "ix": "loc", "mad": "sem",
}  # fmt: skip


@remedy("pandas-removed-method")
def pandas_removed_method(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Methods of data frames with a successor of the same meaning."""
    name = match[1]

    def edit(editor: Editor) -> None:
        if name == "append":
            _append(editor, failure, context)
        for node in editor.nodes():
            if isinstance(node, ast.Attribute) and node.attr == name and name in ("iteritems", "applymap", "get_feature_names"):
                _, end = editor.span(node)
                editor.replace_range(end - len(name), end, _METHODS[name])
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name == "as_matrix":
                _, end = editor.span(node.func)
                editor.replace_range(end - len(name), end, "to_numpy")
            elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == name == "ix":
                _, end = editor.span(node.value)
                editor.replace_range(end - 2, end, "loc")

    return done(edits.edited(failure, context.tree, context.root, edit), f"Replace the removed method {name}")


def _append(editor: Editor, failure: Failure, context: Context) -> None:
    """`a.append(b, …)` of data frames, on the failing line: `pandas.concat([a, b], …)`. Lists have `append` too."""
    frame = edits.frame_of(failure, context.tree, context.root)
    for call in editor.calls("append"):
        hit = frame is not None and call.lineno <= frame.line <= (call.end_lineno or call.lineno)
        if not hit or not isinstance(call.func, ast.Attribute) or len(call.args) != 1:
            continue
        other = call.args[0]
        kept = [
            editor.source(*editor.span(keyword))
            for keyword in call.keywords
            if keyword.arg in ("ignore_index", "sort", "verify_integrity")
        ]
        part = editor.text(other)
        if isinstance(other, ast.Dict):
            part = f"pandas.DataFrame([{part}])"
        body = (
            f"[{editor.text(call.func.value)}, {part}]"
            if not isinstance(other, ast.List)
            else f"[{editor.text(call.func.value)}, *{part}]"
        )
        editor.replace(call, f"pandas.concat({', '.join([body, *kept])})")
        editor.require("import pandas")


@remedy("pandas-positional-argument")
def pandas_positional_argument(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`frame.drop(labels, 1)`: arguments after the first need their names now."""
    orders = {
        "drop": ("labels", "axis"), "sum": ("axis",), "mean": ("axis",), "any": ("axis",), "all": ("axis",), "dropna": ("axis",),
        "sort_values": ("by", "axis", "ascending"), "set_index": ("keys", "drop"),
        "fillna": ("value", "method"), "pivot": ("index", "columns", "values"),
        "reset_index": ("level", "drop"), "concat": ("objs", "axis"), "to_csv": ("path_or_buf", "sep"),
        "std": ("axis",), "max": ("axis",),
        "min": ("axis",), "read_csv": ("filepath_or_buffer", "sep"), "to_dict": ("orient",), "ffill": ("axis",),
        "rank": ("axis",), "replace": ("to_replace", "value"),
        "read_table": ("filepath_or_buffer", "sep"), "read_excel": ("io", "sheet_name"), "drop_duplicates": ("subset", "keep"),
    }  # fmt: skip
    name = match[1].rpartition(".")[2]

    def edit(editor: Editor) -> None:
        for call in editor.calls(name):
            for argument, keyword in list(zip(call.args, orders.get(name, ()), strict=False))[1:]:
                if isinstance(argument, ast.Starred):
                    break
                start, _ = editor.span(argument)
                editor.replace_range(start, start, f"{keyword}=")

    return done(
        edits.edited(failure, context.tree, context.root, edit),
        f"Name the arguments of {name}, which no longer takes them by position",
    )
