"""Remedies for code written for another version of Python."""

from __future__ import annotations

import ast
import re

from autosota.environments import imports
from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done


@remedy("nested-quotes-in-f-string")
def nested_quotes_in_f_string(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The same quotes inside an f-string are allowed from Python 3.12 on: other quotes inside do the same."""
    path = _broken_file(failure, context)
    if path is None:
        return None
    text = context.tree[path].decode("utf-8", errors="surrogateescape")
    for _ in range(200):
        line = _error_line(text)
        if line is None:
            return done(
                (Change(path=path, content=text.encode("utf-8", errors="surrogateescape")),), "Use other quotes inside f-strings"
            )
        lines = text.split("\n")
        changed = _requote(lines[line - 1])
        if changed == lines[line - 1]:
            return None
        lines[line - 1] = changed
        text = "\n".join(lines)
    return None


def _error_line(text: str) -> int | None:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.lineno
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _requote(line: str) -> str:
    """Change the quotes within the braces of the f-strings on one line that use their own quotes inside."""
    for quote, other in (("'", '"'), ('"', "'")):
        for start in re.finditer(rf"\b[rR]?[fF][rR]?{quote}", line):
            depth, index, inner = 0, start.end(), []
            while index < len(line):
                character = line[index]
                if character == "{":
                    depth += 1
                elif character == "}":
                    depth -= 1
                elif character == quote and depth > 0:
                    inner.append(index)
                elif character == quote and depth == 0:
                    break
                index += 1
            if inner and len(inner) % 2 == 0 and other not in line[inner[0] : inner[-1]]:
                characters = list(line)
                for index in inner:
                    characters[index] = other
                return "".join(characters)
    return line


@remedy("tabs-and-spaces")
def tabs_and_spaces(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Tabs mean eight columns, as Python 2 had it."""
    path = _broken_file(failure, context)
    if path is None:
        return None
    text = context.tree[path].decode("utf-8", errors="surrogateescape")
    lines = [re.sub(r"^[ \t]+", lambda indent: indent[0].expandtabs(8), line) for line in text.split("\n")]
    changed = "\n".join(lines).encode("utf-8", errors="surrogateescape")
    return done((Change(path=path, content=changed),), "Expand tabs in the indentation") if imports.parse(changed) else None


@remedy("python-two")
def python_two(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Remains of Python 2 in the files that cannot be read: print statements, except with a comma, old literals and names."""
    changes = []
    for path in sorted(path for path in context.tree if path.endswith((".py", ".pyw"))):
        content = context.tree[path]
        if imports.parse(content) is None and len(content) <= imports.MAX_FILE:
            text = modern(content.decode("utf-8", errors="surrogateescape"))
            changed = text.encode("utf-8", errors="surrogateescape")
            if imports.parse(changed) is not None:
                changes.append(Change(path=path, content=changed))
    return done(tuple(changes), "Write remains of Python 2 as Python 3")


def modern(text: str) -> str:
    """Python 2 source as Python 3, as far as line-wise rules go; division and integer semantics are left alone."""
    lines = []
    for line in text.split("\n"):
        line = re.sub(r"^(\s*)print\s+>>\s*([\w.]+)\s*,\s*(.*?)\s*$", r"\1print(\3, file=\2)", line)
        line = re.sub(r"^(\s*(?:if [^:]+:|else:|for [^:]+:)?\s*)print\s*$", r"\1print()", line)
        line = re.sub(
            r"^(\s*(?:(?:if|else|elif|for|while|try|except)\b[^:\"']*:\s*)?)print\s+(?![=(])(.*?)(,?)\s*$", _print, line
        )
        line = re.sub(
            r"^(\s*(?:(?:if|else|elif|for|while)\b[^:\"']*:\s*)?)print\s+(\(.*\)\s*%.*|\(.*\)\s*,.*)$", r"\1print(\2)", line
        )
        line = re.sub(r"^(\s*except\s+[\w.()\s,]+?)\s*,\s*(\w+)\s*:", r"\1 as \2:", line)
        line = re.sub(r"^(\s*)raise\s+([\w.]+)\s*,\s*(.+)$", r"\1raise \2(\3)", line)
        line = re.sub(r"^(\s*)exec\s+([^(].*)$", r"\1exec(\2)", line)
        line = re.sub(r"(?<![\w.'\"])0([0-7]{3,})\b(?![\w.'\"])", r"0o\1", line)
        line = re.sub(r"(?<![\w.])(\d+)[lL]\b", r"\1", line)
        line = line.replace("<>", "!=") if re.search(r"\w\s*<>\s*\w", line) else line
        lines.append(line)
    return "\n".join(lines)


def _print(match: re.Match[str]) -> str:
    return f"{match[1]}print({match[2]}{', end=chr(32)' if match[3] else ''})"


_PY2_NAMES = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "unichr": "chr",
    "basestring": "str",
    "long": "int",
    "reduce": "reduce",
}


@remedy("python-two-name")
def python_two_name(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Built-in names of Python 2 under their present names."""
    name = match[1]

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                if name == "reduce":
                    editor.require("from functools import reduce")
                elif name == "reload":
                    editor.require("from importlib import reload")
                else:
                    editor.replace(node, _PY2_NAMES[name])

    return done(edits.edited(failure, context.tree, context.root, edit), f"Write {name} as Python 3 has it")


@remedy("python-two-method")
def python_two_method(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Dictionary and iterator methods of Python 2."""
    name = match[1]
    present = {
        "iteritems": "items",
        "itervalues": "values",
        "iterkeys": "keys",
        "viewitems": "items",
        "getchildren": "__iter__",
        "tostring": "tobytes",
    }

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != name:
                continue
            owner = editor.text(node.func.value)
            if name == "has_key" and len(node.args) == 1:
                editor.replace(node, f"({editor.text(node.args[0])} in {owner})")
            elif name == "next" and not node.args:
                editor.replace(node, f"next({owner})")
            elif name == "getchildren":
                editor.replace(node, f"list({owner})")
            elif name in present:
                _, end = editor.span(node.func)
                editor.replace_range(end - len(name), end, present[name])

    return done(
        edits.edited(failure, context.tree, context.root, edit), f"Replace the method {name}, which Python 3 does not have"
    )


@remedy("removed-standard-module")
def removed_standard_module(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Modules of the standard library that are gone: an equal call elsewhere, else an older Python."""
    module = match[1]

    def edit(editor: Editor) -> None:
        if module == "imp":
            known = editor.names_of("imp")
            for call in editor.calls("reload"):
                if isinstance(call.func, ast.Attribute) and editor.text(call.func.value) in known:
                    editor.replace(call.func, "__import__('importlib').reload")
            if not any(
                isinstance(n, ast.Attribute) and editor.text(n.value) in known and n.attr != "reload" for n in editor.nodes()
            ):
                _remove_import(editor, "imp")
        elif module.startswith("distutils"):
            for node in editor.nodes():
                if (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "distutils.util"
                    and [a.name for a in node.names] == ["strtobool"]
                ):
                    editor.replace(node, _STRTOBOOL.replace("\n", "\n" + " " * node.col_offset))
                elif isinstance(node, ast.ImportFrom) and node.module == "distutils.version":
                    names = ", ".join(f"Version as {alias.asname or alias.name}" for alias in node.names)
                    editor.replace(node, f"from packaging.version import {names}")
                elif (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "distutils.dir_util"
                    and [a.name for a in node.names] == ["copy_tree"]
                ):
                    editor.replace(node, "from shutil import copytree as copy_tree")

    changes = edits.edited(failure, context.tree, context.root, edit)
    if changes:
        packaging = (
            any(b"packaging.version" in (change.content or b"") for change in changes) and context.package("packaging") is None
        )
        return Remedy(
            f"Do without {module}, which Python no longer has", changes=changes, install=("packaging",) if packaging else ()
        )
    older = next((text for text in context.pythons if tuple(map(int, text.split("."))) < (3, 12)), None)
    return Remedy(f"Use Python {older}, which still has {module}", python=older) if older else None


_STRTOBOOL = """def strtobool(value):
    return int({"y": True, "yes": True, "t": True, "true": True, "on": True, "1": True, "n": False, "no": False, "f": False,
                "false": False, "off": False, "0": False}[value.lower()])"""


def _remove_import(editor: Editor, module: str) -> None:
    for node in editor.nodes():
        if isinstance(node, ast.Import) and [alias.name for alias in node.names] == [module]:
            editor.replace(node, "pass")


def _broken_file(failure: Failure, context: Context) -> str | None:
    """The repository's file that a syntax error names; its frame has no function."""
    for name in reversed(re.findall(r'File "([^"]+)", line \d+', failure.text)):
        path = edits.located(name.removeprefix(context.root).lstrip("/"), context.tree)
        if path is not None:
            return path
    return None


@remedy("python-two-lists")
def python_two_lists(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """What range, map, filter, zip and the views of dictionaries give was a list in Python 2; loops take either."""
    functions, views = {"range", "map", "filter", "zip"}, {"keys", "values", "items"}

    def edit(editor: Editor) -> None:
        looped = {
            id(node.iter) for node in editor.nodes() if isinstance(node, (ast.For, ast.comprehension))
        }  # fmt: skip
        inside = {
            id(argument)
            for call in editor.nodes()
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id in {"list", "sorted", "set", "dict", "sum", "len"}
            for argument in call.args
            if call.func.id != "len" or not isinstance(argument, ast.Call) or not isinstance(argument.func, ast.Name)
        }
        for node in editor.nodes():
            if isinstance(node, ast.Call) and id(node) not in looped | inside:
                named = isinstance(node.func, ast.Name) and node.func.id in functions
                viewed = isinstance(node.func, ast.Attribute) and node.func.attr in views and not node.args and not node.keywords
                if named or viewed:
                    editor.replace(node, f"list({editor.text(node)})")

    return done(edits.edited(failure, context.tree, context.root, edit), "Make lists of what Python 2 gave as lists")
