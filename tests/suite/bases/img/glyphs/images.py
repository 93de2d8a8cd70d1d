"""The images and their loaders."""

import numpy as np


def images(part):
    table = np.load(f"data/{part}.npz")
    return table["image"], table["kind"]


class Loader:
    """Batches of a part."""

    def __init__(self, part, size=32, rng=None):
        self.pixels, self.kinds = images(part)
        self.size, self.rng = size, rng

    def __iter__(self):
        order = self.rng.permutation(len(self.pixels)) if self.rng else np.arange(len(self.pixels))
        for start in range(0, len(order), self.size):
            part = order[start : start + self.size]
            yield self.pixels[part], self.kinds[part]
