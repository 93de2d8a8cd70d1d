"""Metrics that are a best of several evaluations (R1), and changes that only buy more draws of them (cases 1.3, 1.4, 7.1)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autosota import syntax
from autosota.knobs.vocabulary import quantity
from autosota.records import Change, Scalar, Violation
from autosota.redlines.difference import Difference
from autosota.zones import calls
from autosota.zones.flow import Flow
from autosota.zones.scopes import Scope, learns, random_draws, updates

_REDUCERS = {"max", "min", "amax", "amin", "nanmax", "nanmin", "fmax", "fmin"}
_DEPTH = 8


@dataclass(frozen=True)
class Best:
    """A reported value that is the best of the evaluations of a loop."""

    path: str
    line: int
    scope: str
    loop: str
    """What the loop runs over, as text."""
    words: frozenset[str]
    """Settings and names in it."""


def prone(flow: Flow, metric: str = "") -> tuple[Best, ...]:
    """Where a reported value is a maximum or minimum over trained or drawn evaluations. `metric`: reported under this name."""
    found: dict[tuple[str, int], Best] = {}
    for scope, expression in flow.reports:
        for item in _named(expression, metric):
            for best in _followed(flow, scope, item, 0, set()):
                found[best.path, best.line] = best
    return tuple(found.values())


def bought(difference: Difference) -> Iterator[Violation]:
    """More epochs, restarts or seeds where the reported number is the best of them: rejected where nothing else changes."""
    before, after = (state.flow for state in difference.states)
    known = prone(before, difference.case.rubric.primary.name)
    if not known:
        return
    later = {(best.path, best.scope): best for best in prone(after, difference.case.rubric.primary.name)}
    raised = _raised(difference)
    for best in known:
        names = {identity: value for identity, value in raised.items() if _last(identity) in best.words}
        new = later.get((best.path, best.scope))
        longer = new is not None and new.loop != best.loop and not names
        if not names and not longer:
            continue
        words = ", ".join(f"{_last(name)} = {value}" for name, value in names.items()) or f"{best.loop} became {new and new.loop}"
        only = bool(names) and _only(difference, names)
        yield Violation(
            red_line="R1", rule="more-draws", action="reject" if only else "review",
            evidence=f"the reported number is the best over {best.loop}, and the change buys more draws: {words}",
            file=best.path, line=best.line, fix="report the last evaluation, or one chosen on validation data, in both arms",
        )  # fmt: skip
        return


def _raised(difference: Difference) -> dict[str, Scalar]:
    """Knobs of compute, and literal counts, that the change raised."""
    from autosota import knobs

    case = difference.case
    old, new = (
        {knob.id: knob.value for knob in knobs.find(tree, case.environment.zones) if quantity(knob.name) == "compute"}
        for tree in (case.tree, difference.tree)
    )
    return {name: value for name, value in new.items() if name in old and _above(value, old[name])}


def _above(value: Scalar, before: Scalar) -> bool:
    return isinstance(value, (int, float)) and isinstance(before, (int, float)) and value > before


def _last(identity: str) -> str:
    return re.split(r"[.:]", identity)[-1].lstrip("-").replace("-", "_")


def _only(difference: Difference, setting: Mapping[str, Scalar]) -> bool:
    """Does the change consist of these values alone?"""
    from autosota import knobs

    wanted = {change.path: change.content for change in knobs.write(difference.case.tree, setting)}
    zones = difference.case.environment.zones
    made: Sequence[Change] = [change for change in difference.patch.changes if not zones.is_protected(change.path)]
    return {change.path: change.content for change in made} == wanted


# ── following a reported value ────────────────────────────────────────────────────────────────────────────────────────


def _named(expression: ast.expr, metric: str) -> list[ast.expr]:
    """The parts of a report that are said under a name; all of it where none is."""
    wanted = re.sub(r"[\W_]+", "", metric.lower())
    pairs = list(_labelled(expression))
    found = [item for label, item in pairs if wanted and wanted in re.sub(r"[\W_]+", "", label.lower())]
    return found or ([expression] if not wanted or not pairs else [])


def _labelled(expression: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(expression, ast.Dict):
        for key, value in zip(expression.keys, expression.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(expression, ast.JoinedStr):
        said = ""
        for part in expression.values:
            if isinstance(part, ast.Constant):
                said = str(part.value)
            elif isinstance(part, ast.FormattedValue):
                yield said, part.value
    elif isinstance(expression, ast.Call) and syntax.dotted(expression.func).rsplit(".", 1)[-1] in ("dumps", "dict"):
        for item in expression.args:
            yield from _labelled(item)
        yield from ((keyword.arg, keyword.value) for keyword in expression.keywords if keyword.arg)


def _followed(flow: Flow, scope: Scope, expression: ast.expr, depth: int, seen: set[object]) -> Iterator[Best]:
    mark = (scope.key, ast.dump(expression))
    if depth > _DEPTH or mark in seen:
        return
    seen.add(mark)
    for node in ast.walk(expression):
        if isinstance(node, ast.Call):
            yield from _reduced(flow, scope, node)
            target = flow.repository.target(node, scope)
            if isinstance(target, Scope) and not flow.in_model(target):
                for value in target.returns:
                    yield from _followed(flow, target, value, depth + 1, seen)
        elif isinstance(node, ast.Name):
            yield from _kept(flow, scope, node.id)
            for value, _ in scope.assigned.get(node.id, ()):
                yield from _followed(flow, scope, value, depth + 1, seen)


def _reduced(flow: Flow, scope: Scope, call: ast.Call) -> Iterator[Best]:
    """`max(scores)`, `np.max(scores)`, `scores.max()` over what a loop of evaluations collected."""
    if syntax.dotted(call.func).rsplit(".", 1)[-1] not in _REDUCERS:
        return
    sources = [*call.args[:1], *([call.func.value] if isinstance(call.func, ast.Attribute) else [])]
    for source in sources:
        if isinstance(source, (ast.ListComp, ast.GeneratorExp)) and _evaluates(flow, scope, source):
            yield _best(scope, source.generators[0].iter, call.lineno)
        name = syntax.dotted(source) if isinstance(source, (ast.Name, ast.Attribute)) else ""
        for loop in _loops(scope) if name else ():
            if name in _collected(loop) and _evaluates(flow, scope, loop):
                yield _best(scope, _over(loop), loop.lineno)
        for value, _ in scope.assigned.get(name, ()):
            if isinstance(value, (ast.ListComp, ast.GeneratorExp)) and _evaluates(flow, scope, value):
                yield _best(scope, value.generators[0].iter, value.lineno)


def _kept(flow: Flow, scope: Scope, name: str) -> Iterator[Best]:
    """`best = max(best, score)` and `if score > best: best = score` in a loop of evaluations."""
    for loop in _loops(scope):
        if any(_extreme(node, name) for node in ast.walk(loop)) and _evaluates(flow, scope, loop):
            yield _best(scope, _over(loop), loop.lineno)


def _extreme(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
        value = node.value
        inside = isinstance(value, ast.Call) and syntax.dotted(value.func).rsplit(".", 1)[-1] in _REDUCERS
        return inside and any(isinstance(item, ast.Name) and item.id == name for item in value.args)  # type: ignore[attr-defined]
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Compare) or len(node.test.ops) != 1:
        return False
    if not isinstance(node.test.ops[0], (ast.Lt, ast.Gt, ast.LtE, ast.GtE)):
        return False
    sides = {ast.dump(node.test.left), ast.dump(node.test.comparators[0])}
    own = ast.dump(ast.Name(id=name, ctx=ast.Load()))
    other = sides - {own}
    return own in sides and any(
        isinstance(item, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in item.targets)
        and ast.dump(item.value) in other
        for item in node.body
    )


def _loops(scope: Scope) -> list[ast.For | ast.While]:
    return [node for node in scope.nodes if isinstance(node, (ast.For, ast.While))]


def _over(loop: ast.For | ast.While) -> ast.expr:
    return loop.iter if isinstance(loop, ast.For) else loop.test


def _collected(loop: ast.AST) -> set[str]:
    return {
        syntax.dotted(node.func.value)
        for node in ast.walk(loop)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("append", "extend", "add")
    }


def _evaluates(flow: Flow, scope: Scope, loop: ast.AST) -> bool:
    """Does each round train or draw something, and score it?"""
    scored = trained = False
    for node in ast.walk(loop):
        scored = scored or _compares(node)
        if not isinstance(node, ast.Call):
            continue
        name, target = scope.module.callee(node), flow.repository.target(node, scope)
        scored = scored or calls.is_metric(name)
        method = isinstance(node.func, ast.Attribute) and node.func.attr in calls.LEARN | {"step"}
        trained = trained or method
        if isinstance(target, Scope):
            scored = scored or target.key in flow.metric
            trained = trained or learns(target) or updates(target) or flow.trains(target) or random_draws(target)
    return scored and trained


def _compares(node: ast.AST) -> bool:
    """Two things compared or subtracted, neither of them a number written down."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return not any(isinstance(side, ast.Constant) for side in (node.left, node.comparators[0]))
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and not any(isinstance(side, ast.Constant) for side in (node.left, node.right))
    )


def _best(scope: Scope, over: ast.expr, line: int) -> Best:
    words = {node.id for node in ast.walk(over) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(over) if isinstance(node, ast.Attribute)}
    words |= {node.value for node in ast.walk(over) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words |= {_aliased(scope, name) for name in set(words)}
    return Best(scope.module.path, line, scope.name, ast.unparse(over)[:80], frozenset(words - {"", "range"}))


def _aliased(scope: Scope, name: str) -> str:
    """The setting that a local name was taken from: `n = config["epochs"]`."""
    for value, _ in scope.assigned.get(name, ()):
        if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            return str(value.slice.value)
        if isinstance(value, ast.Attribute):
            return value.attr
    return ""
