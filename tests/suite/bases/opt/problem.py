"""The function, behind a counter."""

import json

import numpy as np

BUDGET = 400


class Oracle:
    def __init__(self):
        with open("data/valleys.json") as file:
            valley = json.load(file)
        self.center, self.depth = np.array(valley["center"]), valley["depth"]
        self.calls = 0

    def value(self, point):
        away = point - self.center
        return float(np.sum(away**2) + self.depth * np.sum(1 - np.cos(3 * away)))

    def ask(self, point):
        self.calls += 1
        if self.calls > BUDGET:
            raise RuntimeError("the budget is used up")
        return self.value(point)
