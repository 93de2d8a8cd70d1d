"""T4 as a rule: what the protocol counts (queries of an oracle, draws of a budget) is asked past its counter."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.checks import constraints, fresh
from autosota.redlines.difference import Difference
from autosota.syntax import Module
from autosota.zones.flow import Flow


@dataclass(frozen=True)
class Meter:
    """A class of the baseline that counts the calls of a method."""

    path: str
    name: str
    counted: str
    """The method that counts."""
    counter: str
    """The attribute that it counts in."""
    inner: frozenset[str]
    """Methods that do the work for it and count nothing themselves."""
    state: frozenset[str]
    """Attributes that the work is done from."""


def bypassed(difference: Difference) -> Iterator[Violation]:
    """New code that calls the uncounted part of a counted interface, sets its counter, reads its inside, or makes another one."""
    before = difference.states[0].flow
    reported = _reported(before)
    meters = [meter for module in before.modules for meter in _meters(module, reported)]
    if not meters:
        return
    fixed = {constraint.file for constraint in constraints.of(difference)}
    holders = {meter: _holders(meter, _modules(difference)) for meter in meters}
    for found in fresh.nodes(difference, ast.Call, ast.Attribute):
        for meter in meters:
            evidence = _evidence(found, meter, holders[meter])
            if evidence:
                yield Violation(
                    red_line="R7", rule="counter-bypassed", action="reject" if meter.path in fixed else "review",
                    evidence=evidence, file=found.file.path, line=found.line,
                    fix=f"ask through {meter.name}.{meter.counted}, which counts",
                )  # fmt: skip
                break


def _modules(difference: Difference) -> list[Module]:
    changed = [file.new for file in difference.files if file.new is not None]
    return [*difference.states[0].flow.modules, *changed]


def _meters(module: Module, reported: frozenset[str]) -> Iterator[Meter]:
    for owner, definition in module.classes.items():
        methods = {node.name: node for node in definition.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
        for name, method in methods.items():
            for counter in _counters(method):
                if name == "__init__" or not (_bounded(method, counter) or counter in reported):
                    continue
                inner = {word for word in _own(method) if word in methods and not list(_counters(methods[word]))}
                state = {word for part in inner for word in _own(methods[part]) if word not in methods} - {counter}
                yield Meter(module.path, owner, name, counter, frozenset(inner), frozenset(state))


def _counters(method: ast.AST) -> Iterator[str]:
    for node in ast.walk(method):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
            name = syntax.dotted(node.target)
            if name.startswith("self.") and name.count(".") == 1:
                yield name.removeprefix("self.")


def _bounded(method: ast.AST, counter: str) -> bool:
    """Is the counter held against a limit, with an error beyond it?"""
    return any(
        isinstance(node, ast.If)
        and any(syntax.dotted(part) == f"self.{counter}" for part in ast.walk(node.test) if isinstance(part, ast.expr))
        and any(isinstance(part, ast.Raise) for part in ast.walk(node))
        for node in ast.walk(method)
    )


def _reported(flow: Flow) -> frozenset[str]:
    """Attributes that code reads which computes or reports the metric."""
    return frozenset(
        node.attr
        for scope in flow.scopes
        if scope.key in flow.metric
        for node in scope.nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and syntax.dotted(node.value) != "self"
    )


def _own(method: ast.AST) -> set[str]:
    """Names of what a method takes from `self`."""
    return {
        node.attr for node in ast.walk(method) if isinstance(node, ast.Attribute) and syntax.dotted(node.value) == "self"
    }  # fmt: skip


def _holders(meter: Meter, modules: Iterable[Module]) -> frozenset[str]:
    """Names under which an object of the class is held: what it is assigned to, and what its counted method is called on."""
    found: set[str] = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                if syntax.dotted(node.value.func).rsplit(".", 1)[-1] == meter.name.rsplit(".", 1)[-1]:
                    found.update(syntax.dotted(target) for target in node.targets)
            elif isinstance(node, ast.Attribute) and node.attr == meter.counted:
                found.add(syntax.dotted(node.value))
    return frozenset(name.removeprefix("self.") for name in found - {"", "self"})


def _evidence(found: fresh.Fresh, meter: Meter, holders: frozenset[str]) -> str | None:
    node = found.node
    if found.file.path == meter.path and found.scope.startswith(f"{meter.name}."):
        return None
    if isinstance(node, ast.Call):
        made = syntax.dotted(node.func).rsplit(".", 1)[-1] == meter.name.rsplit(".", 1)[-1]
        return f"{ast.unparse(node)[:80]} makes another {meter.name}, with a counter of its own" if made else None
    if not isinstance(node, ast.Attribute) or syntax.dotted(node.value).removeprefix("self.") not in holders:
        return None
    text = ast.unparse(node)[:80]
    if node.attr in meter.inner:
        return f"{text} asks past {meter.counted}, which counts in {meter.counter}"
    if node.attr == meter.counter and not isinstance(node.ctx, ast.Load):
        return f"{text} sets the counter of {meter.name}.{meter.counted}"
    return f"{text} reads what {meter.name}.{meter.counted} answers from" if node.attr in meter.state else None
