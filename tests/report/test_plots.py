"""Plots: well-formed for any number of points, nothing that is not finite, statuses told apart by shape."""

from __future__ import annotations

import itertools
import math
import random
import re
import xml.etree.ElementTree as ET

import pytest

from autosota.records import Experiment, Gain, MetricSpec
from autosota.report import plots
from autosota.report.axes import apart, tick_labels, ticks

MAX = MetricSpec(name="accuracy", direction="max", primary=True)
MIN = MetricSpec(name='loss <&> "x"', direction="min", primary=True)
LEVELS = plots.Levels(baseline=0.9, noise=0.005, reported=0.912)


def search(amount: int, seed: int = 0) -> list[Experiment]:
    rng = random.Random(seed)
    found = []
    for number in range(1, amount + 1):
        status = rng.choice(plots.STATUSES)
        score = None if status == "failed" else rng.gauss(0.9, 0.02)
        found.append(Experiment(number=number, parent=0, idea="i", title="<b>&", level="CODE", step=number, status=status,  # type: ignore[arg-type]
                                commit=None, score=score, leap=number % 5 == 0))  # fmt: skip
    return found


def numbers(svg: str) -> list[float]:
    """Every coordinate of a plot, its well-formedness checked."""
    root = ET.fromstring(svg)
    found = []
    for element in root.iter():
        for key in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "d"):
            found += [float(number) for number in re.findall(r"-?(?:\d+\.?\d*(?:e-?\d+)?|nan|inf)", element.get(key, ""))]
    return found


@pytest.mark.parametrize("metric", [MAX, MIN])
@pytest.mark.parametrize("width", [380, 880])
@pytest.mark.parametrize("amount", [0, 1, 2, 24, 3000])
def test_a_search_of_any_length_is_drawn_inside_its_frame(amount: int, width: int, metric: MetricSpec) -> None:
    svg = plots.search_path(search(amount), metric, LEVELS, best=1, width=width)
    assert all(math.isfinite(number) and -20 <= number <= 900 for number in numbers(svg))
    assert svg.count('class="point') <= plots.POINTS + 5


@pytest.mark.parametrize(
    "levels", [plots.Levels(), plots.Levels(0.9), plots.Levels(0.9, 0.0, 1e9), plots.Levels(0.9, 0.01, -1e9)]
)
def test_missing_and_far_levels_do_not_break_the_search_plot(levels: plots.Levels) -> None:
    assert all(-20 <= number <= 900 for number in numbers(plots.search_path(search(30), MAX, levels)))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0])
def test_extreme_scores_are_drawn_or_left_out(score: float) -> None:
    extreme = search(1)[0].model_copy(update={"score": score, "status": "improved", "number": 2})
    svg = plots.search_path([*search(1), extreme], MAX, LEVELS, best=2)
    assert all(math.isfinite(number) for number in numbers(svg))
    assert "nan" not in svg and "inf" not in svg.replace("information", "")


def test_thinning_keeps_order_and_every_improved_experiment_where_they_are_few() -> None:
    experiments = [
        entry.model_copy(update={"status": "improved" if entry.number % 100 == 0 else "not_improved"}) for entry in search(10_000)
    ]
    kept = plots.thinned(experiments, 500)
    assert len(kept) == 500
    assert [entry.number for entry in kept] == sorted(entry.number for entry in kept)
    assert {entry.number for entry in experiments if entry.status == "improved"} <= {entry.number for entry in kept}


def test_every_status_has_a_shape_of_its_own() -> None:
    shapes = {re.sub(r'class="[^"]*"', "", plots.marker(status, 10, 10)) for status in plots.STATUSES}
    assert len(shapes) == len(plots.STATUSES)


def test_best_so_far_follows_the_direction_and_ignores_rejected_experiments() -> None:
    def entry(number: int, score: float, status: str) -> Experiment:
        return search(1)[0].model_copy(update={"number": number, "score": score, "status": status})

    experiments = [entry(1, 0.8, "improved"), entry(2, 0.1, "rejected"), entry(3, 0.7, "improved"), entry(4, 0.75, "improved")]
    assert plots.best_so_far(experiments, MIN, 0.9) == [(1, 0.8), (3, 0.7)]
    assert plots.best_so_far(experiments, MAX, 0.9) == []


@pytest.mark.parametrize("amount", [0, 1, 5, 100])
def test_pairs_draw_at_most_sixty_rows(amount: int) -> None:
    svg = plots.pairs([0.9] * amount, [0.9 + 0.01 * (n % 3 - 1) for n in range(amount)], ["<x>"] * amount, MAX)
    assert all(math.isfinite(number) for number in numbers(svg))
    assert svg.count("point improved") + svg.count("point worse") == min(amount, 60)


@pytest.mark.parametrize("low, high", [(-0.01, 0.02), (0.01, 0.01), (-math.inf, math.inf), (math.nan, math.nan)])
def test_an_interval_is_drawn_whatever_its_ends(low: float, high: float) -> None:
    gain = Gain(absolute=0.01, relative=None, low=low, high=high, p=0.5, pairs=3, attempts=1)
    for noise in (None, 0.0, 0.005):
        assert all(math.isfinite(number) for number in numbers(plots.interval(gain, noise, MIN)))


@pytest.mark.parametrize("values", [[], [0.5], [0.5] * 5, [1e-12, 2e-12], [float("nan"), 0.4]])
def test_the_strip_of_repeats_needs_no_spread(values: list[float]) -> None:
    assert all(math.isfinite(number) for number in numbers(plots.strip(values, 0.5, 0.0, None, "m")))


@pytest.mark.parametrize("low, high", [(0, 1), (-3e5, 7e5), (0.9012, 0.9013), (1e-9, 3e-9), (-1e300, 1e300), (5, 5)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    marks = ticks(low, high)
    assert 1 <= len(marks) <= 12
    assert all(low - abs(high - low) * 1e-6 <= mark <= high + abs(high - low) * 1e-6 for mark in marks)
    assert len(set(tick_labels(marks))) == len(marks)


def test_tick_labels_have_the_decimals_they_need() -> None:
    assert tick_labels([0.0, 0.25, 0.5]) == ["0", "0.25", "0.50"]
    assert tick_labels([-1.0, 0.0, 1.0]) == ["−1", "0", "1"]


def test_names_are_moved_apart_but_stay_in_order() -> None:
    moved = apart([100, 101, 102], 15, 0, 300)
    assert moved == sorted(moved) and all(b - a >= 14.9 for a, b in itertools.pairwise(moved))
