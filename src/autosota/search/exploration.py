"""One question to a proposer: which values of these knobs to measure next, given what was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from autosota.ports import Try
from autosota.records import Experiment, Idea, Knob, Scalar
from autosota.search.coding import encode, is_ordered, same
from autosota.search.lineage import Lineage, Vector

_CELLS = 50
"""Values nearer to each other than this part of a range are not worth two evaluations."""


@dataclass(frozen=True)
class Point:
    """A measured vector of values."""

    vector: Vector
    worth: float | None
    """Gain owed to these knobs over the baseline's values; None where the evaluation failed."""
    same: bool
    """Measured in the same surroundings; otherwise it only warm-starts."""


@dataclass(frozen=True)
class Exploration:
    """The knobs, where they stand, and everything known about them."""

    knobs: tuple[Knob, ...]
    here: Vector
    """The values of the parent state."""
    points: tuple[Point, ...]
    """In the order of the experiments; the state itself is among them."""
    taken: frozenset[Vector]
    """Measured or under way in the same surroundings: never to be proposed again."""
    pending: tuple[Vector, ...]
    seed: int
    """For every random draw of the proposer."""
    losses: Mapping[tuple[str, int | Scalar], float] = field(default_factory=dict)
    """Moves of one knob alone that lost, on whatever state: knob and direction (or alternative) → the shortest, in ranges."""

    @property
    def best(self) -> Vector:
        """The vector with the greatest worth in the same surroundings: the state unless a measurement is better."""
        known = [point for point in self.points if point.same and point.worth is not None]
        return max(known, key=lambda point: point.worth or 0.0).vector if known else self.here

    def is_taken(self, vector: Vector) -> bool:
        """Is the vector, or one that differs from it by less than a fiftieth of each range, measured or under way already?"""
        return vector in self.taken or self._place(vector) in self._places

    @cached_property
    def _places(self) -> frozenset[tuple[int, ...]]:
        return frozenset(self._place(vector) for vector in self.taken)

    def _place(self, vector: Vector) -> tuple[int, ...]:
        pairs = zip(self.knobs, self.coded(vector), strict=True)
        return tuple(round(code * (1000 if knob.space.kind == "choice" else _CELLS) + 0.1) for knob, code in pairs)

    def coded(self, vector: Vector) -> tuple[float, ...]:
        """The vector's places in the knobs' ranges."""
        return tuple(encode(knob, value) for knob, value in zip(self.knobs, vector, strict=True))


def explore(lineage: Lineage, running: Sequence[Try], idea: Idea, parent: int, seed: int) -> Exploration:
    """What is known about an idea's knobs, seen from a parent.

    Measurements on other parents count: gains of the same knobs add up along the lineage, so in the same surroundings (structural
    ideas, other settings) they are as good; elsewhere they only warm-start (paper 3.8).
    """
    gone = _gone(lineage, parent)
    knobs = tuple(knob for knob in idea.knobs if knob.id not in gone)
    names = frozenset(knob.id for knob in knobs)
    surroundings = lineage.context(parent, names)
    here = lineage.effective(parent, knobs)
    origin = Point(lineage.effective(0, knobs), 0.0, lineage.context(0, names) == surroundings)
    points = [origin]
    taken = {here, origin.vector} if origin.same else {here}
    for number, experiment in lineage.experiments.items():
        if names.isdisjoint(lineage.values[number]) and number != parent:
            continue
        vector = lineage.effective(number, knobs)
        same = lineage.context(number, names) == surroundings
        touched = not names.isdisjoint(experiment.setting)
        if same or (touched and not lineage.structure[number][len(lineage.structure[experiment.parent]) :]):
            points.append(Point(vector, _worth(lineage, experiment, names), same))
        if same:
            taken.add(vector)
    if not any(point.same for point in points):
        points.append(Point(here, lineage.worth(parent, names), True))
    pending = []
    for choice in running:
        values = {**lineage.values.get(choice.parent, {}), **choice.setting}
        if choice.idea.level == "PARAM" and lineage.structure.get(choice.parent, ()) == surroundings[0]:
            other = frozenset((name, value) for name, value in values.items() if name not in names)
            if other == surroundings[1]:
                pending.append(tuple(values.get(knob.id, knob.value) for knob in knobs))
    digest = hashlib.sha256(f"{seed}|{idea.id}|{parent}|{len(lineage.experiments)}|{pending!r}".encode()).digest()
    return Exploration(
        knobs, here, tuple(points), frozenset(taken | set(pending)), tuple(pending), int.from_bytes(digest[:4], "big"),
        _losses(lineage, knobs),
    )  # fmt: skip


def _losses(lineage: Lineage, knobs: Sequence[Knob]) -> dict[tuple[str, int | Scalar], float]:
    """See `Exploration.losses`. What lost on one state rarely wins on the next one, so it can wait."""
    known = {knob.id: knob for knob in knobs}
    found: dict[tuple[str, int | Scalar], float] = {}
    for experiment in lineage.experiments.values():
        if len(experiment.setting) != 1 or experiment.level != "PARAM" or experiment.commit is None:
            continue
        (name, value), *_ = experiment.setting.items()
        knob = known.get(name)
        if knob is None or (experiment.status != "failed" and (experiment.gain is None or experiment.gain > 0)):
            continue
        if not is_ordered(knob):
            found[name, value] = 0.0
            continue
        before = lineage.effective(experiment.parent, (knob,))[0]
        distance = encode(knob, value) - encode(knob, before)
        if not same(before, value) and distance:
            key = (name, 1 if distance > 0 else -1)
            found[key] = min(found.get(key, 1.0), abs(distance))
    return found


def _gone(lineage: Lineage, parent: int) -> frozenset[str]:
    """Knobs that could not be written on a tree with the same structural ideas: the change of code took them away."""
    found: set[str] = set()
    for number, experiment in lineage.experiments.items():
        unwritten = experiment.status == "failed" and experiment.commit is None
        if unwritten and lineage.structure[number] == lineage.structure.get(parent, ()):
            named = {name for name in experiment.setting if name in experiment.note}
            found |= named if named or len(experiment.setting) > 1 else set(experiment.setting)
    return frozenset(found)


def _worth(lineage: Lineage, experiment: Experiment, names: frozenset[str]) -> float | None:
    """A gain that was bought at a price a red line names is worth no more than none."""
    if experiment.gain is None or experiment.status == "failed":
        return None
    worth = lineage.worth(experiment.number, names)
    priced = experiment.verdict is not None and any(item.action != "note" for item in experiment.verdict.violations)
    base = lineage.worth(experiment.parent, names)
    return min(worth, base - 1e-9) if priced and experiment.status != "improved" else worth


def filled(points: Sequence[Point]) -> list[tuple[Vector, float, bool]]:
    """Points with a number for failures: as bad as the worst, and a step worse."""
    known = [point.worth for point in points if point.worth is not None]
    spread = median(abs(value) for value in known) if known else 0.0
    worst = min(known, default=0.0) - max(spread, 1e-6)
    return [(point.vector, worst if point.worth is None else point.worth, point.same) for point in points]
