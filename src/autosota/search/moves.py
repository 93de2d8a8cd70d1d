"""Moves of one knob: a clear step up or down its range, or to another alternative, the most important knobs first."""

from __future__ import annotations

from autosota.knobs import importance, likelier
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
    later: list[Vector] = []
    for step in _STEPS:
        tries: list[tuple[int, Vector]] = []
        for index in order:
            knob = question.knobs[index]
            for rank, value in enumerate(_values(knob, best[index], step)):
                vector = (*best[:index], value, *best[index + 1 :])
                if question.is_taken(vector):
                    continue
                if has_lost(question, knob, best[index], value):
                    later.append(vector)
                else:
                    tries.append((rank, vector))
        if tries:
            return min(tries, key=lambda item: item[0])[1]
    return later[0] if later else None


def bold(question: Exploration) -> Vector | None:
    """All knobs whose likelier direction is known, moved that way at once; None where there are fewer than two.

    What costs computing moves by a smaller step, so that the whole stays affordable.
    """
    vector = list(question.best)
    moved = 0
    for index, knob in enumerate(question.knobs):
        sign = likelier(knob)
        if sign and is_ordered(knob) and (knob.id, sign) not in question.losses:
            value = decode(knob, encode(knob, vector[index]) + sign * (_STEPS[2] if sign > 0 else _STEPS[0]))
            moved += not same(value, vector[index])
            vector[index] = value
    return tuple(vector) if moved > 1 and not question.is_taken(tuple(vector)) else None


def has_lost(question: Exploration, knob: Knob, old: Scalar, new: Scalar) -> bool:
    """Did the same move of this knob alone, or a shorter one in its direction, lose already?"""
    if not is_ordered(knob):
        return (knob.id, new) in question.losses
    distance = encode(knob, new) - encode(knob, old)
    shortest = question.losses.get((knob.id, 1 if distance > 0 else -1))
    return shortest is not None and abs(distance) > 0.8 * shortest


def _values(knob: Knob, value: Scalar, step: float) -> list[Scalar]:
    """Values one step away, in the likelier direction first, else towards the longer side of the range; words and switches: the
    other alternatives."""
    if not is_ordered(knob):
        return [choice for choice in knob.space.choices if not same(choice, value)]
    place = encode(knob, value)
    first = likelier(knob) or (1 if place <= 0.5 else -1)
    signs = (first, -first)
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
