"""Ridge regression on random features."""

import numpy as np


class Regression:
    def __init__(self, count=15, penalty=30.0, seed=0):
        self.rng = np.random.default_rng(seed)
        self.count, self.penalty = count, penalty

    def lift(self, x):
        return np.column_stack([np.cos(x @ self.directions + self.phases), np.ones(len(x))])

    def fit(self, x, y):
        self.directions = self.rng.normal(size=(x.shape[1], self.count))
        self.phases = self.rng.uniform(0, 2 * np.pi, self.count)
        lifted = self.lift(x)
        self.weights = np.linalg.solve(lifted.T @ lifted + self.penalty * np.eye(lifted.shape[1]), lifted.T @ y)
        return self

    def predict(self, x):
        return self.lift(x) @ self.weights
