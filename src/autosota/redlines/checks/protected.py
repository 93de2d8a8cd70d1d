"""S1: the protected zone. Whole files by content, mode and kind; mixed files by the symbols that must stay."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File
from autosota.zones import calls
from autosota.zones.canonical import Canonical, function_text
from autosota.zones.scopes import Scope

_PREDICTIONS = {"y_pred", "y_score", "y_prob", "y_proba", "labels_pred", "preds", "input", "predictions"}
_FIX = "leave the file as it is and make the change in model or training code; if it must be free, name it in `free`"


def files(difference: Difference) -> Iterator[Violation]:
    """R2: a protected file of code or configuration changed."""
    yield from (violation for file in difference.files if not _is_data(file) for violation in _file(file, difference, "R2"))


def data(difference: Difference) -> Iterator[Violation]:
    """R6: protected data changed, or new files appear where the evaluation's data lie."""
    zones = difference.case.environment.zones
    folders = {PurePosixPath(path).parent for path in zones.protected if PurePosixPath(path).suffix.lower() in syntax.DATA}
    for file in difference.files:
        if not _is_data(file):
            continue
        yield from _file(file, difference, "R6")
        beside = PurePosixPath(file.path).parent in folders and PurePosixPath(file.path).parent != PurePosixPath(".")
        if file.before is None and file.after is not None and beside:
            evidence = f"a new file of {len(file.after)} bytes beside the evaluation's data"
            fix = "keep derived data out of the data folder and make them in the evaluation"
            yield Violation(red_line="R6", rule="data-added", action="review", evidence=evidence, file=file.path, fix=fix)


def unreadable(difference: Difference) -> Iterator[Violation]:
    """R2: Python that cannot be analyzed may hold anything."""
    for file in difference.files:
        if file.after and not file.is_link and file.new is None and syntax.is_python(file.path, file.after):
            evidence = f"{file.path} cannot be analyzed: no valid Python, too long, or nested too deeply"
            fix = "write it so that this Python version can parse it"
            yield Violation(red_line="R2", rule="unreadable-code", action="review", evidence=evidence, file=file.path, fix=fix)


def symbols(difference: Difference) -> Iterator[Violation]:
    """R1, R2, R5: functions, constants, options, keys and calls that must stay in files that are otherwise free."""
    for file in difference.files:
        names = difference.case.environment.zones.symbols.get(file.path, ())
        if not names or difference.case.environment.zones.is_protected(file.path):
            continue
        if file.after is None or file.is_link:
            evidence = f"{file.path}, which holds the protected {', '.join(names[:5])}, is gone"
            yield _symbol(file, names[0], evidence, None)
        elif file.old is None:
            yield from _settings(file, names)
        elif file.new is None:
            yield _symbol(
                file, names[0], f"{file.path} cannot be read, so its protected {', '.join(names[:5])} cannot be checked", None
            )
        else:
            for name in names:
                yield from _definition(difference, file, file.old, file.new, name)


def _settings(file: File, names: tuple[str, ...]) -> Iterator[Violation]:
    before, after = syntax.settings(file.path, file.before or b""), syntax.settings(file.path, file.after or b"")
    for name in names:
        if before.get(name) != after.get(name):
            value = repr(after[name]) if name in after else "gone"
            yield _symbol(file, name, f"{name} is {value}, the baseline has {before.get(name)!r}", _mentioned(file, name))


def _mentioned(file: File, name: str) -> int | None:
    last = name.rsplit(".", 1)[-1]
    return next((number for number, line in file.added.items() if last in line), file.first_line())


def _definition(difference: Difference, file: File, old: syntax.Module, new: syntax.Module, name: str) -> Iterator[Violation]:
    """One protected symbol of a Python file in both states."""
    if name.startswith("-"):
        before, after = _option(old, name), _option(new, name)
        if before != after:
            said = "is gone" if after is None else "is declared otherwise"
            yield _symbol(file, name, f"the option {name} {said}", _mentioned(file, name))
    elif name in old.functions or name in old.classes:
        node = old.functions.get(name) or old.classes[name]
        other = new.functions.get(name) or new.classes.get(name)
        form = function_text(node)
        replaced = name in new.constants and name not in old.constants
        if replaced or not ((other is not None and function_text(other) == form) or (other is None and _moved(difference, form))):
            line = other.lineno if other is not None else None
            yield _symbol(file, name, f"the protected {name} {'changed' if other is not None else 'is gone'}", line)
    elif name in old.constants:
        value = new.constants.get(name)
        if value is None or syntax.dump(value) != syntax.dump(old.constants[name]):
            said = ast.unparse(value)[:80] if value is not None else "gone"
            evidence = f"{name} is {said}, the baseline has {ast.unparse(old.constants[name])[:80]}"
            yield _symbol(file, name, evidence, value.lineno if value is not None else None)
    else:
        yield from _calls(difference, file, name)


def _option(module: syntax.Module, name: str) -> str | None:
    call = syntax.options(module).get(name)
    if call is None:
        return None
    kept = [item for item in call.keywords if item.arg not in ("help", "metavar")]
    return syntax.dump(ast.Call(func=call.func, args=call.args, keywords=kept))


def _moved(difference: Difference, form: str) -> bool:
    """Is a definition with the same body somewhere else in the candidate's changed code, under whatever name?"""
    return any(
        function_text(node) == form
        for file in difference.files
        if file.new is not None
        for node in (*file.new.functions.values(), *file.new.classes.values())
    )


def _calls(difference: Difference, file: File, name: str) -> Iterator[Violation]:
    """Every protected call of the baseline's state is still made, with the same truth, data and settings."""
    scope, _, callee = name.rpartition(".")
    before, after = difference.states
    wanted = [call for call in _called(before, callee) if call[0].key == (file.path, scope)]
    made = Counter(_call_text(after, *call) for call in _called(after, callee))
    for owner, call in wanted:
        text = _call_text(before, owner, call)
        if made[text] <= 0 and not _renamed(before, after, owner, call):
            now = next((item for item in _called(after, callee) if item[0].key == (file.path, scope)), None)
            said = f"is now {ast.unparse(now[1])[:120]}" if now else "is gone"
            yield _symbol(file, name, f"{ast.unparse(call)[:120]} {said}", now[1].lineno if now else None)
        made[text] -= 1


def _called(state: Canonical, callee: str) -> list[tuple[Scope, ast.Call]]:
    return [
        (scope, call)
        for scope in state.flow.scopes
        for call in scope.calls
        if syntax.dotted(call.func).rsplit(".", 1)[-1] == callee
    ]


def _renamed(before: Canonical, after: Canonical, owner: Scope, call: ast.Call) -> bool:
    """Is the called function the same one under another name, called with the same arguments?"""
    target = before.flow.repository.target(call, owner)
    if not isinstance(target, Scope):
        return False
    text = before.text(owner, call)
    return any(after.text(scope, item) == text for scope in after.flow.scopes for item in scope.calls)


def _call_text(state: Canonical, scope: Scope, call: ast.Call) -> str:
    """What matters of a protected call: of a metric the truth and the parameters, of a split its settings, else everything."""
    name = scope.module.callee(call)
    options = sorted(f"{item.arg}={state.text(scope, item.value)}" for item in call.keywords)
    if calls.is_metric(name):
        truth = calls.truth(call, name)
        given = {id(item.value): item.arg for item in call.keywords}
        known = state.text(scope, truth) if truth is not None and id(truth) not in given else ""
        fixed = [
            text
            for text in options
            if not text.startswith(("y_pred=", "y_score=", "y_prob=", "labels_pred=", "preds=", "input="))
        ]
        return f"{name}({', '.join([known, str(len(call.args)), *fixed])})"
    if calls.is_split(name) or name.endswith(".split"):
        constants = [repr(item.value) for item in call.args if isinstance(item, ast.Constant)]
        return f"{name if calls.is_split(name) else 'split'}({', '.join([*constants, *options])})"
    return f"{state.text(scope, call)}"


def _symbol(file: File, name: str, evidence: str, line: int | None) -> Violation:
    last = name.rsplit(".", 1)[-1]
    if re.search(r"seed|random_state", last):
        # The host gives the seeds; one written into code or configuration decides nothing, a list of them is judged by S16.
        fix = "leave the seed to the evaluation"
        return Violation(red_line="R1", rule="seed-changed", action="note", evidence=evidence, file=file.path, line=line, fix=fix)
    split = (
        calls.is_split(f"sklearn.model_selection.{last}") or re.search(r"split|fold|test_|held|holdout|stratif", last) is not None
    )
    red_line: Literal["R2", "R5"] = "R5" if split else "R2"
    return Violation(
        red_line=red_line, rule="symbol-changed", action="reject", evidence=evidence, file=file.path, line=line, fix=_FIX
    )


def _is_data(file: File) -> bool:
    return PurePosixPath(file.path).suffix.lower() in syntax.DATA


def _file(file: File, difference: Difference, red_line: str) -> Iterator[Violation]:
    zones = difference.case.environment.zones
    inside = f"{file.path}/"
    if file.after is not None and any(path.startswith(inside) for path in zones.protected):
        yield _reject(file, red_line, f"{file.path} takes the place of a folder with protected files")
        return
    if not zones.is_protected(file.path):
        return
    if file.after is None:
        yield _reject(file, red_line, f"the protected {file.path} is deleted")
    elif file.is_link:
        yield _reject(
            file, red_line, f"the protected {file.path} became a symbolic link to {file.after.decode('utf-8', 'replace')[:80]}"
        )
    elif file.before == file.after:
        yield _reject(file, red_line, f"the mode of the protected {file.path} changed")
    elif _same(file):
        evidence = f"only layout or comments of the protected {file.path} changed; the baseline's copy is measured"
        yield Violation(red_line="R2", rule="protected-formatting", action="note", evidence=evidence, file=file.path)
    else:
        yield _reject(file, red_line, f"the protected {file.path} changed: {_excerpt(file)}")


def _reject(file: File, red_line: str, evidence: str) -> Violation:
    return Violation(
        red_line="R6" if red_line == "R6" else "R2", rule="protected-changed", action="reject", evidence=evidence,
        file=file.path, line=file.first_line() if file.after is not None else None, fix=_FIX,
    )  # fmt: skip


def _same(file: File) -> bool:
    return file.old is not None and file.new is not None and syntax.dump(file.old.tree) == syntax.dump(file.new.tree)


def _excerpt(file: File) -> str:
    line = file.first_line()
    return f"line {line}: {file.added[line].strip()[:120]}" if line is not None else f"{len(file.after or b'')} bytes"
