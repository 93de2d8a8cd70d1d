"""A network with one hidden layer that forecasts the next step."""

import numpy as np


class Scaler:
    def fit(self, values):
        self.center, self.spread = values.mean(axis=0), values.std(axis=0)
        return self

    def transform(self, values):
        return (values - self.center) / self.spread

    def inverse(self, values):
        return values * self.spread + self.center


class Network:
    def __init__(self, inputs, outputs, width, seed):
        self.rng = np.random.default_rng(seed)
        self.a = self.rng.normal(size=(inputs, width)) / np.sqrt(inputs)
        self.b = self.rng.normal(size=(width, outputs)) / np.sqrt(width)

    def forecast(self, rows):
        return np.tanh(rows @ self.a) @ self.b

    def fit(self, rows, after, rate, epochs, patience):
        step = 0
        for _ in range(epochs):
            order = self.rng.permutation(len(rows))
            for start in range(0, len(rows), 16):
                part = order[start : start + 16]
                step += 1
                now = rate * 0.5 ** (step // patience)
                inside = np.tanh(rows[part] @ self.a)
                error = inside @ self.b - after[part]
                back = (error @ self.b.T) * (1 - inside**2)
                self.b -= now * inside.T @ error / len(part)
                self.a -= now * rows[part].T @ back / len(part)
        return self
