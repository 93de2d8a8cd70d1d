"""Replication without a model: the broken repositories of tests/broken, each to its reproduced number or an honest refusal.

python -m benchmarks.broken [NAME …]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota import sandboxes
from autosota.failures import Memory
from autosota.ports import Executor
from tests.broken import Broken, Hopeless, hopeless, repositories
from tests.broken.bench import Outcome, bring

SHARE = 0.85
"""Of the repositories that can be made to run, how many must be reproduced; wrong ones never."""


@dataclass(frozen=True)
class Row:
    """One repository and how it ended."""

    name: str
    case: Broken | Hopeless
    outcome: Outcome

    @property
    def word(self) -> str:
        """reproduced, honest (a refusal), or wrong."""
        if self.outcome.value is None:
            return "honest"
        right = isinstance(self.case, Broken) and abs(self.outcome.value - self.case.truth) < 1e-9
        return "reproduced" if right and self.outcome.verdict in ("yes", "partly") else "wrong"


def measure(names: Sequence[str], executor: Executor, folder: Path, memory: Memory | None) -> list[Row]:
    """Every named repository, one after another; `memory` is shared by all, None gives each an empty one."""
    cases: dict[str, Broken | Hopeless] = {**repositories(), **hopeless()}
    rows = []
    for name in names or cases:
        outcome = bring(cases[name], folder / name, executor=executor, cache=folder / "cache", memory=memory)
        rows.append(Row(name, cases[name], outcome))
        print(line(rows[-1]), flush=True)
    return rows


def line(row: Row) -> str:
    """One line of the table."""
    said = ", ".join(row.outcome.skills) if row.outcome.value is not None else row.outcome.message[:110]
    verdict = row.outcome.verdict or "-"
    counts = f"{row.outcome.attempts:>3}{row.outcome.seconds:>7.1f} s"
    return f"{row.name:<34}{row.case.family:<24}{row.word:<12}{verdict:<8}{counts}  {said}"


def main(names: Sequence[str]) -> int:
    """Without failure memory, then twice with one; prints the table and the counts. 1 if the target is missed."""
    good = True
    with tempfile.TemporaryDirectory(prefix="autosota-broken-") as place:
        executor = sandboxes.open_executor(None, Path(place, "scratch"))
        for title, shared in (("without failure memory", False), ("with failure memory, second pass", True)):
            print(f"\n{title}\n{'repository':<34}{'family':<24}{'outcome':<12}{'verdict':<8}runs{'time':>8}")
            folder = Path(place, "shared" if shared else "alone")
            memory = Memory(folder / "failures.sqlite") if shared else None
            if shared:
                for name in names or (*repositories(), *hopeless()):
                    case: Broken | Hopeless = {**repositories(), **hopeless()}[name]
                    bring(case, folder / "first" / name, executor=executor, cache=folder / "cache", memory=memory)
            good = summary(measure(names, executor, folder, memory)) and good
    return 0 if good else 1


def summary(rows: Sequence[Row]) -> bool:
    """Prints the counts; is the target met?"""
    broken = [row for row in rows if isinstance(row.case, Broken)]
    honest = [row for row in rows if isinstance(row.case, Hopeless)]
    reproduced = sum(row.word == "reproduced" for row in broken)
    wrong = sum(row.word == "wrong" for row in rows)
    attempts = sum(row.outcome.attempts for row in broken) / max(len(broken), 1)
    print(
        f"reproduced {reproduced} of {len(broken)}, refused {sum(row.word == 'honest' for row in broken)}, wrong {wrong}; "
        f"hopeless ones refused {sum(row.word == 'honest' for row in honest)} of {len(honest)}; "
        f"{attempts:.1f} runs and {sum(row.outcome.seconds for row in broken) / max(len(broken), 1):.1f} s each"
    )
    return wrong == 0 and reproduced >= SHARE * len(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
