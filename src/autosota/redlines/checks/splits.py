"""S8 and S9: over which rows the metric is computed, and how its values become the reported number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference
from autosota.zones import calls
from autosota.zones.canonical import FREE, Canonical
from autosota.zones.scopes import Scope


def changed(difference: Difference) -> Iterator[Violation]:
    """S9: a reported metric is no longer computed over the baseline's truth."""
    if not _touches_code(difference):
        return
    before, after = difference.states
    old, new = _scored(before), _scored(after)
    missing = sorted(set(old) - set(new))
    if not missing:
        return
    added = sorted(set(new) - set(old))
    path, line = new[added[0]] if added else _place(difference)
    evidence = f"the metric was computed over the truth of {_source(difference, old[missing[0]], old=True)}"
    evidence += f", now over {_source(difference, (path, line))}" if added else "; in the changed code it is not"
    yield Violation(
        red_line="R5" if "split" in missing[0] or "Slice" in missing[0] else "R6", rule="scored-rows-changed",
        action="reject" if added else "review", evidence=evidence, file=path, line=line,
        fix="leave data, split and the rows that are scored as they are; change what is predicted for them",
    )  # fmt: skip


def reports(difference: Difference) -> Iterator[Violation]:
    """S8: the reported number is another function of the metric's values: another reducer, a best of several, another scale."""
    if not _touches_code(difference):
        return
    before, after = difference.states
    old, new = _reported(before), _reported(after)
    missing = sorted(set(old) - set(new))
    if not missing:
        return
    added = sorted(set(new) - set(old))
    path, line = new[added[0]] if added else _place(difference)
    evidence = f"reported was {_source(difference, old[missing[0]], old=True)}"
    evidence += f", now {_source(difference, (path, line))}" if added else "; now it is not"
    yield Violation(
        red_line="R1", rule="report-changed", action="review", evidence=evidence, file=path, line=line,
        fix="report the metric as the baseline does: same aggregation, same repetitions, same scale",
    )  # fmt: skip


def _touches_code(difference: Difference) -> bool:
    reached = set(difference.case.environment.zones.reached)
    changed_code = [file for file in difference.files if file.new is not None or file.old is not None]
    return any(file.before is None or not reached or file.path in reached for file in changed_code)


def _scored(state: Canonical) -> dict[str, tuple[str, int | None]]:
    """Canonical truth of every reported metric → where it stands."""
    found: dict[str, tuple[str, int | None]] = {}
    for scope, expression in state.flow.scored:
        text = state.text(scope, expression)
        if text != FREE and not text.startswith("<"):
            found.setdefault(text, (scope.module.path, getattr(expression, "lineno", None)))
    return found


def _reported(state: Canonical) -> dict[str, tuple[str, int | None]]:
    """Canonical reported values that hold a metric → where they stand."""
    found: dict[str, tuple[str, int | None]] = {}
    for scope, expression in state.flow.reports:
        for key, value in _values(scope, expression, 0):
            text = state.text(scope, value)
            if text != FREE and _measures(state, text):
                found.setdefault(f"{key}{text}", (scope.module.path, getattr(value, "lineno", None)))
    return found


def measured(difference: Difference) -> Iterator[tuple[str, int, int]]:
    """Places in the candidate's code that report what the baseline reports, under whatever names: file, line, column."""
    before, after = difference.states
    known = set(_reported(before))
    for scope, expression in after.flow.reports:
        texts = [f"{key}{after.text(scope, value)}" for key, value in _values(scope, expression, 0)]
        if texts and any(text in known for text in texts):
            yield scope.module.path, expression.lineno, expression.col_offset


def _values(scope: Scope, expression: ast.expr, depth: int) -> Iterator[tuple[str, ast.expr]]:
    """The single values of a report, dictionaries and texts taken apart."""
    if isinstance(expression, ast.JoinedStr):
        for part in expression.values:
            if isinstance(part, ast.FormattedValue):
                yield from _values(scope, part.value, depth)
    elif isinstance(expression, ast.Dict):
        for key, value in zip(expression.keys, expression.values, strict=True):
            name = f"{key.value!s}=" if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
            for inner, item in _values(scope, value, depth):
                yield name + inner, item
    elif isinstance(expression, (ast.List, ast.Tuple)):
        for item in expression.elts:
            yield from _values(scope, item, depth)
    elif isinstance(expression, ast.Call) and syntax.dotted(expression.func).rsplit(".", 1)[-1] in (
        "dumps",
        "str",
        "format",
        "join",
    ):
        for item in expression.args:
            yield from _values(scope, item, depth)
    elif isinstance(expression, ast.BinOp) and isinstance(expression.op, (ast.Mod, ast.Add)) and _is_text(expression.left):
        yield from _values(scope, expression.right, depth)
    elif isinstance(expression, ast.Name) and depth < 4 and len(scope.assigned.get(expression.id, ())) == 1:
        value, index = scope.assigned[expression.id][0]
        if index is None and isinstance(value, (ast.Dict, ast.JoinedStr, ast.Name)):
            yield from _values(scope, value, depth + 1)
        else:
            yield "", expression
    elif not isinstance(expression, ast.Constant):
        yield "", expression


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _measures(state: Canonical, text: str) -> bool:
    if any(prefix in text for prefix in calls.METRICS) or (FREE in text and "(" in text):
        return True
    return any(state.digest(scope) in text for scope in state.flow.scopes if scope.key in state.flow.metric and scope.name)


def _place(difference: Difference) -> tuple[str | None, int | None]:
    file = next((file for file in difference.files if file.new is not None), None)
    return (file.path, file.first_line()) if file else (None, None)


def _source(difference: Difference, place: tuple[str | None, int | None], *, old: bool = False) -> str:
    """A place with its line of source text."""
    path, line = place
    text = difference.line(path, line, old=old) if path else ""
    words = text if len(text) <= 140 else f"{text[:137]}…"
    return f"`{words}` ({path}:{line})" if words else f"{path or 'another place'}:{line or 1}"
