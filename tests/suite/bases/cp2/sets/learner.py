"""Softmax regression on random features."""

import numpy as np

from sets import constants


class Softmax:
    def __init__(self, kinds, seed):
        self.kinds, self.rng = kinds, np.random.default_rng(seed)

    def lift(self, x):
        return np.column_stack([np.cos(x @ self.directions + self.phases), x, np.ones(len(x))])

    def fit(self, x, y):
        self.directions = self.rng.normal(size=(x.shape[1], constants.FEATURES))
        self.phases = self.rng.uniform(0, 6.3, constants.FEATURES)
        rows, goal = self.lift(x), np.eye(self.kinds)[y]
        self.weights = self.rng.normal(size=(rows.shape[1], self.kinds)) * constants.SPREAD
        for _ in range(constants.STEPS):
            error = self.chances(x) - goal
            self.weights -= constants.RATE * (rows.T @ error / len(x) + constants.PENALTY * self.weights)
        return self

    def chances(self, x):
        z = self.lift(x) @ self.weights
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
