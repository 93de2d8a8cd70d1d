"""A setting that is declared and never read, beside a call that lacks it."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from functools import partial

import yaml

from autosota.levers.base import Place, PythonLever, View
from autosota.levers.source import Edits, Source, keyword, spreads
from autosota.levers.unpassed_argument import KNOWN, NEVER, callee, signatures
from autosota.records import Level, Risk, Scope

_LARGEST = 100_000
_MOST = 40


class UnreadSetting(PythonLever):
    """`SGD(parameters, config.learning_rate)` while `config.momentum` exists, nobody reads it, and SGD has a `momentum`."""

    name = "unread_setting"
    title = "Pass on a setting that is declared but never read"
    level: Level = "CODE"
    scope: Scope = "micro"
    risk: Risk = "low"
    priority = 0.97
    rationale = (
        "The configuration declares this setting, the callee accepts it, and nothing connects the two, so changing it has "
        "no effect and the "
        "method runs without it."
    )

    def places(self, source: Source, view: View) -> Iterator[Place]:
        accepted = view.once("signatures", lambda: signatures(view))
        for call in source.calls():
            if spreads(call):
                continue
            name = callee(call)
            library = source.name(call.func).startswith(("torch.", "sklearn."))
            known = KNOWN.get(name, ()) if library and len(call.args) <= 2 else ()
            positions = {} if library else accepted.get(name, {})
            options = [*known, *(parameter for parameter, position in positions.items() if position >= len(call.args))]
            missing = [each for each in options if keyword(call, each) is None and each not in NEVER]
            if not missing:
                continue
            wanted = self._settings(source, call, missing, view)
            if wanted:
                edits = Edits(source)
                first = next(iter(wanted))
                rest = "".join(f", {parameter}={text}" for parameter, text in wanted.items() if parameter != first)
                edits.pass_keyword(call, first, wanted[first] + rest)
                yield Place(call.lineno, f"{', '.join(wanted)} to {name} in {source.scope(call) or 'module'}", edits)

    def _settings(self, source: Source, call: ast.Call, missing: list[str], view: View) -> dict[str, str]:
        """Missing parameter → text that reads the setting, written like the settings the call already takes."""
        found: dict[str, str] = {}
        for argument in [*call.args, *(each.value for each in call.keywords)]:
            if isinstance(argument, ast.Attribute) and not source.segment(argument.value).endswith("self"):
                owner, fields = (
                    source.segment(argument.value),
                    view.once("fields", lambda: _fields(view)).get(argument.attr, frozenset()),
                )
            elif (
                isinstance(argument, ast.Subscript)
                and isinstance(argument.slice, ast.Constant)
                and isinstance(argument.slice.value, str)
            ):
                owner, fields = (
                    source.segment(argument.value),
                    view.once("keys", lambda: _keys(view)).get(argument.slice.value, frozenset()),
                )
            else:
                continue
            for parameter in missing:
                if (
                    parameter in fields
                    and parameter not in found
                    and not view.once(f"read {parameter}", partial(_read, view, parameter))
                ):
                    found[parameter] = (
                        f"{owner}.{parameter}" if isinstance(argument, ast.Attribute) else f'{owner}["{parameter}"]'
                    )
        return found


def _fields(view: View) -> dict[str, frozenset[str]]:
    """Field of a settings class, or option of a parser → all that are declared together with it."""
    found: dict[str, frozenset[str]] = {}
    for source in view.everything:
        options: set[str] = set()
        for node in source.walk():
            if isinstance(node, ast.ClassDef):
                fields = frozenset(
                    each.target.id for each in node.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                )
                found |= {field: found.get(field, frozenset()) | fields for field in fields}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                flags = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
                long = next((flag[2:] for flag in flags if flag.startswith("--")), "")
                if long and keyword(node, "dest") is None:
                    options.add(long.replace("-", "_"))
        found |= {option: found.get(option, frozenset()) | frozenset(options) for option in options}
    return found


def _keys(view: View) -> dict[str, frozenset[str]]:
    """Key of a mapping in a configuration file → all keys of the same mapping."""
    found: dict[str, frozenset[str]] = {}
    paths = sorted(path for path in view.paths if path.endswith((".yaml", ".yml", ".json", ".toml")))[:_MOST]
    for path in paths:
        stack: list[object] = [_load(path, view.raw(path))]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):
                keys = frozenset(key for key in value if isinstance(key, str))
                found |= {key: found.get(key, frozenset()) | keys for key in keys}
                stack += value.values()
            elif isinstance(value, list):
                stack += value[:100]
    return found


def _load(path: str, content: bytes) -> object:
    if len(content) > _LARGEST:
        return None
    try:
        text = content.decode("utf-8")
        if path.endswith(".toml"):
            return tomllib.loads(text)
        return json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return None


def _read(view: View, name: str) -> bool:
    """Is it read anywhere as an attribute of something other than `self`, or by its name as text?"""
    text = re.compile(rf"""\[\s*["']{name}["']|get\w*\([^()]*["']{name}["']""")
    for source in view.everything:
        if text.search(source.text):
            return True
        for node in source.walk():
            if isinstance(node, ast.Attribute) and node.attr == name and not _of_self(node) and isinstance(node.ctx, ast.Load):
                return True
    return False


def _of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id == "self"


LEVER = UnreadSetting()
