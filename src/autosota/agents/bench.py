"""One candidate beside the baseline on one seed: what a probe runs, and how it compares what the runs left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autosota import perturbing
from autosota.agents.allowance import Allowance, Seen
from autosota.agents.grading import Confirmation
from autosota.evaluation import Evaluation
from autosota.exports import outside
from autosota.perturbing import Table
from autosota.records import Case
from autosota.redlines import guards

_LARGEST = 64 * 2**20
"""Bytes of a data file that is looked into."""


class Inapplicable(Exception):
    """The probe cannot be made here; the message says why."""


@dataclass
class Bench:
    """One candidate beside the baseline on one seed of the confirmation."""

    case: Case
    commit: str
    confirmation: Confirmation
    evaluation: Evaluation
    allowance: Allowance
    labels: tuple[Table, str] | None = None
    """Where P1 found the test labels."""

    @property
    def base(self) -> str:
        return self.case.environment.commit

    @property
    def seed(self) -> int:
        return self.confirmation.baseline[0].seed

    def run(self, commit: str, arm: str, files: Mapping[str, bytes] | None = None) -> Seen:
        """One evaluation; the same arm again costs nothing."""
        return self.allowance.run(commit, self.seed, "probe", arm, files)

    def value(self, seen: Seen) -> float:
        """The primary metric of a run. Raises Inapplicable where it failed."""
        if not seen.measurement.ok:
            raise Inapplicable(f"the evaluation does not run on such data: {seen.measurement.failure}")
        return guards.reading(seen.measurement, self.case.rubric.primary)

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Data files that the evaluation reads, as a claim sees them."""
        environment, workspace = self.case.environment, self.evaluation.workspace
        swapped = self.evaluation.fresh().files
        tree = workspace.tree(self.base)
        found: dict[str, Table] = {}
        for path in dict.fromkeys((*environment.zones.reached, *_plain(environment.zones.ignored))):
            if path in environment.commands.labels:
                continue
            content = swapped.get(path) or (
                tree[path] if path in tree else _file(outside(path, environment.mounts, workspace.repository))
            )
            table = perturbing.read(path, content)
            if table is not None:
                found[path] = table
        return found

    def answers(self) -> dict[str, Table]:
        """Label files that only the scorer sees, as tables."""
        labels = self.evaluation.vault.labels(self.evaluation.fresh()) if self.case.environment.commands.sealed else {}
        found = {path: perturbing.read(path, content) for path, content in labels.items()}
        return {path: table for path, table in found.items() if table is not None}

    @cached_property
    def results(self) -> str:
        """The file of predictions: the one with most rows that both arms leave behind, declared ones first."""
        commands = self.case.environment.commands
        both = self.run(self.base, "as is").files.keys() & self.run(self.commit, "as is").files.keys()
        declared = [name for name in (*commands.outputs, commands.items) if name in both]
        sized = [(len(table.columns) > 0, table.count, name) for name in (declared or sorted(both))
                 if (table := self.table(self.base, "as is", name)) is not None]  # fmt: skip
        if not sized:
            raise Inapplicable("the evaluation leaves no file with one row per prediction; name one with `items`")
        return max(sized)[2]

    def table(self, commit: str, arm: str, name: str) -> Table | None:
        """A results file of a run that was made."""
        return perturbing.read(name, self.run(commit, arm).files.get(name))

    def columns(self, commit: str, arm: str) -> dict[str, Any]:
        """Results of a run that was made, row numbers left out."""
        table = self.table(commit, arm, self.results)
        return {name: column for name, column in table.columns.items() if not perturbing.steady(column)} if table else {}

    @cached_property
    def count(self) -> int:
        """Predictions of an evaluation."""
        table = self.table(self.base, "as is", self.results)
        return table.count if table is not None else 0

    @property
    def tests(self) -> dict[str, Table]:
        """Data files with one row per prediction."""
        return {path: table for path, table in self.tables.items() if table.count == self.count}

    def changed(
        self, commit: str, arm: str, names: Sequence[str], order: Sequence[int] | None = None, tolerance: float = 1e-12
    ) -> list[int] | None:
        """Predictions that differ from the run on unchanged data; `order`: the old row of each new one. None: not comparable."""
        before, after = self.columns(commit, "as is"), self.columns(commit, arm)
        rows: set[int] = set()
        for name in names:
            if name not in before or name not in after:
                return None
            old = before[name]
            if order is not None and max(order, default=-1) >= len(old):
                return None
            if order is not None:
                old = old[list(order)] if hasattr(old, "ndim") else [old[index] for index in order]
            if len(old) != len(after[name]):
                return None
            rows.update(perturbing.differing(old, after[name], tolerance))
        return sorted(rows)

    def restless(self, names: Sequence[str]) -> int:
        """Predictions of the candidate that change from run to run with nothing changed at all."""
        self.run(self.commit, "as is again")
        return len(self.changed(self.commit, "as is again", names) or ())


def _plain(ignored: Sequence[str]) -> Iterator[str]:
    yield from (path for path in ignored if not path.endswith("/"))


def _file(path: Any) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _LARGEST else None
    except OSError:
        return None
