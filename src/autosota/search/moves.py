"""Moves of one knob: a clear step up or down its range, or to another alternative, the most important knobs first."""

from __future__ import annotations

from autosota.knobs import importance
from autosota.records import Knob
from autosota.search.coding import decode, encode, is_ordered, same
from autosota.search.exploration import Exploration, filled
from autosota.search.lineage import Vector

_STEPS = (0.25, 0.5, 0.12, 0.06)
_UP = {"compute", "width"}


def single(knob: Knob, place: float, step: float) -> list[object]:
    """Values one step away, the likelier direction first."""
    return [decode(knob, place + sign * step) for sign in ((1, -1) if place <= 0.5 else (-1, 1)) if 0 <= place + sign * step <= 1]


def propose(question: Exploration) -> Vector | None:
    """The next one-knob move from the best vector so far; None when all have been made.

    A move that paid is followed in its direction before anything else; then the others come in the order of importance, each
    direction once. With every knob tried at one step size the next size is used.
    """
    best = question.best
    follow = _follow(question, best)
    if follow is not None and follow not in question.taken:
        return follow
    order = sorted(range(len(question.knobs)), key=lambda index: -importance(question.knobs[index]))
    for step in _STEPS:
        tries: list[tuple[int, Vector]] = []
        for index in order:
            knob = question.knobs[index]
            if is_ordered(knob):
                values = single(knob, encode(knob, best[index]), step)
            else:
                values = [choice for choice in knob.space.choices if not same(choice, best[index])] if step == _STEPS[0] else []
            fresh = [vector for value in values if (vector := (*best[:index], value, *best[index + 1 :])) not in question.taken]  # type: ignore[arg-type]
            tries += [(rank, vector) for rank, vector in enumerate(fresh)]
        if tries:
            return min(tries, key=lambda item: item[0])[1]
    return None


def _follow(question: Exploration, best: Vector) -> Vector | None:
    """If the best vector was reached by moving one ordered knob, one step further the same way."""
    points = [item for item in filled(question.points) if item[2]]
    values = {vector: worth for vector, worth, _ in points}
    for vector, _worth in sorted(values.items(), key=lambda item: -item[1]):
        changed = [index for index in range(len(best)) if not same(vector[index], best[index])]
        if len(changed) == 1 and is_ordered(question.knobs[changed[0]]):
            index = changed[0]
            knob = question.knobs[index]
            before, now = encode(knob, vector[index]), encode(knob, best[index])
            place = now + (now - before)
            if values[vector] < values[best] and -0.1 <= place <= 1.1:
                return (*best[:index], decode(knob, place), *best[index + 1 :])
            return None
    return None
