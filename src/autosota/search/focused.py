"""Few knobs at a time around the best: first moves that show what matters, then TPE crossed with the best vector.

Published defaults are mostly right, so a vector drawn from the whole ranges of 20 knobs is worse than the defaults nearly always,
and a budget of 25 evaluations is gone before plain TPE has left its random start (measured in docs/design/search.md).
"""

from __future__ import annotations

import random

from autosota.knobs import importance
from autosota.records import Knob, Scalar
from autosota.search import moves, tpe, uniform
from autosota.search.coding import decode, encode, is_ordered
from autosota.search.exploration import Exploration
from autosota.search.lineage import Vector
from autosota.search.moves import has_lost

_SMALL = 10
"""Up to so many knobs the first moves change one knob each, beyond that several."""
_FIRST_SMALL = 4
_FIRST_LARGE = 6
_SHARES = (0.15, 0.28, 0.4)
"""How many of many knobs a first move changes."""
_WIDTH = 0.3
"""Standard deviation of such a change, in ranges."""
_KEEP = 0.5
"""Each knob follows TPE's suggestion with this probability, else it stays as in the best vector."""
_REACH = 0.35
"""How far from the best value of a knob a suggestion may go, in ranges."""
_ATTEMPTS = 50


def propose(question: Exploration) -> Vector | None:
    """The next vector; None when nothing new is left."""
    measured = sum(point.same for point in question.points) - 1 + len(question.pending)
    small = len(question.knobs) <= _SMALL
    first = moves.bold(question) if measured == 0 else None
    if first is None and measured < (_FIRST_SMALL if small else _FIRST_LARGE):
        first = moves.propose(question) if small else _several(question)
    return first or _crossed(question) or moves.propose(question) or uniform.remaining(question)


def _several(question: Exploration) -> Vector | None:
    """Some knobs of the best vector moved at random, likely the more important ones."""
    generator = random.Random(question.seed)
    weights = [0.2 + importance(knob) for knob in question.knobs]
    for _ in range(_ATTEMPTS):
        count = max(1, round(len(question.knobs) * generator.choice(_SHARES)))
        keys = {index: generator.random() ** (1 / weight) for index, weight in enumerate(weights)}
        vector = list(question.best)
        for index in sorted(keys, key=lambda item: -keys[item])[:count]:
            knob = question.knobs[index]
            if is_ordered(knob):
                vector[index] = decode(knob, encode(knob, vector[index]) + generator.gauss(0, _WIDTH))
            else:
                vector[index] = generator.choice(knob.space.choices)
        if not question.is_taken(tuple(vector)):
            return tuple(vector)
    return None


def _crossed(question: Exploration) -> Vector | None:
    """TPE's suggestion for a part of the knobs, the best vector's values for the rest.

    A value that lies as far out as one that lost is left out: a few points cannot tell the estimator what a cliff is.
    """
    suggestion = tpe.propose(question)
    if suggestion is None:
        return None
    generator = random.Random(question.seed)
    best = question.best
    usable = [
        old if has_lost(question, knob, old, new) else _near(knob, old, new)
        for knob, old, new in zip(question.knobs, best, suggestion, strict=True)
    ]
    for _ in range(_ATTEMPTS):
        vector = tuple(new if generator.random() < _KEEP else old for new, old in zip(usable, best, strict=True))
        if not question.is_taken(vector):
            return vector
    return None if question.losses else suggestion


def _near(knob: Knob, old: Scalar, new: Scalar) -> Scalar:
    """The new value, at most `_REACH` of the range away from the old one."""
    if not is_ordered(knob):
        return new
    place, target = encode(knob, old), encode(knob, new)
    return new if abs(target - place) <= _REACH else decode(knob, place + (_REACH if target > place else -_REACH))
