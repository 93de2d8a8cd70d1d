"""One point per stratum."""

import pytest

DRAW = """
import numpy as np

def random_search(rng, n, d):
    population = rng.uniform(-2.0, 2.0, size=(n, d))
    return population

points = random_search(np.random.default_rng(0), 50, 3)
print(min(len(set(np.floor((column + 2.0) / 4.0 * 50))) for column in points.T), points.min() >= -2, points.max() <= 2)
"""


def test_every_stratum_once(bench, run):
    text = bench("stratified_draws").change(DRAW)
    assert "population = latin_hypercube(rng.uniform(-2.0, 2.0, size=(n, d)), -2.0, 2.0)" in text
    assert run(text).split() == ["50", "True", "True"]
    assert int(run(DRAW).split()[0]) < 45


@pytest.mark.parametrize(
    "change",
    [
        ("    points =", "    mask ="),
        ("(n, d)", "n"),
        ("random_search", "draw"),
        ("    points =", "    for _ in range(3):\n        points ="),
    ],
)
def test_leaves_alone(bench, change):
    text = DRAW.replace("population", "points")
    assert bench("stratified_draws").sites(text)
    assert not bench("stratified_draws").sites(text.replace(*change))
