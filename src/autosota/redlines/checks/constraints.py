"""S6 and S17: what the paper's protocol fixes, by effective value, and the formulas that guarantees rest on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota import syntax
from autosota.records import Constraint, Scalar, Violation
from autosota.redlines.difference import Difference

_PREDICATE = re.compile(
    r"quantile|coverage|alpha|epsilon|delta|budget|noise_(scale|multiplier)|clip_norm|privacy|sensitivity|conformal", re.I
)


def of(difference: Difference) -> tuple[Constraint, ...]:
    """Constraints of the rubric and of the analysis, each once."""
    analysis = difference.case.analysis
    return tuple(dict.fromkeys((*difference.case.rubric.constraints, *(analysis.constraints if analysis else ()))))


def changed(difference: Difference) -> Iterator[Violation]:
    """A fixed key has another effective value, left its range, or is gone."""
    from autosota import knobs

    for constraint in of(difference):
        if constraint.file is None or constraint.key is None:
            continue
        try:
            before: Scalar | None = knobs.value(difference.case.tree, constraint.file, constraint.key)
        except (KeyError, ValueError):
            continue
        try:
            after = knobs.value(difference.tree, constraint.file, constraint.key)
        except (KeyError, ValueError):
            evidence = f"{constraint.key} is gone from {constraint.file}; it was {before!r} ({constraint.text})"
            yield _violation(constraint, "constraint-removed", evidence, None)
            continue
        if not allowed(constraint, before, after):
            evidence = f"{constraint.key} is {after!r}, the baseline has {before!r} ({constraint.text})"
            yield _violation(constraint, "constraint-changed", evidence, _line(difference, constraint))
        yield from _overridden(difference, constraint, before)


def allowed(constraint: Constraint, before: Scalar, after: Scalar) -> bool:
    """Is a value within what the constraint says? Without bounds or choices only the baseline's is."""
    if constraint.one_of is not None:
        return after in constraint.one_of
    if constraint.min is None and constraint.max is None:
        return after == before and isinstance(after, bool) == isinstance(before, bool)
    if isinstance(after, bool) or not isinstance(after, (int, float)):
        return False
    return (constraint.min is None or after >= constraint.min) and (constraint.max is None or after <= constraint.max)


def _violation(constraint: Constraint, rule: str, evidence: str, line: int | None, file: str | None = None) -> Violation:
    return Violation(
        red_line="R7", rule=rule, action="reject", evidence=evidence, file=file or constraint.file, line=line,
        fix=f"leave {constraint.key} as the protocol fixes it",
    )  # fmt: skip


def _line(difference: Difference, constraint: Constraint) -> int | None:
    name = (constraint.key or "").split(".")[-1].lstrip("-")
    for file in difference.files:
        if file.path == constraint.file:
            return next((number for number, line in file.added.items() if name in line), file.first_line())
    return None


def _overridden(difference: Difference, constraint: Constraint, before: Scalar) -> Iterator[Violation]:
    """New code that gives the fixed key another literal value on its way: `args.k = 20`, `config["k"] = 20`, `k=20` in update."""
    name = (constraint.key or "").split(".")[-1].lstrip("-").replace("-", "_")
    for file in difference.files:
        if file.new is None:
            continue
        for node in ast.walk(file.new.tree):
            if getattr(node, "lineno", None) not in file.added:
                continue
            for value in _given(node, name):
                if not isinstance(value, ast.Constant) or isinstance(value.value, (bytes, complex, type(...))):
                    continue
                literal = value.value
                if not allowed(constraint, before, literal):
                    evidence = f"{name} is set to {literal!r} in code; the protocol's value is {before!r} ({constraint.text})"
                    yield _violation(constraint, "constraint-overridden", evidence, getattr(node, "lineno", None), file.path)


def _given(node: ast.AST, name: str) -> Iterator[ast.expr]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr == name:
                yield node.value
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and target.slice.value == name:
                yield node.value
    if isinstance(node, ast.Call) and syntax.dotted(node.func).endswith(("update", "setattr", "set_defaults", "replace")):
        yield from (keyword.value for keyword in node.keywords if keyword.arg == name)
        for item in node.args:
            if isinstance(item, ast.Dict):
                for key, value in zip(item.keys, item.values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == name:
                        yield value
        if syntax.dotted(node.func) == "setattr" and len(node.args) == 3:
            attribute = node.args[1]
            if isinstance(attribute, ast.Constant) and attribute.value == name:
                yield node.args[2]


def predicates(difference: Difference) -> Iterator[Violation]:
    """A formula that a guarantee rests on was touched: only where the task declares a floor, ceiling or constraint for one."""
    rubric = difference.case.rubric
    guaranteed = any(spec.floor is not None or spec.ceiling is not None for spec in rubric.metrics) or bool(of(difference))
    if not guaranteed:
        return
    for file in difference.files:
        if file.new is None or file.old is None:
            continue
        for name, function in file.old.functions.items():
            new = file.new.functions.get(name)
            if new is None or syntax.dump(function) == syntax.dump(new):
                continue
            before, after = _formulas(function), _formulas(new)
            for text in sorted(before - after):
                evidence = f"a formula that a guarantee may rest on changed in {name}: {text[:120]}"
                fix = "keep ranks, clips and budgets of the guarantee exactly as they are"
                yield Violation(
                    red_line="R7",
                    rule="predicate-touched",
                    action="review",
                    evidence=evidence,
                    file=file.path,
                    line=new.lineno,
                    fix=fix,
                )


def _formulas(function: syntax.Function) -> set[str]:
    """Statements of rounding, ranks and clips together with a word of guarantees, normalized."""
    found = set()
    for node in syntax.own_nodes(function):
        if isinstance(node, ast.Call) and re.search(
            r"(ceil|floor|quantile|percentile|clip|partition|round)$", syntax.dotted(node.func)
        ):
            words = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
                n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
            }
            if any(_PREDICATE.search(word) for word in words | {function.name}):
                found.add(ast.unparse(node))
    return found
