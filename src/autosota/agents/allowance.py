"""Further full runs that controls and probes of one candidate may take, and what they hand back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autosota.evaluation import Evaluation
from autosota.exports import Swap
from autosota.ports import Engine
from autosota.progress import Progress
from autosota.records import Measurement, Purpose

MOST = 10
"""Runs for all controls and probes of a candidate together, at most."""


class Spent(Exception):
    """No run is left. The message says which bound it was."""


@dataclass(frozen=True)
class Seen:
    """One run: its numbers, and the files with rows that it left behind."""

    measurement: Measurement
    files: Mapping[str, bytes]


@dataclass
class Allowance:
    """Counts runs as they are made."""

    evaluation: Evaluation
    engine: Engine
    progress: Progress
    left: int = MOST
    fits: Callable[[int], bool] = lambda runs: True
    """Is there time for so many more evaluations? Not asked about runs that the ledger holds."""
    used: int = 0
    _known: dict[tuple[str, int, str, str], Seen] = field(default_factory=dict)

    def run(self, commit: str, seed: int, purpose: Purpose, arm: str, files: Mapping[str, bytes] | None = None) -> Seen:
        """One evaluation of a commit, with some files swapped; the same arm again costs nothing. Raises Spent."""
        key = (commit, seed, purpose, arm)
        if key not in self._known:
            if self.left <= 0:
                raise Spent("the runs for controls and probes are used up")
            if not self.evaluation.seen(commit, seed, purpose, arm) and not self.fits(1):
                raise Spent("the time is used up")
            self.left -= 1
            self.used += 1
            self._known[key] = self._measured(commit, seed, purpose, Swap(arm, files=dict(files or {}), written=True))
        return self._known[key]

    def _measured(self, commit: str, seed: int, purpose: Purpose, swap: Swap) -> Seen:
        found: list[Seen] = []

        def job() -> tuple[Measurement, ...]:
            found.append(Seen(*self.evaluation.observe(commit, seed, purpose, swap)))
            return (found[0].measurement,)

        self.engine.submit(job).result()
        self.progress.evaluated()
        return found[0]
