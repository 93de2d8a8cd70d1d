"""Is a gain beyond the luck of the test rows? Seeds and items are two sources of noise, crossed (validity.md 3.5.4).

Fresh seeds say nothing about the rows that every seed is scored on. Where scores per item exist their noise is estimated; where
the metric is a share of rows it is bounded by the number of rows its values betray; else a small test set is assumed. A
candidate that was chosen by its score on these same rows pays for the choice: Bonferroni over everything that was tried on them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autosota import items, statistics

LEVEL = 0.025
"""One-sided, of the lower bound over items; the other side of a 95 % interval."""
ASSUMED_ROWS = 100
"""So few rows a test set is assumed to have where nothing tells their number."""
ASSUMED_SPREAD = 1.0
"""Standard deviation of an item's paired difference, in units of the metric's level, where nothing tells it."""
_DIGITS = 11
"""Significant digits of a number that survive reading and changing of units."""
_MOST_ROWS = 200_000
_CHANCE = 0.01
"""Expected number of row counts that fit by chance, above which none is believed."""
_COUNTED = frozenset({"accuracy", "acc", "hit", "hits", "em"})
_COUNTED_PAIRS = ({"error", "rate"}, {"success", "rate"}, {"exact", "match"}, {"top", "1"}, {"top", "5"})
_AVERAGED = frozenset({
    "balanced", "macro", "mean", "avg", "average", "weighted", "class", "per", "group", "worst", "pixel", "token", "f", "loss",
    "std",
})  # fmt: skip
_FEWEST = 3
"""Different values that are needed to tell a number of rows."""


@dataclass(frozen=True)
class ItemNoise:
    """How uncertain a gain is because its test rows are a sample."""

    error: float
    """Standard error of the mean gain over items, in the metric's unit."""
    freedom: float = math.inf
    """Of `error`; infinite where it is a bound and no estimate."""
    rows: int | None = None
    """Number of scored rows, or groups of them, or the fewest there can be; None where it is assumed."""
    measured: bool = False
    """From scores per item, not a bound."""
    lasting: float = 1.0
    """Share of `error` that more seeds do not reduce."""
    against: bool = False
    """The items' own mean does not show the metric's gain."""

    def half(self, level: float) -> float:
        """How far the one-sided bound at `level` lies from the mean."""
        if math.isinf(self.freedom):
            return statistics.normal_quantile(1.0 - level) * self.error
        return statistics.student_quantile(1.0 - level, self.freedom) * self.error

    def p(self, center: float) -> float:
        """One-sided p of a mean gain above zero over the rows alone."""
        if self.error == 0.0:
            return 0.0 if center > 0.0 else 1.0
        return 1.0 - statistics.student_cdf(center / self.error, min(self.freedom, 1e6))

    def hopeless(self, center: float, level: float) -> bool:
        """Would the rows' part alone still reach to zero after any number of seeds?"""
        return center <= self.lasting * self.half(level)


def paid(tries: int, share: float = 1.0) -> float:
    """The one-sided level that is left for one candidate chosen out of `tries`; `share`: what repeated attempts leave of it."""
    return LEVEL * min(1.0, share) / max(1, tries)


def combine(low: float, center: float, high: float, noise: ItemNoise, level: float) -> tuple[float, float]:
    """The interval over seeds widened by the noise of the rows, half-widths added in quadrature (MOVER).

    Below, items count at `level`, which pays for selection: the best of many tries is too good, never too bad.
    """
    below = math.hypot(center - low, noise.half(level))
    above = math.hypot(high - center, noise.half(LEVEL))
    return center - below, center + above


# ── scores per item ───────────────────────────────────────────────────────────────────────────────────────────────────


Scores = Mapping[str, float]
"""Item → score of one run, larger is better."""


def from_items(
    pairs: Sequence[tuple[Scores, Scores]], gains: Sequence[float], values: Sequence[tuple[float, float]] = ()
) -> ItemNoise | None:
    """Noise from scores per item: `pairs[s]` are those of baseline and candidate with seed s.

    `gains[s]`: the metric's gain with that seed, `values[s]` its values. Where items are scored by another measure than the
    metric, their relative uncertainty is carried over. None where the arms were scored on different items, on fewer than two,
    or where the items explain the baseline's metric and not the candidate's.
    """
    if not pairs or any(not before or before.keys() != after.keys() for before, after in pairs):
        return None
    if values and _explained(pairs, values, 0) and not _explained(pairs, values, 1):
        return None
    sums: dict[str, list[float]] = {}
    for before, after in pairs:
        for name, score in after.items():
            sums.setdefault(name, []).append(score - before[name])
    means = [math.fsum(values) / len(values) for values in sums.values()]
    moved = sum(value != 0.0 for value in means)
    if len(means) < 2:
        return None
    # Few items that differ carry the whole estimate, whatever the number of rows.
    freedom = max(1, moved - 1)
    center, error = statistics.mean(means), statistics.deviation(means) / math.sqrt(len(means))
    lasting = _lasting(list(sums.values()), statistics.deviation(means))
    gain = statistics.mean(gains)
    per_seed = [
        statistics.mean([after[name] - score for name, score in before.items()]) for before, after in pairs
    ]  # fmt: skip
    scale = max(abs(value) for value in (*gains, *per_seed, 1e-300))
    same = all(abs(a - b) <= 1e-3 * scale for a, b in zip(per_seed, gains, strict=True))
    against = center <= 0.0 < gain
    if not same and not against:
        error *= abs(gain / center) if center else 0.0
    return ItemNoise(error, freedom, rows=len(means), measured=True, lasting=lasting, against=against)


def from_groups(before: Scores, after: Scores) -> ItemNoise | None:
    """Noise from jackknife pseudo-values of one pair of runs, group by group; None where the groups differ."""
    if len(before) < 2 or before.keys() != after.keys():
        return None
    moved = [after[name] - value for name, value in before.items()]
    error = statistics.deviation(moved) / math.sqrt(len(moved))
    return ItemNoise(error, len(moved) - 1, rows=len(moved), measured=True)


def _explained(pairs: Sequence[tuple[Scores, Scores]], values: Sequence[tuple[float, float]], arm: int) -> bool:
    """Is the metric the mean of the items' scores in every run of an arm?"""
    means = [statistics.mean(list(pair[arm].values())) for pair in pairs]
    return all(items.explains(mean, value[arm]) for mean, value in zip(means, values, strict=True))


def _lasting(values: Sequence[Sequence[float]], spread: float) -> float:
    """The part of the item means' deviation `spread` that is there with any number of seeds: items that differ in truth."""
    repeated = [each for each in values if len(each) > 1]
    if not repeated or spread == 0.0:
        return 1.0
    passing = statistics.mean([statistics.deviation(each) ** 2 / len(each) for each in repeated])
    return math.sqrt(max(0.0, 1.0 - passing / spread**2))


# ── no scores per item ────────────────────────────────────────────────────────────────────────────────────────────────


def bounded(values: Sequence[float], baseline: float, candidate: float, name: str = "") -> ItemNoise:
    """A conservative bound from the metric's values alone; `baseline` and `candidate`: the arms' means.

    `values`: every value known of the metric, both arms. A share of n rows (a multiple of 1/n throughout) has at most the noise
    of two models whose errors are independent. Where the printed digits are too few to tell n, but the `name` says that rows
    are counted, there are at least as many as the least n that fits. For anything else few rows are assumed.
    """
    unit = 1.0 if max(map(abs, values), default=0.0) <= 1.0 else 100.0
    rows, errors = None, [ASSUMED_SPREAD * max(abs(baseline), abs(candidate))]
    if all(0.0 <= value <= unit for value in values):
        shares = [value / unit for value in values]
        rows = scored_rows(shares) or (scored_rows(shares, chance=math.inf) if counts_rows(name) else None)
        as_share = unit * math.sqrt(sum(p * (1.0 - p) for p in (baseline / unit, candidate / unit)))
        errors = [as_share] if rows else [*errors, as_share]
    return ItemNoise(min(errors) / math.sqrt(rows or ASSUMED_ROWS), rows=rows)


def counts_rows(name: str) -> bool:
    """Does a metric's name say that it is the share of rows with a right or a wrong answer?"""
    words = set(re.findall(r"[a-z]+|\d+", name.lower()))
    counted = words & _COUNTED or any(pair <= words for pair in _COUNTED_PAIRS)
    return bool(counted) and not words & _AVERAGED


def scored_rows(values: Sequence[float], chance: float = _CHANCE) -> int | None:
    """The least n for which all values are multiples of 1/n as far as their digits tell; None where chance could explain one.

    `values` lie in [0, 1]. The number of printed decimals is taken from the values themselves. `chance`: how many row counts
    may be expected to fit by chance; with infinity the answer is a lower bound and no estimate.
    """
    known = {float(f"{value:.{_DIGITS}g}") for value in values}
    known = {value for value in known if 0.0 < value < 1.0}
    if len(known) < _FEWEST:
        return None
    import numpy

    slack = 0.5 * 10.0 ** -max(_decimals(value) for value in known) * (1.0 + 1e-6)
    # Expected chance fits up to n: the sum of (2 slack m)^k over m up to n, about (2 slack)^k n^(k+1) / (k+1).
    count = len(known)
    most = min(_MOST_ROWS, ((count + 1) * min(chance, 1e9)) ** (1 / (count + 1)) * (2.0 * slack) ** (-count / (count + 1)))
    rows = numpy.arange(2, max(2, int(most) + 1), dtype=float)
    for value in known:
        rows = rows[numpy.abs(rows * value - numpy.rint(rows * value)) <= slack * rows]
    return int(rows[0]) if len(rows) else None


def _decimals(value: float) -> int:
    """Decimals of a number as it would be printed, at most what reading kept."""
    return len(f"{value:.{_DIGITS}f}".rstrip("0").partition(".")[2])
