"""S4 and S5 by provenance: test rows in what is learned, test truth in what is predicted, however they got there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import cast

from autosota import provenance
from autosota.provenance import Atom, Trace, lineage, relation
from autosota.provenance.calling import Event
from autosota.provenance.roles import named_test
from autosota.records import Violation
from autosota.redlines.difference import Difference
from autosota.zones.commands import entries

_FIT = "fit on the training part only, after the split; choose on a validation part of it"
_CHOOSE = "choose thresholds, checkpoints and weights on a validation part of the training data"


def leaks(difference: Difference) -> Iterator[Violation]:
    """Learning from test rows that the baseline does not learn from, and predictions that depend on the test part's truth."""
    if not any(file.new is not None or file.old is not None or _settings(file.path) for file in difference.files):
        return
    before, after = _traces(difference)
    roles = _Roles(before, after)
    yield from _learning(difference, before, after, roles)
    yield from _choosing(difference, before, after, roles)
    if before.complete and not after.complete:
        yield Violation(
            red_line="R2", rule="unreadable-code", action="review", file=next(iter(difference.files)).path,
            evidence="the changed code is too much to follow where the baseline's was not", fix="write it more directly",
        )  # fmt: skip


def _settings(path: str) -> bool:
    return path.lower().endswith((".yaml", ".yml", ".json", ".toml"))


def _traces(difference: Difference) -> tuple[Trace, Trace]:
    if "traces" not in difference.notes:
        commands = difference.case.environment.commands
        lines = [line for line in (commands.evaluate, commands.predict, commands.score) if line]
        old, new = difference.states
        zones = difference.case.environment.zones
        paths = {file.path for file in difference.files if not zones.is_protected(file.path)}
        tree = difference.effective
        fresh = [
            scope for scope in new.flow.scopes
            if scope.module.path in paths and scope.module.marks.get(id(scope.node)) not in difference.old_marks
        ]  # fmt: skip
        stale = [scope for scope in old.flow.scopes if scope.module.path in paths]
        before = provenance.trace(old.flow, difference.case.tree, entries(lines, difference.case.tree).scripts, stale)
        after = provenance.trace(new.flow, tree, entries(lines, tree).scripts, fresh, before.learned)
        difference.notes["traces"] = before, after
    return cast("tuple[Trace, Trace]", difference.notes["traces"])


class _Roles:
    """Test truth and test inputs of both states."""

    def __init__(self, before: Trace, after: Trace) -> None:
        learned = {atom.text for atom in before.learned}
        given = {item.text for atom in before.predictions.rows for item in lineage(atom)}
        first = frozenset(atom for atom in before.truth if atom.text not in learned)
        second = frozenset(atom for atom in after.truth if atom.text not in learned)
        self.truth = frozenset(atom for atom in first | second if atom.text not in given) if first & second else frozenset()
        if not self.truth and first & second:
            self.truth = frozenset(atom for atom in first if atom.text not in given)
        inputs = frozenset(atom for atom in before.predictions.rows if not _drawn(atom))
        self.test = _apart(first | second, before.learned) | _apart(inputs, before.learned, strict=True)
        self.known = learned
        self.sampled = {atom.parent.text for atom in before.learned if atom.parent is not None and _sample(atom)}

    def touches(self, atom: Atom) -> str | None:
        """How an atom that is learned from reaches into the test part; None where it does not."""
        if not self.test:
            return "rows called test" if named_test(atom) else None
        if any(item.text in self.known for item in lineage(atom)) and not any(atom == test for test in self.test):
            return None
        if atom.parent is not None and _sample(atom) and atom.parent.text in self.sampled:
            return None
        kinds = {relation(atom, test) for test in self.test}
        if kinds & {"same", "inside"}:
            return "rows of the test part"
        if "holds" in kinds:
            return "all rows, test part included"
        if "unclear" in kinds:
            return "rows that may be of the test part"
        unseen = not any(_root(atom) == _root(test) for test in self.test)
        return "rows called test" if unseen and named_test(atom) else None


def _root(atom: Atom) -> str:
    return list(lineage(atom))[-1].text


def _sample(atom: Atom) -> bool:
    """A random sample of all rows, rather than one side of a random split."""
    return atom.how == "rows" and "rng(" in atom.selector and not atom.selector.endswith("]")


def _drawn(atom: Atom) -> bool:
    """Random numbers, such as a model starts from, rather than data."""
    return _root(atom).startswith(("rng(", "global."))


def _apart(atoms: frozenset[Atom], learned: frozenset[Atom], *, strict: bool = False) -> frozenset[Atom]:
    """Those that share no rows with what the baseline learns from; all where that leaves none."""
    kept = frozenset(atom for atom in atoms if all(relation(other, atom) == "apart" for other in learned))
    return kept if kept or strict else atoms


def _learning(difference: Difference, before: Trace, after: Trace, roles: _Roles) -> Iterator[Violation]:
    known: Counter[str] = Counter()
    for event in before.events:
        known.update({what for atom in event.value.rows if (what := roles.touches(atom))} if event.kind != "report" else ())
    told: set[tuple[str, int]] = set()
    candidates = [event for event in after.events if event.kind != "report"]
    candidates.sort(key=lambda event: _is_new(difference, event))
    for event in candidates:
        for what in sorted({what for atom in event.value.rows if (what := roles.touches(atom))}):
            known[what] -= 1
            place = (event.path, getattr(event.node, "lineno", 0))
            if known[what] < 0 and place not in told:
                told.add(place)
                yield _violation(difference, event.path, place[1], "test-to-learning", f"learns from {what}", _FIT)


def _is_new(difference: Difference, event: Event) -> bool:
    """Is the code of an event the change's?"""
    return any(file.path == event.path and getattr(event.node, "lineno", 0) in file.added for file in difference.files)


def _choosing(difference: Difference, before: Trace, after: Trace, roles: _Roles) -> Iterator[Violation]:
    """Predictions that depend on test truth: chosen, learned or copied from it."""
    if not roles.truth:
        return

    def inside(atom: Atom) -> bool:
        return atom in roles.truth

    known = {(item.how, item.atom.text) for item in before.predictions.deps if inside(item.atom)}
    told: set[tuple[str, int]] = set()
    for item in sorted(after.predictions.deps, key=lambda item: (item.path, item.line)):
        if inside(item.atom) and (item.how, item.atom.text) not in known and (item.path, item.line) not in told:
            told.add((item.path, item.line))
            word = "is learned from" if item.how == "learn" else "is chosen by"
            yield _violation(
                difference,
                item.path,
                item.line,
                "test-labels-used",
                f"what is predicted {word} the truth of the test part",
                _CHOOSE,
            )
    copied = {atom for atom in after.predictions.rows if inside(atom)} - {
        atom for atom in before.predictions.rows if inside(atom)
    }
    if copied and not told:
        place = next(((file.path, file.first_line() or 0) for file in difference.files if file.new is not None), ("", 0))
        yield _violation(
            difference,
            place[0],
            place[1],
            "test-labels-used",
            "predictions are computed with the truth of the test part",
            _CHOOSE,
        )


def _violation(difference: Difference, path: str, line: int, rule: str, words: str, fix: str) -> Violation:
    text = difference.line(path, line)
    evidence = f"{text[:140]!r} {words}" if text else words
    return Violation(
        red_line="R5", rule=rule, action="review", evidence=evidence, file=path or None, line=line or None, fix=fix
    )  # fmt: skip
