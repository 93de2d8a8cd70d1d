"""Knob values as numbers in [0, 1], and back to values short enough to read."""

from __future__ import annotations

import math

from autosota.records import Knob, Scalar


def same(left: Scalar, right: Scalar) -> bool:
    """Equal values of one kind: 1 and 1.0 are the same, 1 and True are not."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def encode(knob: Knob, value: Scalar) -> float:
    """Where the value lies in the knob's range, in [0, 1]; alternatives lie at equal distances in their order."""
    space = knob.space
    if space.kind == "choice":
        count = len(space.choices)
        index = next((i for i, choice in enumerate(space.choices) if same(choice, value)), 0)
        return index / (count - 1) if count > 1 else 0.5
    low, high = _bounds(knob)
    if isinstance(value, (bool, str)) or value is None or high <= low:
        return 0.5
    number = math.log(max(value, 1e-300)) if space.log else float(value)
    return min(1.0, max(0.0, (number - low) / (high - low)))


def decode(knob: Knob, position: float) -> Scalar:
    """The value at a place in the range: three significant digits, whole numbers for "int"."""
    space = knob.space
    position = min(1.0, max(0.0, position))
    if space.kind == "choice":
        return space.choices[round(position * (len(space.choices) - 1))]
    low, high = _bounds(knob)
    number = low + position * (high - low)
    number = math.exp(number) if space.log else number
    if space.kind == "int":
        return int(min(space.high or 0, max(space.low or 0, round(number))))
    return float(min(space.high or 0.0, max(space.low or 0.0, float(f"{number:.3g}"))))


def _bounds(knob: Knob) -> tuple[float, float]:
    space = knob.space
    low, high = space.low or 0.0, space.high if space.high is not None else 1.0
    return (math.log(low), math.log(high)) if space.log else (low, high)


def is_ordered(knob: Knob) -> bool:
    """Numbers have neighbors; words and switches do not."""
    if knob.space.kind != "choice":
        return True
    numbers = [choice for choice in knob.space.choices if isinstance(choice, (int, float)) and not isinstance(choice, bool)]
    return len(numbers) == len(knob.space.choices) > 2 and numbers == sorted(numbers)


def size(knob: Knob) -> float:
    """How many values the knob can take."""
    if knob.space.kind == "choice":
        return len(knob.space.choices)
    return (knob.space.high or 0) - (knob.space.low or 0) + 1 if knob.space.kind == "int" else math.inf
