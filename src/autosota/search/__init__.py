"""What to try next: pure functions of the history, of what is running and of the ideas. Optuna lives only here."""

from __future__ import annotations

from autosota.errors import UsageError
from autosota.records import MetricSpec
from autosota.search.exploration import Exploration
from autosota.search.leap import LeapSearch, Propose
from autosota.search.lineage import Vector

NAMES = ("leap", "tpe", "random", "greedy")


def make(name: str, *, metric: MetricSpec, seed: int, batch: int = 8, noise: float | None = None) -> LeapSearch:
    """The search of that name. Raises UsageError for another one.

    All follow the paper's policy; they differ in how the settings of PARAM ideas are found: "leap" by moves of few knobs and TPE
    around the best, "tpe" by Optuna's TPE alone, "random" at random, "greedy" by moves of one knob. `noise` is the metric's
    standard deviation over seeds; without it, it is estimated from the history.
    """
    return LeapSearch(metric, seed, batch, proposer(name), noise)


def proposer(name: str) -> Propose:
    """How that search finds settings: from what is known about some knobs to the next values, None where nothing new is left."""
    from autosota.search import focused, moves, tpe, uniform

    def estimated(question: Exploration) -> Vector | None:
        return tpe.propose(question, startup=10) or uniform.remaining(question)

    known: dict[str, Propose] = {"leap": focused.propose, "tpe": estimated, "random": uniform.propose, "greedy": moves.propose}
    if name not in known:
        raise UsageError(f"unknown search {name!r}", f"choose one of {', '.join(NAMES)}")
    return known[name]
