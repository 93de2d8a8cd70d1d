"""A logistic model, or a network with one hidden layer, fitted by stochastic gradient descent."""

import numpy as np


def squash(z):
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))


class Estimator:
    def __init__(self, rate, epochs, decay, hidden, batch, seed):
        self.rate, self.epochs, self.decay, self.hidden, self.batch = rate, epochs, decay, hidden, batch
        self.rng = np.random.default_rng(seed)

    def prepare(self, x):
        return x

    def fit(self, x, y):
        x = self.prepare(x)
        width = self.hidden or x.shape[1]
        self.first = self.rng.normal(size=(x.shape[1], width)) / np.sqrt(x.shape[1])
        self.second, self.offset = self.rng.normal(size=width) * 0.1, 0.0
        for _ in range(self.epochs):
            order = self.rng.permutation(len(x))
            for start in range(0, len(x), self.batch):
                part = order[start : start + self.batch]
                self.update(x[part], y[part])
        return self

    def update(self, x, y):
        inside = self.inside(x)
        error = squash(inside @ self.second + self.offset) - y
        if self.hidden:
            back = np.outer(error, self.second) * (1 - inside**2)
            self.first -= self.rate * (x.T @ back / len(x) + self.decay * self.first)
        self.second -= self.rate * (inside.T @ error / len(x) + self.decay * self.second)
        self.offset -= self.rate * error.mean()

    def inside(self, x):
        return np.tanh(x @ self.first) if self.hidden else x

    def chances(self, x):
        return squash(self.inside(self.prepare(x)) @ self.second + self.offset)

    def answer(self, x):
        return (self.chances(x) >= 0.5).astype(int)
