"""The range of a value: from declared alternatives and constraints, known signatures, its name, else its present value."""

from __future__ import annotations

import ast
import math

from autosota.knobs.place import PYTHON, Place
from autosota.knobs.scikit import Allowed
from autosota.knobs.signatures import KNOWN
from autosota.knobs.vocabulary import quantity, words
from autosota.records import Scalar, Space

_LARGEST_INTEGER = 1_000_000
_FACTORS = {"penalty": 100.0, "tolerance": 100.0, "rate": 30.0}
"""A logarithmic range goes from the present value divided by this to the value times this."""
_UNIT_TOPS = {"drop": 0.7, "label_smoothing": 0.3, "smoothing": 0.5, "momentum": 0.99}


def find_space(place: Place, allowed: Allowed | None = None) -> tuple[Space, str] | None:
    """The range and where it comes from, in words; None where there is nothing sensible to vary."""
    value = place.value
    if place.structured:
        return _structured(place)
    if len(place.choices) > 1:
        return _choices(place.choices, value), "stated alternatives"
    if allowed is not None:
        return _from_constraints(place, allowed)
    known = KNOWN.get(place.callee.rpartition(".")[2], {}).get(place.name)
    if known is not None and not isinstance(value, str) and value is not None:
        return _containing(known, value), f"known range of {place.callee.rpartition('.')[2]}"
    if isinstance(value, bool) or place.declared == "bool":
        return (Space(kind="choice", choices=(False, True)), "a switch") if isinstance(value, bool) else None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    integer = isinstance(value, int) and place.declared not in ("float", "Real")
    space = (_integer if integer else _float)(value, place.name)
    return (space, _reason(place)) if space is not None else None


def _reason(place: Place) -> str:
    kind = quantity(place.name)
    return f"by its name, a quantity of kind “{kind}”, around the present value" if kind else "around the present value"


def _choices(values: tuple[Scalar, ...], value: Scalar) -> Space:
    unique: list[Scalar] = []
    for item in (*values, value):
        if not any(item == other and type(item) is type(other) for other in unique):
            unique.append(item)
    return Space(kind="choice", choices=tuple(unique))


def _containing(space: Space, value: Scalar) -> Space:
    """The known range, narrowed to a hundred times around the present value and widened to contain it."""
    if space.kind == "choice" or isinstance(value, (bool, str)) or value is None or space.low is None or space.high is None:
        return _choices(space.choices, value) if space.kind == "choice" else space
    low, high = min(space.low, value), max(space.high, value)
    if space.log:
        low = low if low > 0 else space.low
        return space.model_copy(update={"low": max(low, value / 30), "high": min(high, value * 30)} if value > 0 else {})
    if value > 0 and high > 30 * value:
        return Space(kind="choice", choices=tuple(_rounded(value * factor) for factor in (0, 0.1, 0.3, 1, 3, 10, 30)))
    if value == 0 and space.kind == "float" and high <= 0.1:
        return Space(kind="choice", choices=(0.0, 1e-5, 1e-4, 1e-3, 1e-2))
    return space.model_copy(update={"low": low, "high": high})


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


# ── by name and value ──


def _float(value: float, name: str) -> Space | None:
    kind = quantity(name)
    if value < 0:
        return Space(kind="float", low=_rounded(2 * value), high=0.0)
    if value == 0:
        if kind in ("penalty", "rate"):
            return Space(kind="choice", choices=(0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1))
        if kind in ("unit", "near_one"):
            return Space(kind="float", low=0.0, high=next((top for key, top in _UNIT_TOPS.items() if key in words(name)), 0.9))
        return Space(kind="float", low=0.0, high=1.0) if kind in ("scale", "") else None
    if kind == "near_one" and 0.9 <= value < 1:
        return Space(kind="float", low=0.9, high=max(0.9999, value))
    if kind in ("unit", "near_one") and value <= 1:
        top = next((top for key, top in _UNIT_TOPS.items() if key in words(name)), 1.0 if value == 1 or "sub" in name else 0.99)
        if value < 0.02:
            return Space(kind="float", low=_rounded(value / 10), high=min(1.0, _rounded(value * 10)), log=True)
        return Space(kind="float", low=0.0 if value < 0.9 else 0.3, high=max(top, value))
    factor = _FACTORS.get(kind, 10.0)
    high = value * factor
    if not kind and 0.1 <= value < 1:
        high = 1.0
    if kind == "rate":
        high = min(high, max(1.0, value * 3))
    return Space(kind="float", low=_rounded(value / factor), high=_rounded(high), log=True)


def _integer(value: float, name: str) -> Space | None:
    number = int(value)
    kind = quantity(name)
    if not 0 < number <= _LARGEST_INTEGER:
        return Space(kind="int", low=0, high=3) if number == 0 and kind in ("small",) else None
    if kind == "divisor":
        return _choices(tuple(sorted({max(1, number // 4), max(1, number // 2), number * 2, number * 4})), number)
    if kind == "kernel":
        sizes = sorted({max(1, number - 4), max(1, number - 2), number + 2, number + 4, 2 * number + 1})
        return _choices(tuple(sizes), number)
    if kind == "small" and number <= 12:
        counts = any(part in words(name) for part in ("min_samples", "child", "patience", "neighbo", "leaf"))
        return Space(kind="int", low=max(1, number // 3), high=max(number + 2, number * 3, 15 if counts else 0))
    if kind in ("penalty", "scale", "rate") and number <= 10_000:
        factor = _FACTORS.get(kind, 10.0)
        return Space(kind="float", low=_rounded(number / factor), high=_rounded(number * factor), log=True)
    low, high = max(1, number // 4), number * 4
    return Space(kind="int", low=low, high=high, log=high >= 8 * low)


def _structured(place: Place) -> tuple[Space, str] | None:
    """Widths such as (100,) or [64, 32]: scaled variants, one layer more, one less, as texts of the same form."""
    if quantity(place.name) not in ("width", "small") and "layer" not in words(place.name) and "sizes" not in words(place.name):
        return None
    try:
        sizes = ast.literal_eval(str(place.value))
    except (ValueError, SyntaxError):
        return None
    if not sizes or any(type(size) is not int or not 2 <= size <= 65536 for size in sizes):
        return None
    variants = [[max(2, int(size * factor)) for size in sizes] for factor in (0.5, 2, 4)] + [[*sizes, sizes[-1]]]
    if len(sizes) > 1:
        variants.append(list(sizes[:-1]))
    wrap = (lambda items: str(tuple(items))) if isinstance(sizes, tuple) and place.kind in PYTHON else str
    return _choices(tuple(wrap(variant) for variant in variants), str(place.value)), "scaled widths"


# ── by declared constraints ──


def _from_constraints(place: Place, allowed: Allowed) -> tuple[Space, str] | None:
    value = place.value
    owner = place.callee.rpartition(".")[2]
    reason = f"declared by {owner}"
    if allowed.boolean and isinstance(value, bool) and not allowed.options:
        return Space(kind="choice", choices=(False, True)), reason
    options: tuple[Scalar, ...] = (*allowed.options, *((None,) if allowed.none else ()))
    if isinstance(value, (bool, int, float)) and not isinstance(value, bool) and allowed.intervals:
        return _bounded(place, allowed, reason)
    if isinstance(value, str) or (value is None and allowed.options):
        if isinstance(value, str) and value not in allowed.options:
            return None
        if isinstance(value, str) and allowed.intervals:
            options = (*options, *_numeric_examples(place.name, allowed))
        return (_choices(options, value), reason) if len(options) > 1 else None
    if value is None and allowed.intervals:
        examples = _numeric_examples(place.name, allowed)
        return (_choices((None, *examples), None), reason) if examples else None
    if isinstance(value, bool) and allowed.boolean:
        return Space(kind="choice", choices=(False, True)), reason
    return None


_EXAMPLES: dict[str, tuple[Scalar, ...]] = {
    "max_depth": (4, 6, 8, 12, 20), "max_leaf_nodes": (16, 31, 64, 128), "max_features": (0.3, 0.5, 0.8),
    "gamma": (0.01, 0.03, 0.1, 0.3, 1.0), "max_samples": (0.5, 0.7, 0.9), "l1_ratio": (0.1, 0.5, 0.9),
    "shrinkage": (0.1, 0.3, 0.5, 0.9), "n_init": (4, 10), "alpha": (0.1, 1.0, 10.0),
}  # fmt: skip


def _numeric_examples(name: str, allowed: Allowed) -> tuple[Scalar, ...]:
    """Values to try beside None or a word such as "scale", within the declared intervals."""
    return tuple(value for value in _EXAMPLES.get(name, ()) if isinstance(value, (int, float)) and allowed.admits(value))


def _bounded(place: Place, allowed: Allowed, reason: str) -> tuple[Space, str] | None:
    """The range by name and value, cut to the declared interval that holds the present value."""
    value = place.value
    assert isinstance(value, (int, float))
    interval = allowed.interval(value)
    if interval is None:
        return None
    integer = interval.integer or (isinstance(value, int) and allowed.integer_only)
    space = _integer(value, place.name) if integer else _float(float(value), place.name)
    if space is None and value == 0 and not integer:
        space = Space(kind="float", low=0.0, high=1.0)
    if space is None or space.kind == "choice":
        return (space, reason) if space else None
    low, high = space.low or 0.0, space.high if space.high is not None else 1.0
    if space.kind == "float" and integer:
        space = space.model_copy(update={"kind": "int"})
    margin = 1.0 if integer else max(1e-6, 0.001 * abs(high))
    if interval.low is not None:
        low = max(low, interval.low + (0 if interval.closed_low else margin))
    if interval.high is not None:
        high = min(high, interval.high - (0 if interval.closed_high else margin))
    if integer:
        low, high = math.ceil(low), math.floor(high)
    low, high = min(low, value), max(high, value)
    if low >= high:
        return None
    return space.model_copy(update={"low": _rounded(low), "high": _rounded(high), "log": space.log and low > 0}), reason
