"""S4 and S5: test data that reach learning, selection or anything else but the metric, by flow through names and calls."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference
from autosota.zones import calls
from autosota.zones.canonical import Canonical
from autosota.zones.scopes import Scope, learns

_PART = re.compile(r"(\.\w+|\[\d+\])$")
_BARE = re.compile(r"<[^<>]*>[\w.\[\]]*$")
_SHAPE = {"shape", "size", "ndim", "dtype"}
_HARMLESS = {"len", "print", "str", "repr", "type", "isinstance", "shape", "format", "range", "info", "debug"}


def into_learning(difference: Difference) -> Iterator[Violation]:
    """S4: new calls that fit or train on rows of the test part, or on all rows before they are split."""
    before, after = difference.states
    old, new = _changed(difference)
    known = {text for _, _, text in _sinks(before, old)}
    tests = _tests(before)
    for scope, call, text in _sinks(after, new):
        if text in known:
            continue
        for item in _learned(after, scope, call):
            found = _touches(after, scope, item, tests)
            if found:
                evidence = f"{ast.unparse(call)[:120]} learns from {found}"
                yield Violation(
                    red_line="R5", rule="test-to-learning", action="review", evidence=evidence, file=scope.module.path,
                    line=call.lineno, fix="fit on the training part only, after the split; choose on a validation part of it",
                )  # fmt: skip
                break


def labels_elsewhere(difference: Difference) -> Iterator[Violation]:
    """S5: new uses of the test truth outside the protected computation of the metric: thresholds, checkpoints, oracles."""
    before, after = difference.states
    old, new = _changed(difference)
    truths = _truths(before)
    truths |= {bundle for truth in truths for bundle in _bundles(truth)}
    known = Counter(text for _, _, text in _uses(before, old, truths))
    for scope, node, text in _uses(after, new, truths):
        known[text] -= 1
        if known[text] < 0:
            evidence = f"{ast.unparse(node)[:120]} uses the truth of the test part"
            yield Violation(
                red_line="R5", rule="test-labels-used", action="review", evidence=evidence, file=scope.module.path,
                line=getattr(node, "lineno", None),
                fix="choose thresholds, checkpoints and weights on a validation part of the training data",
            )  # fmt: skip


def _changed(difference: Difference) -> tuple[list[Scope], list[Scope]]:
    """Functions and module code that the patch changes, adds or removes, in both states; the protected zone aside."""
    before, after = difference.states
    zones = difference.case.environment.zones
    paths = {file.path for file in difference.files if not zones.is_protected(file.path)}
    new_marks = frozenset().union(*(file.new.mark_set for file in difference.files if file.new is not None))
    return (
        [scope for scope in before.flow.scopes if scope.module.path in paths and _mark(scope) not in new_marks],
        [scope for scope in after.flow.scopes if scope.module.path in paths and _mark(scope) not in difference.old_marks],
    )


def _mark(scope: Scope) -> int | None:
    return scope.module.marks.get(id(scope.node))


def _truths(state: Canonical) -> set[str]:
    """Canonical truth of reported metrics, with enough in it to be recognized."""
    texts = {state.text(scope, expression) for scope, expression in state.flow.scored}
    return {text for text in texts if _telling(text)}


def _tests(state: Canonical) -> set[str]:
    """Texts of test rows: the truth, and what predictions inside metric computations are made from."""
    found = _truths(state)
    for scope, expression in state.flow.truths:
        for name in {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}:
            for value, _ in scope.assigned.get(name, ()):
                found.update(_predicted(state, scope, value))
        found.update(_predicted(state, scope, expression))
    return {text for text in found if _telling(text)}


def _telling(text: str) -> bool:
    """Is there enough in a text to recognize it by? A parameter or a bare function is nothing yet; what a loader returned is."""
    return len(text) > 8 and not _BARE.match(text)


def _predicted(state: Canonical, scope: Scope, expression: ast.expr) -> Iterator[str]:
    """Texts of what predictions in an expression are made from."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls.PREDICT:
            yield from (state.text(scope, item) for item in node.args)


def _sinks(state: Canonical, scopes: Sequence[Scope]) -> list[tuple[Scope, ast.Call, str]]:
    """Calls that learn in the changed files, with their canonical arguments."""
    found = []
    for scope in scopes:
        for call in scope.calls:
            direct = isinstance(call.func, ast.Attribute) and call.func.attr in calls.LEARN
            target = None if direct else state.flow.repository.target(call, scope)
            if direct or (isinstance(target, Scope) and learns(target) and target.key not in state.flow.metric):
                callee = syntax.dotted(call.func).rsplit(".", 1)[-1]
                arguments = [state.text(scope, item) for item in (*call.args, *(keyword.value for keyword in call.keywords))]
                found.append((scope, call, f"{callee}({', '.join(arguments)})"))
    return found


def _learned(state: Canonical, scope: Scope, call: ast.Call) -> Iterator[ast.expr]:
    """The arguments that are learned from: all of `fit`, and of a function of the repository those it hands on to `fit`."""
    target = state.flow.repository.target(call, scope)
    keywords = [keyword.value for keyword in call.keywords]
    if not isinstance(target, Scope):
        yield from (*call.args, *keywords)
        return
    fits = [item for item in target.calls if isinstance(item.func, ast.Attribute) and item.func.attr in calls.LEARN]
    names = {
        node.id for item in fits for part in (*item.args, *item.keywords) for node in ast.walk(part) if isinstance(node, ast.Name)
    }
    offset = 1 if target.parameters[:1] == ("self",) else 0
    for index, item in enumerate(call.args):
        parameter = target.parameters[index + offset] if index + offset < len(target.parameters) else ""
        if not fits or parameter in names or not parameter:
            yield item
    yield from (keyword.value for keyword in call.keywords if not fits or keyword.arg in names)


def _touches(state: Canonical, scope: Scope, item: ast.expr, tests: set[str]) -> str | None:
    """Does an argument hold test rows, or all the rows that a split takes the test part from?"""
    text = state.text(scope, item)
    if not _telling(text):
        return None
    for test in tests:
        if test in text:
            return "rows of the test part"
        if text in test and text != test and ("split" in test or state.flow.made_of_data(scope, item)):
            return "all rows, test part included"
    return None


def _bundles(truth: str) -> set[str]:
    """What holds a truth among other things: `test` of `test.y`, a loader's result of its second part."""
    found = set()
    while match := _PART.search(truth):
        truth = truth[: match.start()]
        if len(truth) > 8 and match[0].startswith("."):
            found.add(truth)
    return found


def _holds(state: Canonical, scope: Scope, node: ast.expr, truths: set[str]) -> bool:
    """Is test truth handed over in an expression: itself, rows of it, or what it lies in? Calls inside are seen by themselves."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        name = syntax.dotted(node)
        if isinstance(node, ast.Attribute) and node.attr in _SHAPE:
            return False
        return bool(name) and state.text(scope, node) in truths
    if isinstance(node, (ast.Call, ast.Lambda, ast.Constant, ast.Compare)):
        return False
    if state.text(scope, node) in truths:
        return True
    if isinstance(node, ast.Subscript):
        return _holds(state, scope, node.value, truths)
    return any(_holds(state, scope, child, truths) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _uses(state: Canonical, scopes: Sequence[Scope], truths: set[str]) -> Iterator[tuple[Scope, ast.expr, str]]:
    """Calls and comparisons in the changed files that are given test truth; predictions, results and the metric aside."""
    if not truths:
        return
    for scope in scopes:
        for node in scope.nodes:
            if isinstance(node, ast.Call):
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                held = [_holds(state, scope, item, truths) for item in given]
                if any(held) and not _blind(state, scope, node, held):
                    yield scope, node, f"{scope.module.callee(node)}({', '.join('truth' if each else '_' for each in held)})"
            elif isinstance(node, (ast.Compare, ast.BinOp)):
                sides = [node.left, *(node.comparators if isinstance(node, ast.Compare) else [node.right])]
                held = [_holds(state, scope, side, truths) for side in sides]
                if any(held):
                    yield scope, node, f"{type(node).__name__}({', '.join('truth' if each else '_' for each in held)})"


def _blind(state: Canonical, scope: Scope, call: ast.Call, held: Sequence[bool]) -> bool:
    """Does a call that is given test rows make nothing of their truth but predictions, results and the metric?"""
    name = scope.module.callee(call)
    last = syntax.dotted(call.func).rsplit(".", 1)[-1]
    if last in _HARMLESS or calls.is_sink(call, name):
        return True
    target = state.flow.repository.target(call, scope)
    if not isinstance(target, Scope):
        return last in calls.PREDICT and isinstance(call.func, ast.Attribute) and len(call.args) == 1 and not call.keywords
    return target.key in state.flow.metric or _only_writes(target)


def _only_writes(scope: Scope) -> bool:
    """Does a function hand what it is given to files and logs, returning and keeping nothing?"""
    kept = any(isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store) for node in scope.nodes)
    return not scope.returns and not kept and any(calls.is_sink(call, scope.module.callee(call)) for call in scope.calls)
