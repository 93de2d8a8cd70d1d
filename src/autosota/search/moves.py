"""Moves of one knob: a clear step up or down its range, or to another alternative, the most important knobs first."""

from __future__ import annotations

from autosota.knobs import importance
from autosota.records import Knob, Scalar
from autosota.search.coding import decode, encode, is_ordered, same
from autosota.search.exploration import Exploration, filled
from autosota.search.lineage import Vector

_STEPS = (0.25, 0.5, 0.12, 0.06)
"""Shares of the range. A quarter of a range from a tenth to ten times the present value is a factor of three."""


def propose(question: Exploration) -> Vector | None:
    """The next one-knob move from the best vector so far; None when all have been made.

    A move that paid is followed in its direction before anything else; then the others come in the order of importance, each
    knob's likelier direction before any other direction. With every knob tried at one step size the next size is used.
    """
    best = question.best
    follow = _follow(question, best)
    if follow is not None and not question.is_taken(follow):
        return follow
    order = sorted(range(len(question.knobs)), key=lambda index: -importance(question.knobs[index]))
    for step in _STEPS:
        tries: list[tuple[int, Vector]] = []
        for index in order:
            vectors = [(*best[:index], value, *best[index + 1 :]) for value in _values(question.knobs[index], best[index], step)]
            tries += [(rank, vector) for rank, vector in enumerate(vectors) if not question.is_taken(vector)]
        if tries:
            return min(tries, key=lambda item: item[0])[1]
    return None


def _values(knob: Knob, value: Scalar, step: float) -> list[Scalar]:
    """Values one step away, towards the longer side of the range first; words and switches: the other alternatives."""
    if not is_ordered(knob):
        return [choice for choice in knob.space.choices if not same(choice, value)]
    place = encode(knob, value)
    signs = (1, -1) if place <= 0.5 else (-1, 1)
    if knob.space.kind == "choice":
        step = max(step, 1 / (len(knob.space.choices) - 1))
    return [decode(knob, place + sign * step) for sign in signs if -0.05 <= place + sign * step <= 1.05]


def _follow(question: Exploration, best: Vector) -> Vector | None:
    """If the best vector came from the next best by moving one ordered knob: one step further the same way."""
    values = {
        vector: worth for vector, worth, same_surroundings in filled(question.points) if same_surroundings and vector != best
    }
    if not values:
        return None
    before = max(values, key=lambda vector: values[vector])
    changed = [index for index in range(len(best)) if not same(before[index], best[index])]
    if len(changed) != 1 or not is_ordered(question.knobs[changed[0]]):
        return None
    index = changed[0]
    knob = question.knobs[index]
    place = 2 * encode(knob, best[index]) - encode(knob, before[index])
    return (*best[:index], decode(knob, place), *best[index + 1 :]) if -0.1 <= place <= 1.1 else None
