"""An echo state network: a fixed random recurrence and a ridge readout."""

import numpy as np


class Reservoir:
    def __init__(self, inputs, size, radius, seed, leak=0.3):
        rng = np.random.default_rng(seed)
        self.inward = rng.uniform(-0.5, 0.5, size=(inputs, size))
        inner = rng.normal(size=(size, size))
        self.inner = radius * inner / np.max(np.abs(np.linalg.eigvals(inner)))
        self.leak = leak

    def states(self, values):
        """State after each step."""
        state, found = np.zeros(len(self.inner)), []
        for value in values:
            state = (1 - self.leak) * state + self.leak * np.tanh(value @ self.inward + state @ self.inner)
            found.append(state)
        return np.array(found)


class Readout:
    def __init__(self, penalty):
        self.penalty = penalty

    def fit(self, states, targets):
        rows = self.rows(states)
        self.weights = np.linalg.solve(rows.T @ rows + self.penalty * np.eye(rows.shape[1]), rows.T @ targets)
        return self

    def rows(self, states):
        return np.column_stack([states, np.ones(len(states))])

    def predict(self, states):
        return self.rows(states) @ self.weights
