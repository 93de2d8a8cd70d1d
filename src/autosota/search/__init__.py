"""What to try next. Every search is a pure function of the history, of what is running, and of the ideas; Optuna lives only here."""

from __future__ import annotations

from autosota.errors import UsageError
from autosota.records import MetricSpec
from autosota.search.exploration import Exploration
from autosota.search.leap import LeapSearch, Propose
from autosota.search.lineage import Vector

NAMES = ("leap", "tpe", "random", "greedy")


def make(name: str, *, metric: MetricSpec, seed: int, batch: int = 8, noise: float | None = None) -> LeapSearch:
    """The search of that name: "leap" is the paper's policy with one-knob moves and then TPE; the others keep the policy and explore
    PARAM ideas by Optuna's TPE alone, at random, or by one-knob moves alone. `noise` is the metric's standard deviation over seeds.
    Raises UsageError for another name."""
    if name not in NAMES:
        raise UsageError(f"unknown search {name!r}", f"choose one of {', '.join(NAMES)}")
    return LeapSearch(metric, seed, batch, _proposer(name), noise)


def _proposer(name: str) -> Propose:
    from autosota.search import moves, tpe, uniform

    def joined(question: Exploration) -> Vector | None:
        return moves.propose(question) or tpe.propose(question) or uniform.remaining(question)

    def estimated(question: Exploration) -> Vector | None:
        return tpe.propose(question, startup=10) or uniform.remaining(question)

    return {"leap": joined, "tpe": estimated, "random": uniform.propose, "greedy": moves.propose}[name]
