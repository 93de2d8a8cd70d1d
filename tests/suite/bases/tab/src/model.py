"""A logistic model, or a network with one hidden layer, fitted by stochastic gradient descent."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-np.clip(z, -30, 30)))


class Classifier:
    def __init__(self, rate=0.01, epochs=10, decay=0.0, hidden=0, batch=16, seed=0):
        self.rate, self.epochs, self.decay, self.hidden, self.batch = rate, epochs, decay, hidden, batch
        self.rng = np.random.default_rng(seed)

    def features(self, x):
        return x

    def fit(self, x, y):
        x = self.features(x)
        width = self.hidden or x.shape[1]
        self.first = self.rng.normal(size=(x.shape[1], width)) / np.sqrt(x.shape[1])
        self.weights, self.bias = self.rng.normal(size=width) * 0.1, 0.0
        for _ in range(self.epochs):
            order = self.rng.permutation(len(x))
            for start in range(0, len(x), self.batch):
                self.step(x[order[start : start + self.batch]], y[order[start : start + self.batch]])
        return self

    def step(self, x, y):
        inside = self.inside(x)
        error = sigmoid(inside @ self.weights + self.bias) - y
        if self.hidden:
            back = np.outer(error, self.weights) * (1 - inside**2)
            self.first -= self.rate * (x.T @ back / len(x) + self.decay * self.first)
        self.weights -= self.rate * (inside.T @ error / len(x) + self.decay * self.weights)
        self.bias -= self.rate * error.mean()

    def inside(self, x):
        return np.tanh(x @ self.first) if self.hidden else x

    def predict_proba(self, x):
        return sigmoid(self.inside(self.features(x)) @ self.weights + self.bias)

    def predict(self, x):
        return (self.predict_proba(x) >= 0.5).astype(int)
