"""Whether a gain is real: paired seeds, sequential confirmation, intervals, guards (validity.md 3.5).

Pure functions of numbers. `differences` are paired gains, one per seed, positive is better: callers apply `MetricSpec.gain`.
Student's t is computed here, so that nothing beyond the standard library is needed. Noise of test rows: `crossed`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

LOOKS = (3, 5, 8)
"""Pairs after which a confirmation may end."""
LEVELS = (0.005, 0.015, 0.03)
"""One-sided level spent at each look; together 0.05."""
CONFIDENCE = 0.95
"""Of every interval."""
LOOK_CONFIDENCE = 0.965
"""Nominal level of the t interval at a look that makes it a 95 % interval over whole sequential confirmations.

Stopping early costs a plain 95 % interval about two points of coverage (simulated: 92.8 to 93.7 % over effects of 0 to 3
paired deviations); at this level it is 94.6 to 95.8 %. `tests/test_statistics.py` measures it again.
"""

Decision = Literal["confirmed", "futile", "continue", "unconfirmed"]


# ── distributions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularized incomplete beta function I_x(a, b) by Lentz's continued fraction; about 14 digits."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return value


def student_cdf(t: float, freedom: float) -> float:
    """P(T <= t) for Student's t with `freedom` degrees of freedom."""
    if math.isinf(t):
        return 0.0 if t < 0 else 1.0
    tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
    return tail if t < 0 else 1.0 - tail


@lru_cache(maxsize=4096)
def student_quantile(p: float, freedom: float) -> float:
    """t with P(T <= t) = p. Raises ValueError unless 0 < p < 1."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile needs 0 < p < 1, got {p}")
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -student_quantile(1.0 - p, freedom)
    high = 1.0
    while student_cdf(high, freedom) < p:
        high *= 2.0
    return _bisect(lambda t: student_cdf(t, freedom) - p, 0.0, high)


def normal_quantile(p: float) -> float:
    """z with P(Z <= z) = p for the standard normal. Raises ValueError unless 0 < p < 1."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"a quantile needs 0 < p < 1, got {p}")
    return NormalDist().inv_cdf(p)


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of an increasing function in [low, high], to the last digits."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if function(middle) < 0.0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


# ── pairs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; raises ValueError on nothing."""
    if not values:
        raise ValueError("mean of nothing")
    return math.fsum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Standard deviation (n-1); 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / (len(values) - 1))


def local_noise(given: float, differences: Sequence[Sequence[float]], least: int = 3) -> float:
    """The noise around a state: `given`, or less where at least so many candidates with several seeds each show less.

    `differences`: per candidate its differences to the state, seed by seed. A better method is often steadier too, and the
    noise of the first one would then hide every further step.
    """
    spreads = [deviation(each) ** 2 for each in differences if len(each) > 1]
    return min(given, mean(spreads) ** 0.5) if len(spreads) >= least else given


def constant(values: Sequence[float]) -> bool:
    """Are all values equal but for rounding? Then there is no seed noise and no t test."""
    scale = max((abs(value) for value in values), default=0.0)
    return len(values) < 2 or max(values) - min(values) <= 1e-12 * max(scale, 1e-300)


def paired_p(differences: Sequence[float]) -> float:
    """One-sided p of Student's paired t test for a mean above zero. Raises ValueError where there is no variance."""
    if constant(differences):
        raise ValueError("the t test needs differences that vary; equal ones would give t = infinity")
    t = mean(differences) / (deviation(differences) / math.sqrt(len(differences)))
    return 1.0 - student_cdf(t, len(differences) - 1) if t < 0 else student_cdf(-t, len(differences) - 1)


def sign_p(differences: Sequence[float]) -> float:
    """One-sided p of the exact sign test for a median above zero; needs no variance. Ties say nothing and are left out."""
    above, below = sum(value > 0.0 for value in differences), sum(value < 0.0 for value in differences)
    total = above + below
    return sum(math.comb(total, count) for count in range(above, total + 1)) / 2.0**total


def interval(differences: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided t interval for the mean of a fixed number of values; a point where nothing varies."""
    center = mean(differences)
    if constant(differences):
        return center, center
    half = student_quantile(0.5 + confidence / 2.0, len(differences) - 1) * deviation(differences) / math.sqrt(len(differences))
    return center - half, center + half


def bound(values: Sequence[float], side: Literal["low", "high"], confidence: float = CONFIDENCE) -> float:
    """One-sided t bound for the mean; the mean itself where nothing varies."""
    low, high = interval(values, 2.0 * confidence - 1.0)
    return low if side == "low" else high


# ── sequential confirmation ───────────────────────────────────────────────────────────────────────────────────────────


def levels(attempt: int) -> tuple[float, ...]:
    """The looks' levels at attempt 1, 2, …: multiplied by 6/(pi^2 j^2), so that all attempts together spend the first's."""
    return tuple(level * share(attempt) for level in LEVELS)


def share(attempt: int) -> float:
    """What repeated attempts leave of a level at attempt 1, 2, …. Raises ValueError below 1."""
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, got {attempt}")
    return 1.0 if attempt == 1 else 6.0 / (math.pi**2 * attempt**2)


def confirmation_interval(differences: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the gain after a sequential confirmation, wherever it stopped."""
    return interval(differences, LOOK_CONFIDENCE)


def decide(differences: Sequence[float], *, attempt: int = 1, looks: Sequence[int] = LOOKS, seeded: bool = False) -> Decision:
    """What the pairs so far say. `looks` is a prefix of LOOKS, or all.

    `confirmed`: the look's level is reached and the interval printed beside the gain lies above zero.
    `futile`: the mean is not above zero.
    `continue`: not at a look, or more pairs may decide. `unconfirmed`: the last look is over.
    `seeded`: do both arms vary with the seed? Then equal differences, noise that both arms share, are confirmed by the exact sign
    test; without seed noise only a test over items can.
    """
    count = len(differences)
    if count not in looks:
        return "continue" if count < looks[-1] else "unconfirmed"
    if mean(differences) <= 0.0:
        return "futile"
    level = levels(attempt)[list(looks).index(count)]
    if constant(differences):
        if seeded and sign_p(differences) <= level:
            return "confirmed"
    elif paired_p(differences) <= level and confirmation_interval(differences)[0] > 0.0:
        return "confirmed"
    return "continue" if count < looks[-1] else "unconfirmed"


# ── several metrics ───────────────────────────────────────────────────────────────────────────────────────────────────


def holm(p_values: Mapping[str, float], level: float = 0.05) -> frozenset[str]:
    """Names of the hypotheses that Holm's procedure rejects at the family-wise `level`."""
    rejected: set[str] = set()
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if p > level / (len(p_values) - rank):
            break
        rejected.add(name)
    return frozenset(rejected)


def harm_p(gains: Sequence[float]) -> float:
    """p of "this metric got worse": small when it did. Equal gains decide by their sign alone."""
    if constant(gains):
        return 0.0 if mean(gains) < 0.0 else 1.0
    return paired_p([-gain for gain in gains])


def harmless_p(gains: Sequence[float], baseline: Sequence[float], margin: float) -> float:
    """p of "worse by less than `margin` times the baseline": small when that is shown (non-inferiority).

    Paired within each seed, so the uncertainty of the baseline's own mean is part of the test.
    """
    slack = [gain + margin * abs(value) for gain, value in zip(gains, baseline, strict=True)]
    if constant(slack):
        return 0.0 if mean(slack) >= 0.0 else 1.0
    return paired_p(slack)


# ── items, rates, the winner's curse ──────────────────────────────────────────────────────────────────────────────────


def sign_flip_p(differences: Sequence[float], *, flips: int = 9_999, seed: int = 0) -> float:
    """One-sided p of the paired sign-flip permutation test over items; exact up to 14 items that differ.

    For deterministic pipelines, where rows are the only source of noise. Items without a difference carry no information.
    """
    moved = [value for value in differences if value != 0.0]
    if not moved:
        return 1.0
    observed = math.fsum(moved) - 1e-12 * math.fsum(abs(value) for value in moved)
    if len(moved) <= 14:
        sums = [0.0]
        for value in moved:
            sums = [total + sign * value for total in sums for sign in (1, -1)]
        return sum(total >= observed for total in sums) / len(sums)
    generator = random.Random(seed)
    hits = 0
    for _ in range(flips):
        bits = generator.getrandbits(len(moved))
        total = 0.0
        for value in moved:
            total += value if bits & 1 else -value
            bits >>= 1
        hits += total >= observed
    return (hits + 1) / (flips + 1)


def binomial_bound(successes: int, total: int, side: Literal["low", "high"], confidence: float = CONFIDENCE) -> float:
    """Exact (Clopper-Pearson) one-sided bound for a rate, e.g. the coverage of a conformal method on sealed rows."""
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"not a count: {successes} of {total}")
    if side == "high":
        return 1.0 - binomial_bound(total - successes, total, "low", confidence)
    if successes == 0:
        return 0.0
    return _bisect(lambda p: incomplete_beta(successes, total - successes + 1, p) - (1.0 - confidence), 0.0, 1.0)


def wilson(successes: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Two-sided 95 % Wilson interval for a rate."""
    if total < 1:
        return 0.0, 1.0
    rate = successes / total
    center = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(rate * (1 - rate) / total + z * z / (4 * total * total))
    return max(0.0, center - half), min(1.0, center + half)


def expected_maximum(count: int) -> float:
    """E[max] of `count` standard normal draws: how far the best of so many looks lies above the truth by luck alone."""
    if count < 1:
        raise ValueError(f"maximum of {count} draws")
    step, total, before = 0.002, 0.0, 0.0
    position = -8.0
    while position < 8.0:
        position += step
        after = (0.5 * math.erfc(-position / math.sqrt(2.0))) ** count
        total += (position - step / 2.0) * (after - before)
        before = after
    return total


def shrunk(gain: float, noise: float, tries: int) -> float:
    """A search gain without the luck of the best of `tries`: for results that could afford no fresh runs (SUGGESTIVE at most)."""
    return gain - expected_maximum(max(1, tries)) * noise
