"""S5, files: code outside the evaluation's own loaders that reads the evaluation's data, and with them the test rows."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.checks import fresh
from autosota.redlines.difference import Difference
from autosota.zones import calls
from autosota.zones.canonical import Canonical
from autosota.zones.scopes import Scope, learns

_WORD = re.compile(r"'([^']+)'")
_LISTS = {"glob.glob", "glob.iglob", "os.listdir", "os.scandir", "os.walk"}
_READS = {"open", "io.open", "os.open", "pathlib.Path.open", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile",
          "numpy.memmap", "pickle.load", "joblib.load"}  # fmt: skip


def anew(difference: Difference) -> Iterator[Violation]:
    """New code that opens data of the evaluation, or calls its loaders with arguments that the baseline never gave."""
    data = {path for path in difference.case.environment.zones.protected if PurePosixPath(path).suffix.lower() in syntax.DATA}
    for found in fresh.nodes(difference, ast.Call):
        assert isinstance(found.node, ast.Call)
        what = _opened(found, data)
        if what:
            yield _violation(found, f"{ast.unparse(found.node)[:120]} {what}")
    yield from _loaders(difference)


def _opened(found: fresh.Fresh, data: set[str]) -> str | None:
    call = found.node
    assert isinstance(call, ast.Call)
    name = found.module.callee(call)
    lists = name in _LISTS or (isinstance(call.func, ast.Attribute) and call.func.attr in ("glob", "rglob", "iterdir"))
    if not lists and name not in _READS and not calls.is_load(call, name):
        return None
    if name.startswith(("sklearn.datasets.make_", "torchvision.", "sklearn.datasets.fetch_")) or _writes(call):
        return None
    words = [part.value for part in ast.walk(call) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    for path in data:
        pure = PurePosixPath(path)
        if any(word.strip("./") and (pure.match(word) or word.removeprefix("./") in (path, pure.name)) for word in words):
            return f"reads {path}, which the evaluation's own code loads"
        folder = f"{pure.parent}/"
        if str(pure.parent) != "." and any(f"{word.strip('/')}/".endswith(folder) or folder in word for word in words):
            return f"looks into {pure.parent}, where the evaluation's data lie"
    plain = call.args and isinstance(call.args[0], ast.Constant)
    return "opens files that are only known when it runs" if lists and not plain else None


def _writes(call: ast.Call) -> bool:
    modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax") for mode in modes)


def _loaders(difference: Difference) -> Iterator[Violation]:
    """Calls in changed code that ask the repository's loaders for the part that is scored."""
    before, after = difference.states
    known = {text for _, _, text in _loads(before, before.flow.scopes)}
    again = Counter(text for _, _, text in _loads(after, after.flow.scopes))
    again -= Counter(text for _, _, text in _loads(before, before.flow.scopes))
    marks = _marks(before)
    named = any(
        str(value) in marks
        for file in difference.files
        for key, value in syntax.settings(file.path, file.after or b"").items()
        if syntax.settings(file.path, file.before or b"").get(key) != value
    )
    zones = difference.case.environment.zones
    paths = {file.path for file in difference.files if not zones.is_protected(file.path)}
    changed = [
        scope
        for scope in after.flow.scopes
        if scope.module.path in paths and scope.module.marks.get(id(scope.node)) not in difference.old_marks
    ]
    for scope, call, text in _loads(after, changed):
        everything = text.endswith("()") and again[text] > 0
        if everything or (text not in known and (named or marks & set(_WORD.findall(text)))):
            evidence = f"{ast.unparse(call)[:120]} loads rows that the evaluation scores"
            yield Violation(
                red_line="R5", rule="data-read-anew", action="review", evidence=evidence, file=scope.module.path,
                line=call.lineno, fix="use the training rows that the code is given",
            )  # fmt: skip


def _marks(state: Canonical) -> set[str]:
    """Words that tell the scored part from what is learned from: `"test"` of `load("test")`."""
    scored = {word for scope, item in state.flow.scored for word in _WORD.findall(state.text(scope, item))}
    learned = [
        word
        for scope in state.flow.scopes
        if learns(scope)
        for call in scope.calls
        for item in call.args
        for word in _WORD.findall(state.text(scope, item))
    ]
    return scored - (set(learned) if not scored <= set(learned) else set())


def _loads(state: Canonical, scopes: Sequence[Scope]) -> Iterator[tuple[Scope, ast.Call, str]]:
    """Calls of functions and classes that read data, with what they are given."""
    reading = {
        scope.key
        for scope in state.flow.scopes
        if scope.name and any(calls.is_load(call, scope.module.callee(call)) for call in scope.calls)
    }
    for _ in range(3):
        reading |= {
            scope.key
            for scope in state.flow.scopes
            if scope.name.endswith("__init__") and any(_key(state, call, scope) in reading for call in scope.calls)
        }
    for scope in scopes:
        for call in scope.calls:
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            key = _key(state, call, scope)
            if key in reading and (given or key in state.flow.data):
                name = syntax.dotted(call.func).rsplit(".", 1)[-1]
                yield scope, call, f"{name}({', '.join(state.text(scope, item) for item in given)})"


def _key(state: Canonical, call: ast.Call, scope: Scope) -> tuple[str, str] | None:
    """The function that a call runs, of a class its `__init__`."""
    target = state.flow.repository.target(call, scope)
    if isinstance(target, Scope):
        return target.key
    if isinstance(target, ast.ClassDef):
        module = next((module for module in state.flow.modules if target in module.classes.values()), None)
        return (module.path, f"{target.name}.__init__") if module is not None else None
    return None


def _violation(found: fresh.Fresh, evidence: str) -> Violation:
    return Violation(
        red_line="R5", rule="data-read-anew", action="review", evidence=evidence, file=found.file.path, line=found.line,
        fix="use the training rows that the code is given",
    )  # fmt: skip
