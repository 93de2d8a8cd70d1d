"""Remedies for code that takes a GPU, much memory or many processes for granted."""

from __future__ import annotations

import ast
import re

from autosota.environments import imports
from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done


@remedy("cuda-only")
def cuda_only(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """On a machine without a GPU: `.cuda()` stays where it is, devices are "cpu", checkpoints are mapped, half precision is off.

    Every file that imports torch is edited: the next line with a device would fail the same way."""
    changes: list[Change] = []
    for path in imports.source_files(context.tree):
        content = context.tree[path]
        if b"torch" in content or b"cuda" in content:
            editor = Editor(path, content)
            _on_processor(editor)
            change = editor.change()
            if change is not None:
                changes.append(change)
    if not changes and context.commands.evaluate:
        line = re.sub(r"(--(?:device|gpu_ids?|gpus?)[ =])(cuda(?::\d+)?|\d+)", r"\1cpu", context.commands.evaluate)
        return Remedy("Run on the processor", command=line) if line != context.commands.evaluate else None
    return done(tuple(changes), "Run on the processor: this machine has no GPU")


def _on_processor(editor: Editor) -> None:
    torch = editor.names_of("torch")
    for node in editor.nodes():
        if isinstance(node, ast.Assert) and re.match(
            r"torch\.cuda\.(is_available\(\)|device_count\(\) *>)", editor.text(node.test)
        ):
            editor.replace(node, "pass")
        elif isinstance(node, ast.If) and editor.text(node.test) == "not torch.cuda.is_available()":
            for part in node.body:
                if isinstance(part, ast.Raise):
                    editor.replace(part, "pass")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"cuda(:\d+)?", node.value):
            if not _asks_availability(editor, node):
                editor.replace(node, "'cpu'")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            _call_on_processor(editor, node, node.func, torch)


def _call_on_processor(editor: Editor, node: ast.Call, function: ast.Attribute, torch: set[str]) -> None:
    owner = editor.text(function.value)
    in_module = any(owner == f"{name}.cuda" for name in torch)
    if function.attr == "cuda" and not in_module and owner not in torch:
        _, start = editor.span(function.value)
        _, end = editor.span(node)
        editor.replace_range(start, end, ".cpu()")
    elif in_module and function.attr in (
        "set_device",
        "synchronize",
        "empty_cache",
        "manual_seed",
        "manual_seed_all",
        "reset_peak_memory_stats",
    ):
        if not node.args or function.attr not in ("manual_seed", "manual_seed_all"):
            editor.replace(node, "None")
    elif in_module and function.attr in ("FloatTensor", "LongTensor", "IntTensor", "DoubleTensor", "ByteTensor", "BoolTensor"):
        editor.replace(function, f"{owner.removesuffix('.cuda')}.{function.attr}")
    elif function.attr == "load" and owner in torch and not any(keyword.arg == "map_location" for keyword in node.keywords):
        if len(node.args) == 1:
            _, end = editor.span(node)
            comma = "" if editor.source(end - 2, end - 1) == "," else ", "
            editor.replace_range(end - 1, end - 1, f"{comma}map_location='cpu'")
    elif function.attr == "DataParallel" and len(node.args) >= 1:
        editor.replace(node, editor.text(node.args[0]))


def _asks_availability(editor: Editor, node: ast.Constant) -> bool:
    """`"cuda" if torch.cuda.is_available() else "cpu"` is right as it is."""
    line = editor.content.splitlines()[node.lineno - 1]
    return b"is_available" in line


@remedy("half-precision-on-processor")
def half_precision_on_processor(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Operations that processors do not have in half precision are done in single precision."""

    def edit(editor: Editor) -> None:
        for call in editor.calls("half"):
            if isinstance(call.func, ast.Attribute) and not call.args:
                _, end = editor.span(call.func)
                editor.replace_range(end - len("half"), end, "float")
        for node in editor.nodes():
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("float16", "half")
                and editor.text(node.value) in editor.names_of("torch")
            ):
                editor.replace(node, f"{editor.text(node.value)}.float32")

    changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return (
        Remedy("Use single precision: the processor lacks half precision here", changes=changes, substitute=True)
        if changes
        else None
    )


@remedy("data-loader-workers")
def data_loader_workers(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Worker processes of data loaders need shared memory that a sandbox bounds: load in the main process."""

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if (
                isinstance(node, ast.keyword)
                and node.arg == "num_workers"
                and isinstance(node.value, ast.Constant)
                and node.value.value
            ):
                editor.replace(node.value, "0")
            elif isinstance(node, ast.keyword) and node.arg == "persistent_workers" and isinstance(node.value, ast.Constant):
                editor.replace(node.value, "False")
            elif (
                isinstance(node, ast.Call)
                and "num_workers" in editor.text(node)
                and _is_option(node, ("--num_workers", "--workers", "--num-workers"))
            ):
                for keyword in node.keywords:
                    if keyword.arg == "default" and isinstance(keyword.value, ast.Constant) and keyword.value.value:
                        editor.replace(keyword.value, "0")

    changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    if changes:
        return done(changes, "Load data in the main process")
    line = re.sub(r"(--(?:num[_-])?workers[ =])\d+", r"\g<1>0", context.commands.evaluate or "")
    return Remedy("Load data in the main process", command=line) if line and line != context.commands.evaluate else None


def _is_option(node: ast.Call, names: tuple[str, ...]) -> bool:
    return any(isinstance(argument, ast.Constant) and argument.value in names for argument in node.args)
