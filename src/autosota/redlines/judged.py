"""What code cannot decide (validity.md 3.7): the questions, put to a model where there is one, else to a person in the report.

Whoever judges may only escalate: an answer makes a REVIEW, never a rejection, and never clears what a rule has found.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from autosota import syntax
from autosota.knobs.vocabulary import is_switch, quantity, words
from autosota.records import Case, Knob, Scalar, Violation
from autosota.redlines.checks import constraints
from autosota.redlines.difference import Difference
from autosota.syntax import Module
from autosota.zones.flow import Flow
from autosota.zones.scopes import Scope

ASKED = ("for-a-person", "component-off", "literals-on-predictions")
"""Rules whose notes are questions."""
_NEAR_ZERO = 0.01
_WEIGHT = re.compile(r"weight|lambda|alpha|beta|coef|strength|scale|mix|gamma|ratio|reg|penalty|blend|tau")
_COMMON = frozenset(
    """
    about above after algorithm approach based between class classes data dataset deep error estimation evaluation feature
    features forecast function functions general high image images large layer layers learning level linear loss method
    methods metric model models network networks neural number output paper performance point points predict prediction
    problem random rate result results sample samples scale score search series show size step study system task test text
    time train training using value values weight with without work
    """.split()  # noqa: SIM905
)


class Judge(Protocol):
    """Answers questions about a change. What it raises is put before a person."""

    def judge(self, difference: Difference, questions: Sequence[Violation]) -> Sequence[Violation]:
        """Of the questions, those that it thinks a person must decide, with its evidence; none where it sees no reason."""
        ...


def questions(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """The notes of a verdict that ask something."""
    return tuple(v for v in violations if v.action == "note" and v.rule in ASKED)


def escalated(judge: Judge | None, difference: Difference, violations: Sequence[Violation]) -> tuple[Violation, ...]:
    """What a judge adds to the findings of the rules: reviews only, whatever it says."""
    asked = questions(violations)
    if judge is None or not asked:
        return ()
    return tuple(found.model_copy(update={"action": "review"}) for found in judge.judge(difference, asked))


# ── the questions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def unkeyed(difference: Difference) -> Iterator[Violation]:
    """Constraints in words alone: whether a change keeps them is for a judge or a person."""
    if not difference.files:
        return
    for constraint in constraints.of(difference):
        if constraint.key is None:
            yield Violation(
                red_line="R7", rule="for-a-person", action="note", evidence=f"does the change keep this: {constraint.text}?",
                fix="give the constraint a `file` and a `key`, so that it is checked",
            )  # fmt: skip


def components(difference: Difference) -> Iterator[Violation]:
    """Parts of the method that the change weights to nothing, switches off, or no longer calls (Q7): was it the paper's own?"""
    for name, words_, file in _off(difference):
        own = of_paper(name, difference.case)
        why = f"the paper speaks of {own}" if own else "is it a part of the paper's own method?"
        yield Violation(
            red_line="R7", rule="component-off", action="note", evidence=f"{words_}; {why}", file=file,
            fix="keep the paper's method in, or say that the gain does not come from it",
        )  # fmt: skip


def hollowed(difference: Difference) -> bool:
    """Does the change take out something that the paper names in its title, abstract or headings?"""
    return any(of_paper(name, difference.case) for name, _, _ in _off(difference))


def of_paper(name: str, case: Case) -> str | None:
    """A word of a part's name that the paper's title, abstract or headings use; None where there is none, or no paper."""
    if case.paper is None:
        return None
    heads = " ".join(section.title for section in case.paper.sections)
    said = set(re.findall(r"[a-z]{3,}", f"{case.paper.title} {case.paper.abstract} {heads}".lower()))
    parts = [part for part in words(name).split("_") if len(part) > 3 and part not in _COMMON]
    return next((part for part in parts if part in said or f"{part}s" in said or part.removesuffix("s") in said), None)


def _off(difference: Difference) -> list[tuple[str, str, str]]:
    if "off" not in difference.notes:
        difference.notes["off"] = [*_values(difference), *_uncalled(difference)]
    return difference.notes["off"]  # type: ignore[return-value]


def _values(difference: Difference) -> Iterator[tuple[str, str, str]]:
    """Weights set to about nothing and switches turned off."""
    from autosota import knobs

    touched = {file.path for file in difference.files}
    if not any(path.endswith((".py", ".yaml", ".yml", ".toml", ".json", ".ini", ".cfg")) for path in touched):
        return
    zones = difference.case.environment.zones
    old: Mapping[str, Knob] = {knob.id: knob for knob in knobs.find(difference.case.tree, zones) if knob.file in touched}
    new: Mapping[str, Scalar] = {knob.id: knob.value for knob in knobs.find(difference.tree, zones) if knob.file in touched}
    for identity, knob in old.items():
        if identity in new and _turned_off(knob, new[identity]):
            yield knob.name, f"{knob.name} goes from {knob.value} to {new[identity]}", knob.file


def _turned_off(knob: Knob, after: Scalar) -> bool:
    before = knob.value
    if isinstance(before, bool):
        return before and after is False and is_switch(knob.name)
    if not isinstance(before, (int, float)) or not isinstance(after, (int, float)) or isinstance(after, bool) or before == 0:
        return False
    weight = quantity(knob.name) in ("penalty", "scale", "unit") or _WEIGHT.search(words(knob.name)) is not None
    return weight and abs(after) <= _NEAR_ZERO * abs(before)


def _uncalled(difference: Difference) -> Iterator[tuple[str, str, str]]:
    """Functions and classes that the evaluation no longer calls, and that were not just moved or renamed."""
    before, after = (state.flow for state in difference.states)
    marks = frozenset().union(*(module.mark_set for module in after.modules)) if after.modules else frozenset()
    later = _called(after)
    for (path, name), (module, node) in _called(before).items():
        short = name.rsplit(".", 1)[-1]
        if (path, name) in later or any(other.rsplit(".", 1)[-1] == short for _, other in later):
            continue
        if (path, name) in before.metric | before.data or (_kept(node, module, marks) and _used(short, after)):
            continue
        yield name, f"{name} is no longer called", path


def _called(flow: Flow) -> dict[tuple[str, str], tuple[Module, ast.AST]]:
    found: dict[tuple[str, str], tuple[Module, ast.AST]] = {}
    for scope in flow.scopes:
        for call in scope.calls:
            target = flow.repository.target(call, scope)
            if isinstance(target, Scope):
                found[target.key] = (target.module, target.node)
            elif isinstance(target, ast.ClassDef):
                module = next((item for item in flow.modules if target in item.classes.values()), None)
                if module is not None:
                    found[module.path, target.name] = (module, target)
    return found


def _kept(node: ast.AST, module: Module, marks: frozenset[int]) -> bool:
    return module.marks.get(id(node)) in marks


def _used(name: str, flow: Flow) -> bool:
    """Is it handed on by name somewhere, if not called?"""
    return any(
        (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)
        for module in flow.modules
        for node in ast.walk(module.tree)
    ) or any(name in syntax.dotted(call.func) for scope in flow.scopes for call in scope.calls)
