"""Remedies in how the evaluation is started: variables, the command, services and screens."""

from __future__ import annotations

import ast
import re
import shlex

from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done


@remedy("closed-standard-input")
def closed_standard_input(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A question at the terminal gets Enter: in the file that asks, so that the prompt ends its line; else through stdin."""

    def edit(editor: Editor) -> None:
        for call in editor.calls("input"):
            if isinstance(call.func, ast.Name) and not call.keywords:
                prompt = ", ".join(editor.text(argument) for argument in call.args)
                editor.replace(call, f"(print({prompt}) or '')" if prompt else "''")

    changes = edits.edited(failure, context.tree, context.root, edit)
    line = context.commands.evaluate
    if changes or not line:
        return done(changes, "Answer questions at the terminal with Enter")
    if line.startswith("yes '' |"):
        return Remedy("Answer questions with y", command=line.replace("yes '' |", "yes y |", 1))
    return Remedy("Answer questions at the terminal with Enter", command=f"yes '' | ({line})")


@remedy("headless-plotting")
def headless_plotting(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A plotting window without a screen: the backend that draws into files."""

    def edit(editor: Editor) -> None:
        for call in editor.calls("use"):
            if (
                (isinstance(call.func, ast.Attribute) and "matplotlib" in editor.text(call.func))
                or editor.text(call.func) in ("mpl.use", "matplotlib.use")
            ) and call.args:
                editor.replace(call.args[0], "'Agg'")
        for call in editor.calls("switch_backend"):
            if call.args:
                editor.replace(call.args[0], "'Agg'")

    changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return done(changes, "Draw into files: there is no screen") or Remedy(
        "Draw into files: there is no screen", variables={"MPLBACKEND": "Agg"}
    )


@remedy("login-service")
def login_service(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Experiment trackers are switched off by their own switches."""
    modes = {
        "wandb": {"WANDB_MODE": "disabled"}, "comet": {"COMET_MODE": "DISABLED"}, "neptune": {"NEPTUNE_MODE": "debug"},
        "clearml": {"CLEARML_OFFLINE_MODE": "1"}, "mlflow": {"MLFLOW_TRACKING_URI": "file:///tmp/mlruns"},
        "swanlab": {"SWANLAB_MODE": "disabled"},
    }  # fmt: skip
    name = next((name for name in modes if name in failure.text.lower()), None)
    if name is None:
        return None

    def edit(editor: Editor) -> None:
        for call in editor.calls("login"):
            if editor.text(call.func) == f"{name}.login":
                editor.replace(call, "None")
        for call in editor.calls("init"):
            for keyword in call.keywords:
                if editor.text(call.func) == f"{name}.init" and keyword.arg == "mode":
                    editor.replace(keyword.value, "'disabled'")
        for node in editor.nodes():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and len(node.targets) == 1:
                target = editor.text(node.targets[0]) if isinstance(node.targets[0], ast.Subscript) else ""
                for variable, value in modes[name].items():
                    if re.fullmatch(rf"(?:os\.)?environ\[['\"]{variable}['\"]\]", target):
                        editor.replace(node.value, repr(value))

    changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return Remedy(f"Switch {name} off: no service can be logged into", variables=modes[name], changes=changes)


@remedy("no-git-metadata")
def no_git_metadata(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A version that is read from git's history: a fixed one."""
    if "setuptools_scm" in failure.text or "setuptools-scm" in failure.text or "vcs_versioning" in failure.text:
        return Remedy(
            "Give the version that git would tell", variables={"SETUPTOOLS_SCM_PRETEND_VERSION": "0.0.1", "PBR_VERSION": "0.0.1"}
        )

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Call) and editor.text(node.func) in ("subprocess.check_output", "check_output"):
                if "git" in editor.text(node) and ("rev-parse" in editor.text(node) or "describe" in editor.text(node)):
                    editor.replace(node, "b'unknown'")
            elif isinstance(node, ast.Attribute) and re.fullmatch(
                r"git\.Repo\(.*\)\.head\.(object|commit)\.hexsha", editor.text(node)
            ):
                editor.replace(node, "'unknown'")

    return done(edits.edited(failure, context.tree, context.root, edit), "Do without git's history, which is not in the tree")


@remedy("relative-import-in-script")
def relative_import_in_script(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A module of a package that is started as a file: started as a module."""
    line = context.commands.evaluate or ""
    found = re.search(r"\bpython\s+((?:\./)?[\w/.-]+)\.py\b", line)
    if found is None or "/" not in found[1].removeprefix("./"):
        return None
    module = found[1].removeprefix("./").replace("/", ".")
    return Remedy(
        "Start the script as a module of its package", command=f"{line[: found.start()]}python -m {module}{line[found.end() :]}"
    )


@remedy("windows-line-ends")
def windows_line_ends(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Shell scripts saved on Windows: carriage returns removed."""
    changes = tuple(
        Change(path=path, content=content.replace(b"\r\n", b"\n"), mode="100755")
        for path, content in context.tree.items()
        if path.endswith((".sh", ".bash")) and b"\r\n" in content
    )
    return done(changes, "Remove carriage returns from shell scripts")


@remedy("script-not-executable")
def script_not_executable(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`./run.sh` without the mark that it may be run: through its interpreter."""
    line = context.commands.evaluate or ""
    found = re.search(r"(?<![\w/])(\./)?([\w/-]+\.(sh|py))\b", line)
    if found is None or re.search(r"(bash|sh|python)\s+$", line[: found.start()]):
        return None
    program = "bash" if found[3] == "sh" else "python"
    return Remedy(f"Start {found[2]} with {program}", command=f"{line[: found.start()]}{program} {found[2]}{line[found.end() :]}")


@remedy("other-python-command")
def other_python_command(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """`python3.7 x.py`, `py x.py`, `conda run …`: the environment's python. Scripts of the repository are edited too."""
    pattern = re.compile(
        r"(?m)(^|[;&|]\s*|\bthen\s+|\bdo\s+|^[ \t]*)(?:python\d[\d.]*|py|ipython3?|conda run (?:-n \S+ )?python)(?=\s)"
    )
    line = pattern.sub(r"\1python", context.commands.evaluate or "")
    drop = re.compile(
        r"(?m)^[ \t]*(?:source\s+\S*activate\b.*|conda\s+activate\b.*|module\s+(?:load|purge)\b.*|\.\s+\S*activate\b.*)$"
    )
    changes = []
    for path, content in context.tree.items():
        if path.endswith((".sh", ".bash")) and len(content) < 2**20:
            text = content.decode("utf-8", errors="surrogateescape")
            new = drop.sub(":", pattern.sub(r"\1python", text))
            if new != text:
                changes.append(Change(path=path, content=new.encode("utf-8", errors="surrogateescape"), mode="100755"))
    if line == context.commands.evaluate and not changes:
        return None
    return Remedy("Use the environment's own python", command=line or None, changes=tuple(changes))


@remedy("undecodable-text")
def undecodable_text(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Text files are UTF-8 unless said otherwise; old pickles of Python 2 are latin1."""
    if match[0].startswith("'ascii'") and "pickle" in failure.text:

        def edit(editor: Editor) -> None:
            known = editor.names_of("pickle")
            for call in editor.calls("load"):
                if (
                    isinstance(call.func, ast.Attribute)
                    and editor.text(call.func.value) in known
                    and len(call.args) == 1
                    and not call.keywords
                ):
                    _, end = editor.span(call)
                    editor.replace_range(end - 1, end - 1, ", encoding='latin1'")

        changes = edits.edited(failure, context.tree, context.root, edit)
        return done(changes, "Read a pickle of Python 2")
    return Remedy("Read text files as UTF-8", variables={"PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"})


@remedy("newer-pickle")
def newer_pickle(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A pickle of a protocol that this Python does not know: a newer Python."""
    newer = next((text for text in context.pythons if tuple(map(int, text.split("."))) >= (3, 8)), None)
    return Remedy(f"Use Python {newer}, which reads this pickle", python=newer) if newer else None


@remedy("unbuilt-extension")
def unbuilt_extension(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The repository's own compiled module: built in place before the evaluation."""
    module = match[1].rpartition(".")[2]
    sources = [
        path for path in context.tree if re.fullmatch(rf"(.*/)?_?{re.escape(module.lstrip('_'))}\w*\.(pyx|c|cpp|cc)", path)
    ]
    scripts = [path for path in context.tree if path.rpartition("/")[2] == "setup.py"]
    line = context.commands.evaluate or ""
    if not sources or not scripts or "build_ext" in line or not line:
        return None
    setup = min(scripts, key=lambda path: path.count("/"))
    folder = setup.rpartition("/")[0]
    build = "python setup.py build_ext --inplace >/dev/null"
    build = f"(cd {shlex.quote(folder)} && {build})" if folder else build
    needs = [name for name in ("setuptools", "cython") if context.package(name) is None]
    return Remedy("Build the repository's compiled module first", command=f"{build} && {line}", install=tuple(needs))
