"""Random search (Bergstra and Bengio 2012), to compare with."""

from __future__ import annotations

import random
from itertools import product
from math import prod

from autosota.search.coding import decode, size
from autosota.search.exploration import Exploration
from autosota.search.lineage import Vector

_ENUMERABLE = 4096
_ATTEMPTS = 60


def propose(question: Exploration) -> Vector | None:
    """A vector drawn uniformly from the ranges; None when every vector of a small space is taken."""
    generator = random.Random(question.seed)
    for _ in range(_ATTEMPTS):
        vector = tuple(decode(knob, generator.random()) for knob in question.knobs)
        if not question.is_taken(vector):
            return vector
    return remaining(question)


def remaining(question: Exploration) -> Vector | None:
    """Some vector of a small finite space that is not taken; None where there is none, or the space is too large."""
    if prod(size(knob) for knob in question.knobs) > _ENUMERABLE:
        return None
    values = [
        knob.space.choices if knob.space.kind == "choice" else range(int(knob.space.low or 0), int(knob.space.high or 0) + 1)
        for knob in question.knobs
    ]
    return next((vector for vector in product(*values) if vector not in question.taken), None)
