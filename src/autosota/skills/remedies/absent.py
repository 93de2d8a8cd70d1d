"""Remedies for what the author's machine had and this one cannot have: packages, variables, arguments."""

from __future__ import annotations

import ast
import posixpath
import re

from autosota import entrypoints
from autosota.environments import imports
from autosota.environments.names import is_standard
from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor

FOLDER = "stand_ins"
_MODULE = '''"""Stands in for {name}, which cannot be installed. It can be imported and subclassed; any use of it is an error."""
import importlib.abc
import importlib.machinery
import sys


class StandInUsedError(BaseException):
    """Not for handlers of the evaluation: what it fell back to would not be the author's number."""


class Unused(type):
    """Class of every name of the absent package."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Unused(name, (), {{}})

    def _refuse(cls, *arguments, **named):
        raise StandInUsedError("the package {name} is not installed and the evaluation needs it")

    __call__ = __iter__ = __len__ = __getitem__ = __enter__ = __bool__ = __eq__ = __lt__ = __add__ = __radd__ = __mul__ = _refuse
    __float__ = __int__ = __index__ = __contains__ = _refuse
    __hash__ = type.__hash__


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        inside = name.startswith("{name}.")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if inside else None

    def exec_module(self, module):
        module.__getattr__ = __getattr__


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Unused(name, (), {{}})


sys.meta_path.append(_Finder())
'''
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")
_SPECIAL = {"torch", "numpy", "pandas", "scipy", "sklearn", "tensorflow", "jax"}
"""Never stood in for: nothing is measured without them."""


@remedy("stand-in-for-package")
def stand_in_for_package(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A package that cannot be had may only be imported: a module that fails at its first use takes its place.

    Not the repository's own modules, and not one that code tries to import with a fallback of its own."""
    name = _unavailable(failure, context)
    if name is None or name in imports.own_modules(context.tree) or is_standard(name) or name in _SPECIAL:
        return None
    path = f"{FOLDER}/{name}/__init__.py"
    if path in context.tree or any(entry.optional and entry.top == name for entry in imports.third_party(context.tree)):
        return None
    have = [entry for entry in (context.recipe.variables.get("PYTHONPATH") or "").split(":") if entry]
    place = f"{context.root.rstrip('/')}/{FOLDER}" if context.root else FOLDER
    return Remedy(
        f"{name} cannot be installed: a module that may be imported but not used stands in for it",
        changes=(Change(path=path, content=_MODULE.format(name=name).encode()),),
        variables={} if place in have else {"PYTHONPATH": ":".join([*have, place])}, substitute=True,
    )  # fmt: skip


def _unavailable(failure: Failure, context: Context) -> str | None:
    """The missing package; or the installed one that cannot be imported because another has changed."""
    missing = re.search(r"No module named '([\w.]+)'", failure.message)
    if missing:
        top = missing[1].partition(".")[0]
        return top if context.package(top.replace("_", "-").lower()) is None else None
    words = re.search(r"cannot import name '\w+' from '", failure.message)
    libraries = [frame.library for frame in failure.frames]
    own = [index for index, library in enumerate(libraries) if library is None]
    after = [library for library in libraries[own[-1] + 1 :] if library not in (None, "python")] if own else []
    return after[0] if words and after else None


@remedy("unset-variable")
def unset_variable(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A variable that names a folder: the one in the repository that holds what the code then opens, else its root."""
    name = match[1]
    frame = edits.frame_of(failure, context.tree, context.root)
    if frame is None or _SECRET.search(name) or not re.search(r"DIR|ROOT|PATH|HOME|FOLDER|DATA|REPO|PROJECT", name):
        return None
    line = (context.tree[frame.file].decode("utf-8", errors="replace").splitlines() or [""])[frame.line - 1 : frame.line]
    if not line or "environ" not in line[0]:
        return None
    folder = _folder_with(context, frame.file, name)
    if folder is None:
        return None
    root = context.root.rstrip("/") or "."
    return Remedy(f"Set {name} to {folder}", variables={name: root if folder == "." else f"{root}/{folder}"})


def _folder_with(context: Context, file: str, name: str) -> str | None:
    """The only folder below which the strings of the file that look like paths exist; else data/, else the root."""
    texts = {
        node.value.strip("/")
        for node in Editor(file, context.tree[file]).nodes()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"/?[\w.-]+(/[\w.-]+)*", node.value)
    }
    folders = {posixpath.dirname(path) for path in context.tree}
    found = {folder or "." for folder in folders for text in texts if f"{folder}/{text}".lstrip("/") in context.tree}
    if len(found) == 1:
        return next(iter(found))
    if "DATA" in name:
        return next((folder for folder in ("data", "datasets", "dataset") if folder in folders), None)
    return "." if not found else None


@remedy("documented-arguments")
def documented_arguments(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Arguments that a script demands, as the repository documents them for this script."""
    line = context.commands.evaluate or ""
    started = set(entrypoints.scripts(line, context.tree))
    documented = [item.line for item in entrypoints.find(context.tree) if item.script in started and item.line != line]
    if "argv" in match[0]:
        found = [text for text in documented if len(text.split()) > len(line.split()) and text.startswith(line)]
        return Remedy("Give the arguments that are documented", command=found[0]) if found else None
    wanted = {word.strip().partition("/")[0] for word in match[1].split(",")}
    named = [word for word in wanted if word.startswith("-")]
    found = [text for text in documented if all(word in text for word in named)]
    return Remedy(f"Give {', '.join(sorted(wanted))} as documented", command=found[0]) if named and found else None
