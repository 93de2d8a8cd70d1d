"""Remedies for interfaces that libraries removed, renamed, moved or made stricter: edits of the file that failed."""

from __future__ import annotations

import ast
import re

from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.tables import ARGUMENTS, ATTRIBUTES, HARMLESS, MOVED

_OLDER = {
    "sklearn": "scikit-learn<1.2", "scipy": "scipy<1.12", "pandas": "pandas<2", "numpy": "numpy<1.24", "networkx": "networkx<3",
    "matplotlib": "matplotlib<3.6", "torch": "torch<2.6", "transformers": "transformers<4.40",
}  # fmt: skip

_RECENT = re.compile(r"trapezoid|simpson|exceptions|array_utils|sparse_array|windows")
"""Successors that older releases of the library lack: put in only for the very name that is missing."""


def done(changes: tuple[Change, ...], reason: str) -> Remedy | None:
    """A remedy of edits, or None where there was nothing to edit."""
    return Remedy(reason, changes=changes) if changes else None


# ── names that are gone or moved ──────────────────────────────────────────────────────────────────────────────────────


@remedy("removed-name")
def removed_name(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Replace every name of the table that the failing file takes from the module that lacks one."""

    gone = {group for group in match.groups() if group}

    def edit(editor: Editor) -> None:
        for module, names in ATTRIBUTES.items():
            if module.partition(".")[0] in failure.text[-4000:].lower():
                editor.attributes(
                    module, {name: text for name, text in names.items() if name in gone or not _RECENT.search(text)}
                )
                if module == "collections" and editor.names_of(module):
                    editor.require("import collections.abc")
        _special_calls(editor)

    changes = edits.edited(failure, context.tree, context.root, edit)
    return done(changes, f"Replace names that the library no longer has: {failure.message.splitlines()[0][:80]}")


def _special_calls(editor: Editor) -> None:
    """numpy.asfarray(x) and numpy.asscalar(x) have no successor of the same shape."""
    known = editor.names_of("numpy")
    for name, form in (
        ("asfarray", "{m}.asarray({x}, dtype=float)"),
        ("asscalar", "({x}).item()"),
        ("msort", "{m}.sort({x}, axis=0)"),
    ):
        for call in editor.calls(name):
            function = call.func
            if isinstance(function, ast.Attribute) and editor.text(function.value) in known and len(call.args) == 1:
                text = form.replace("{m}", editor.text(function.value)).replace("{x}", editor.text(call.args[0]))
                editor.replace(call, text)


@remedy("moved-import")
def moved_import(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Rewrite imports by the table; where it does not know the name, look for it in the installed package's sources."""
    named = re.search(r"'([\w.]+)'\s*(?:\(|$|;)", failure.message) or re.search(r"'([\w.]+)'", failure.message)
    top = named[1].partition(".")[0] if named else ""
    table = {old: new for old, new in MOVED.items() if old.partition(".")[0] == top} or MOVED
    changes = edits.edited(failure, context.tree, context.root, lambda editor: move_imports(editor, table))
    if not changes:
        found = _search(failure, context)
        if found is not None:
            changes = edits.edited(failure, context.tree, context.root, lambda editor: move_imports(editor, dict([found])))
    added = b"\n".join(change.content or b"" for change in changes)
    needs = tuple(
        name
        for name in ("joblib", "imageio", "six")
        if context.package(name) is None and re.search(rf"(?m)^\s*(from|import) {name}\b".encode(), added)
    )
    reason = f"Import from where the name is now: {failure.message.splitlines()[0][:80]}"
    return Remedy(reason, changes=changes, install=needs) if changes else None


def move_imports(editor: Editor, table: dict[str, str]) -> None:
    """Apply a table of moved names to the import statements of a file, and to dotted uses of moved modules."""
    for node in list(editor.nodes()):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            lines = [_moved_from(node.module, alias, table) for alias in node.names]
            if any(changed for _, changed in lines):
                editor.replace(node, ("\n" + " " * node.col_offset).join(line for line, _ in lines))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                new = _target(alias.name, table)
                if new and not new.startswith("builtins."):
                    top = alias.name
                    editor.replace(alias, f"{new} as {alias.asname or top}" if alias.asname or "." not in top else new)
                    if alias.asname is None and "." in top:
                        _rename_uses(editor, top, new)


def _moved_from(module: str, alias: ast.alias, table: dict[str, str]) -> tuple[str, bool]:
    full = f"{module}.{alias.name}"
    name = alias.asname or alias.name
    new = table.get(full) or (f"{_target(module, table)}.{alias.name}" if _target(module, table) else None)
    if new is None:
        return f"from {module} import {alias.name}" + (f" as {alias.asname}" if alias.asname else ""), False
    home, _, last = new.rpartition(".")
    if home == "builtins":
        return f"{name} = {last}", True
    if not home:
        return f"import {last}" + (f" as {name}" if last != name else ""), True
    return f"from {home} import {last}" + (f" as {name}" if last != name else ""), True


def _target(module: str, table: dict[str, str]) -> str | None:
    """New place of a module: its own entry, or its parent's."""
    if module in table:
        return table[module]
    parent, _, last = module.rpartition(".")
    return f"{table[parent]}.{last}" if parent in table and parent.count(".") >= 1 else None


def _rename_uses(editor: Editor, old: str, new: str) -> None:
    for node in editor.nodes():
        if isinstance(node, ast.Attribute) and editor.text(node) == old:
            editor.replace(node, new)


def _search(failure: Failure, context: Context) -> tuple[str, str] | None:
    """(old dotted name, new one) of "cannot import name 'X' from 'pkg.mod'", when exactly one public module of pkg defines X."""
    words = re.search(r"cannot import name '(\w+)' from '([\w.]+)'", failure.message)
    site = context.site_packages()
    if words is None or site is None:
        return None
    name, module = words[1], words[2]
    root = site / module.partition(".")[0]
    found = []
    for path in sorted(root.rglob("*.py"))[:5000] if root.is_dir() else []:
        if path.stat().st_size > 2**20 or "tests" in path.parts:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if re.search(rf"(?m)^(class {name}\b|def {name}\(|{name}\s*=)", text):
            found.append(".".join(path.relative_to(site).with_suffix("").parts).removesuffix(".__init__"))
    if len(found) != 1 or found[0] == module:
        return None
    return f"{module}.{name}", f"{found[0]}.{name}"


# ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@remedy("removed-argument")
def removed_argument(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Rename the argument, or leave it out where that changes nothing; else the library as it was."""
    argument = match[1]

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
            _special_argument(editor, node, name, argument)
            table = ARGUMENTS.get(name, {})
            for keyword in node.keywords:
                if keyword.arg == argument and argument in table:
                    _change_argument(editor, node, keyword, table[argument])

    changes = edits.edited(failure, context.tree, context.root, edit)
    if changes:
        return Remedy(f"Drop or rename the argument {argument}, which is gone", changes=changes)
    return _older(failure, context, f"the argument {argument} is gone")


def _change_argument(editor: Editor, call: ast.Call, keyword: ast.keyword, new: str | None) -> None:
    if new is not None:
        start, _ = editor.span(keyword)
        editor.replace_range(start, start + len(keyword.arg or ""), new)
    elif keyword.arg in HARMLESS or (
        isinstance(keyword.value, ast.Constant) and keyword.value.value in (False, None, "auto", "deprecated")
    ):
        editor.remove_argument(call, keyword)


def _special_argument(editor: Editor, call: ast.Call, name: str, argument: str) -> None:
    """Arguments whose successor has another shape."""
    for keyword in call.keywords:
        if keyword.arg != argument or not isinstance(keyword.value, ast.Constant):
            continue
        value = keyword.value.value
        if argument == "delim_whitespace":
            editor.replace(keyword, r"sep=r'\s+'") if value else editor.remove_argument(call, keyword)
        elif argument == "error_bad_lines":
            editor.replace(keyword, "on_bad_lines='error'" if value else "on_bad_lines='skip'")
        elif argument == "multichannel":
            editor.replace(keyword, "channel_axis=-1" if value else "channel_axis=None")
        elif argument == "normalize" and value is True and name == "LinearRegression":
            # Scaling the columns does not change what least squares predicts.
            editor.remove_argument(call, keyword)
        elif argument == "squared" and name == "mean_squared_error":
            editor.remove_argument(call, keyword)
            if value is False:
                start, end = editor.span(call)
                editor.replace_range(start, start, "(")
                editor.replace_range(end, end, ") ** 0.5")
        elif argument == "multi_class" and value in ("auto", "multinomial", "warn"):
            editor.remove_argument(call, keyword)


def _older(failure: Failure, context: Context, why: str) -> Remedy | None:
    """The library of the innermost frame, or of the words, as it was before the change."""
    libraries = [frame.library for frame in reversed(failure.frames) if frame.library not in (None, "python")]
    named = re.search(
        r"(?:module|from|in) '?(sklearn|scipy|pandas|numpy|networkx|matplotlib|torch|transformers)\b", failure.message
    )
    library = named[1] if named else next((str(name) for name in libraries if name in _OLDER), None)
    if library is None:
        library = next((name for name in _OLDER if re.search(rf"\b{name}\b", _imports_near(failure, context))), None)
    if library is None:
        return None
    return Remedy(f"Use {_OLDER[library]}: {why}", install=(_OLDER[library],))


def _imports_near(failure: Failure, context: Context) -> str:
    """The import lines that bring the failing line's names."""
    frame = edits.frame_of(failure, context.tree, context.root)
    if frame is None:
        return ""
    lines = context.tree[frame.file].decode("utf-8", errors="replace").splitlines()
    if not 0 < frame.line <= len(lines):
        return ""
    words = set(re.findall(r"\w+", lines[frame.line - 1]))
    return "\n".join(line for line in lines if re.match(r"\s*(import|from)\s", line) and words & set(re.findall(r"\w+", line)))


@remedy("invalid-parameter-value")
def invalid_parameter_value(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Values that scikit-learn and pandas renamed, with the same meaning."""
    renamed = {
        ("loss", "log"): "log_loss", ("loss", "deviance"): "log_loss", ("loss", "ls"): "squared_error",
        ("loss", "lad"): "absolute_error",
        ("criterion", "mse"): "squared_error", ("criterion", "mae"): "absolute_error", ("loss", "squared_loss"): "squared_error",
        ("loss", "least_squares"): "squared_error", ("loss", "binary_crossentropy"): "log_loss", ("algorithm", "auto"): "lloyd",
        ("algorithm", "full"): "lloyd", ("affinity", "euclidean"): "euclidean", ("penalty", "none"): None,
    }  # fmt: skip
    features = {"Classifier": "sqrt", "Regressor": 1.0}

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if isinstance(keyword.value, ast.Constant) and (keyword.arg, keyword.value.value) in renamed:
                        editor.replace(keyword.value, repr(renamed[(keyword.arg or "", keyword.value.value)]))  # type: ignore[index]
                    elif (
                        keyword.arg == "max_features"
                        and isinstance(keyword.value, ast.Constant)
                        and keyword.value.value == "auto"
                    ):
                        kind = next((value for name, value in features.items() if editor.text(node.func).endswith(name)), None)
                        if kind is not None:
                            editor.replace(keyword.value, repr(kind))

    return done(edits.edited(failure, context.tree, context.root, edit), "Use the present names of parameter values")


# ── others ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@remedy("yaml-load-without-loader")
def yaml_load_without_loader(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`yaml.load(text)` needs a loader; the safe one reads plain configuration."""

    def edit(editor: Editor) -> None:
        known = editor.names_of("yaml")
        for call in editor.calls("load"):
            if (
                isinstance(call.func, ast.Attribute)
                and editor.text(call.func.value) in known
                and len(call.args) == 1
                and not call.keywords
            ):
                _, end = editor.span(call.func)
                editor.replace_range(end - len("load"), end, "safe_load")

    return done(edits.edited(failure, context.tree, context.root, edit), "Load YAML with the safe loader")


@remedy("matplotlib-style-renamed")
def matplotlib_style_renamed(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The seaborn styles carry a version now."""

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"seaborn(-[a-z]+)?", node.value):
                function = node.value.replace("seaborn", "seaborn-v0_8", 1)
                if f"import {node.value}" not in editor.content.decode("utf-8", errors="replace"):
                    editor.replace(node, repr(function))

    return done(edits.edited(failure, context.tree, context.root, edit), "Use the present names of matplotlib's seaborn styles")


@remedy("torch-load-weights-only")
def torch_load_weights_only(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Checkpoints that hold more than tensors need weights_only=False; they are loaded inside the sandbox."""

    def edit(editor: Editor) -> None:
        known = editor.names_of("torch")
        for call in editor.calls("load"):
            told = any(keyword.arg == "weights_only" for keyword in call.keywords)
            if isinstance(call.func, ast.Attribute) and editor.text(call.func.value) in known and not told:
                _, end = editor.span(call)
                editor.replace_range(end - 1, end - 1, ", weights_only=False")

    return done(edits.edited(failure, context.tree, context.root, edit), "Load whole checkpoints, not weights only")


@remedy("numpy-load-pickled")
def numpy_load_pickled(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Object arrays need allow_pickle=True; they are loaded inside the sandbox."""

    def edit(editor: Editor) -> None:
        known = editor.names_of("numpy")
        for call in editor.calls("load"):
            told = any(keyword.arg == "allow_pickle" for keyword in call.keywords)
            if isinstance(call.func, ast.Attribute) and editor.text(call.func.value) in known and not told:
                _, end = editor.span(call)
                editor.replace_range(end - 1, end - 1, ", allow_pickle=True")

    return done(edits.edited(failure, context.tree, context.root, edit), "Allow NumPy to load object arrays")


@remedy("tensorflow-one")
def tensorflow_one(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Code for TensorFlow 1 runs on TensorFlow 2 through its compatibility module."""

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Import) and len(node.names) == 1 and node.names[0].name == "tensorflow":
                name = node.names[0].asname or "tensorflow"
                editor.replace(
                    node, f"import tensorflow.compat.v1 as {name}\n{' ' * node.col_offset}{name}.disable_v2_behavior()"
                )

    return done(
        edits.edited(failure, context.tree, context.root, edit, everywhere=True), "Use TensorFlow 1's interface of TensorFlow 2"
    )
