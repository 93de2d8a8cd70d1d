"""Random local search."""

import numpy as np


def climb(oracle, size, seed, budget, width=0.3):
    rng = np.random.default_rng(seed)
    point = rng.uniform(-4, 4, size)
    best = oracle.ask(point)
    for _ in range(budget - 1):
        near = point + width * rng.normal(size=size)
        value = oracle.ask(near)
        if value < best:
            point, best = near, value
    return point
