"""A patch beside the tree it changes: what every static rule looks at. Pure; parsed once and shared by all rules."""

from __future__ import annotations

import difflib
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from autosota import syntax
from autosota.records import Case, Change, Patch
from autosota.syntax import Module
from autosota.zones import analyse
from autosota.zones.canonical import Canonical


@dataclass(frozen=True, eq=False)
class File:
    """One changed file, in both states."""

    path: str
    before: bytes | None
    """None: it is new."""
    after: bytes | None
    """None: it is deleted."""
    mode: str

    @cached_property
    def old(self) -> Module | None:
        """The baseline's state parsed; None where it is absent or no Python."""
        return syntax.module(self.path, self.before)

    @cached_property
    def new(self) -> Module | None:
        """The candidate's state parsed; None where it is deleted or no Python."""
        return syntax.module(self.path, self.after)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The candidate's text; for a notebook its code cells joined."""
        return tuple((syntax.code(self.path, self.after) or "").split("\n"))

    @cached_property
    def added(self) -> Mapping[int, str]:
        """Line number (from 1) → text of every line that is new or changed."""
        before = (syntax.code(self.path, self.before) or "").split("\n") if self.before is not None else []
        after = list(self.lines)
        if not before:
            return {number: line for number, line in enumerate(after, 1) if line.strip()}
        if len(before) > 20_000 or len(after) > 20_000:
            known = set(before)
            return {number: line for number, line in enumerate(after, 1) if line not in known}
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        return {
            number + 1: after[number]
            for tag, _, _, start, end in matcher.get_opcodes()
            if tag in ("replace", "insert")
            for number in range(start, end)
            if after[number].strip()
        }

    @property
    def is_link(self) -> bool:
        """Is it a symbolic link now?"""
        return self.mode == "120000"

    def first_line(self) -> int | None:
        """First changed line of the candidate's text, for pointing at."""
        return min(self.added, default=None)


class Difference:
    """All changed files of a patch with both states, and the candidate's tree as a whole."""

    def __init__(self, patch: Patch, case: Case) -> None:
        self.patch = patch
        self.case = case
        self.notes: dict[str, object] = {}
        """What one check found that others use too."""
        self._changes: dict[str, Change] = {change.path: change for change in patch.changes}

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Every changed file, by path."""
        return tuple(
            File(path, self.case.tree.get(path), change.content, change.mode) for path, change in sorted(self._changes.items())
        )

    @cached_property
    def old_marks(self) -> frozenset[int]:
        """Marks of all code in the baseline's state of the changed files."""
        return frozenset().union(*(file.old.mark_set for file in self.files if file.old is not None))

    @cached_property
    def tree(self) -> Mapping[str, bytes]:
        """The candidate's tree. Built on demand: only paths are copied, contents stay lazy."""
        return Overlay(self.case.tree, self._changes)

    def before(self, path: str) -> Module | None:
        """A file of the baseline parsed."""
        if path in self._parsed:
            return self._parsed[path]
        self._parsed[path] = syntax.module(path, self.case.tree.get(path))
        return self._parsed[path]

    @cached_property
    def _parsed(self) -> dict[str, Module | None]:
        return {file.path: file.old for file in self.files}

    @cached_property
    def states(self) -> tuple[Canonical, Canonical]:
        """The flow to the reported numbers in both states, ready to compare; protected files count as in the baseline."""
        return _baseline(self.case), _state(self.case, self.effective)

    @cached_property
    def effective(self) -> Mapping[str, bytes]:
        """The tree that is measured: the candidate's, protected files as in the baseline."""
        zones = self.case.environment.zones
        return Overlay(self.case.tree, {path: change for path, change in self._changes.items() if not zones.is_protected(path)})

    def line(self, path: str, number: int | None, *, old: bool = False) -> str:
        """A line of the candidate's code (or the baseline's), stripped; "" where there is none."""
        module_text = syntax.code(path, (self.case.tree if old else self.effective).get(path))
        lines = (module_text or "").split("\n")
        return lines[number - 1].strip() if number and 0 < number <= len(lines) else ""


_BASELINES: dict[int, tuple[weakref.ref[Case], Canonical]] = {}
"""The baseline's state of the last few cases: every patch of a run is compared with the same one."""


def _baseline(case: Case) -> Canonical:
    known = _BASELINES.get(id(case))
    if known is not None and known[0]() is case:
        return known[1]
    state = _state(case, case.tree)
    for key in [key for key, (reference, _) in _BASELINES.items() if reference() is None]:
        _BASELINES.pop(key, None)
    _BASELINES[id(case)] = weakref.ref(case), state
    return state


def _state(case: Case, tree: Mapping[str, bytes]) -> Canonical:
    environment = case.environment
    return Canonical(analyse(tree, environment.commands, read=environment.zones.reached, metrics=case.rubric.metrics)[0])


class Overlay(Mapping[str, bytes]):
    """A tree with changes laid over it; symbolic links and deleted files are left out, as in `Case.tree`."""

    def __init__(self, base: Mapping[str, bytes], changes: Mapping[str, Change]) -> None:
        self._base = base
        self._changes = changes

    def __getitem__(self, path: str) -> bytes:
        change = self._changes.get(path)
        if change is None:
            return self._base[path]
        if change.content is None or change.mode == "120000":
            raise KeyError(path)
        return change.content

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield from (path for path in self._base if path not in self._changes)
        yield from (path for path, change in self._changes.items() if change.content is not None and change.mode != "120000")

    def __len__(self) -> int:
        return sum(1 for _ in self)
