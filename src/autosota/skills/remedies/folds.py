"""Remedies for calls whose arguments mean something else today: fold iterators of scikit-learn, numbers for tensors."""

from __future__ import annotations

import ast
import re

from autosota.failures import Failure
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done

_BY_ROWS = {"KFold", "ShuffleSplit", "LeaveOneOut"}
_BY_LABELS = {"StratifiedKFold", "StratifiedShuffleSplit"}
_NEW_NAMES = {"n_folds": "n_splits", "n_iter": "n_splits"}
_OLD_DEFAULTS = {"KFold": "n_splits=3", "StratifiedKFold": "n_splits=3"}


@remedy("old-fold-iterators")
def old_fold_iterators(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Every old-style construction of the failing file, because they fail one after another in the same way."""

    def edit(editor: Editor) -> None:
        for name in _BY_ROWS | _BY_LABELS:
            for call in editor.calls(name):
                if (text := _new_style(editor, call, name)) is not None:
                    editor.replace(call, text)

    return done(edits.edited(failure, context.tree, context.root, edit), "Make folds as scikit-learn does today")


def _new_style(editor: Editor, call: ast.Call, name: str) -> str | None:
    """The same folds with today's class, as a list; None for a call that is today's already."""
    rows_given = [keyword for keyword in call.keywords if keyword.arg in ("n", "y")]
    rest = [keyword for keyword in call.keywords if keyword.arg not in ("n", "y", "indices")]
    old = any(keyword.arg in ("n_folds", "n_iter", "indices") for keyword in call.keywords)
    rows = call.args[0] if call.args else rows_given[0].value if rows_given else None
    if rows is None or len(call.args) > 2 or not (old or len(call.args) == 2 or name == "LeaveOneOut" or rows_given):
        return None
    if name == "LeaveOneOut" and not call.args:
        return None
    arguments = [
        f"{_NEW_NAMES.get(keyword.arg or '', keyword.arg)}={editor.text(keyword.value)}" for keyword in rest if keyword.arg
    ]
    if len(call.args) == 2:
        arguments.insert(0, f"n_splits={editor.text(call.args[1])}")
    if name in _OLD_DEFAULTS and not any(argument.startswith("n_splits=") for argument in arguments):
        arguments.insert(0, _OLD_DEFAULTS[name])
    made = f"{editor.text(call.func)}({', '.join(arguments)})"
    data = editor.text(rows)
    split = f"[0] * len({data}), {data}" if name in _BY_LABELS else f"[0] * int({data})"
    return f"list({made}.split({split}))"


@remedy("number-for-tensor")
def number_for_tensor(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The argument of that name on the failing line, wherever it is given by name; else the one that is a plain name like it."""
    name = match[1]
    frame = edits.frame_of(failure, context.tree, context.root)
    if frame is None:
        return None

    def edit(editor: Editor) -> None:
        calls = [node for node in editor.nodes() if isinstance(node, ast.Call)]
        here = [call for call in calls if call.lineno <= frame.line <= (call.end_lineno or call.lineno)]
        found = [keyword.value for call in here for keyword in call.keywords if keyword.arg == name]
        found = found or [
            argument for call in here for argument in call.args if isinstance(argument, ast.Name) and argument.id == name
        ]
        for value in found[:1]:
            editor.replace(value, f"torch.as_tensor({editor.text(value)})")
            editor.require("import torch")

    return done(edits.edited(failure, context.tree, context.root, edit), f"Give {name} as a tensor")
