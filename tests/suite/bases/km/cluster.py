"""Lloyd's algorithm on a limited number of passes over the points."""

import numpy as np


def nearest(self, centers):
        self.passes += 1
        if self.passes > self.limit:
            raise RuntimeError("no passes are left")
        return nearest(self.points, centers)


def nearest(points, centers):
    """Index of the nearest center of each point."""
    found = np.empty(len(points), dtype=int)
    for row, point in enumerate(points):
        found[row] = np.argmin(((centers - point) ** 2).sum(axis=1))
    return found


def start(points, count, rng):
    return points[rng.choice(len(points), count, replace=False)]


def lloyd(distances, count, seed):
    rng = np.random.default_rng(seed)
    centers = start(distances.points, count, rng)
    for _ in range(distances.limit):
        distances.spend()
        owner = nearest(distances.points, centers)
        for index in range(count):
            if (owner == index).any():
                centers[index] = distances.points[owner == index].mean(axis=0)
    return centers
