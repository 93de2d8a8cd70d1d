"""Which data are test truth, test inputs or learned from, in one state of a repository."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autosota.provenance.calling import Event
from autosota.provenance.interpreter import Interpreter
from autosota.provenance.values import Atom, Value, join, lineage
from autosota.zones.flow import Flow
from autosota.zones.scopes import Scope

_TESTY = re.compile(r"(^|[^a-z])(tests?|tst|hold_?out|held_?out|heldout|unseen)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Trace:
    """What an abstract run showed."""

    truth: frozenset[Atom]
    """Of the reported metrics, as their computations are given it."""
    predictions: Value
    """Everything that reported metrics are computed from beside the truth."""
    events: tuple[Event, ...]
    """Learning and reports, in order."""
    learned: frozenset[Atom]
    complete: bool
    """False where the code was too much to follow to its end."""


def trace(flow: Flow, tree: Mapping[str, bytes], scripts: Iterable[str], changed: Iterable[Scope] = (),
          known: frozenset[Atom] | None = None) -> Trace:  # fmt: skip
    """Follow the data of an evaluation from its scripts.

    `changed`: functions to look at even if nothing is seen to call them. `known`: what is known to be learned from, elsewhere
    than in this state, so that a change cannot hide what it learns from.
    """
    scored = {id(expression) for _, expression in flow.scored}
    others = {id(expression) for _, expression in flow.truths} - scored
    run = Interpreter(flow.repository, tree, frozenset(scored | others))
    try:
        _follow(run, scripts, changed)
    except RecursionError:
        run.complete = False
    learned = frozenset(atom for event in run.events if event.kind != "report" for atom in event.value.rows)
    own = {atom.text for atom in learned} if known is None else {atom.text for atom in known}
    pieces = {key for calls in flow.pieces.values() for key in calls}
    metrics = [pair for key, pair in run.metrics.items() if key in pieces]
    judged = [run.seen[key] for key in others if key in run.seen]
    made = [value for value in judged if value.deps or value.through or any(atom.text in own for atom in value.rows)]
    pure = [value for value in judged if value not in made] if made or metrics else []
    truth = join([*(run.seen[key] for key in scored if key in run.seen), *(pair[0] for pair in metrics), *pure])
    predictions = join([*(made if made or metrics else judged), *(pair[1] for pair in metrics)])
    return Trace(truth.rows, predictions, tuple(run.events), learned, run.complete)


def _follow(run: Interpreter, scripts: Iterable[str], changed: Iterable[Scope]) -> None:
    for path in scripts:
        run.load(path)
    for scope in changed:
        if (
            scope.key not in run.reached
            and scope.name
            and run.complete
            and isinstance(scope.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ):
            run.call_unseen(scope)


def named_test(atom: Atom) -> bool:
    """Does the name of a file, key or parameter on the way say that these are test rows?"""
    words = [item.selector if item.how == "columns" else item.text for item in lineage(atom) if item.how != "rows"]
    return any(_TESTY.search(word) for word in words if "rng(" not in word and not word.startswith("global."))
