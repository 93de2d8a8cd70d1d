"""An index with a learned weight for each term."""

import numpy as np


class Index:
    def __init__(self, documents, power, seed):
        self.documents, self.rng = documents, np.random.default_rng(seed)
        self.weights = self.rng.uniform(0.5, 1.5, size=documents.shape[1])
        self.power = power

    def embed(self, table):
        rows = np.sqrt(table) * self.weights
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) ** self.power

    def search(self, questions):
        similar = self.embed(questions) @ self.embed(self.documents).T
        return np.argsort(-similar, axis=1, kind="stable")

    def fit(self, questions, relevant, rate, rounds):
        for _ in range(rounds):
            for start in range(0, len(questions), 20):
                part = self.rng.integers(0, len(questions), 20)
                wrong = self.rng.integers(0, len(self.documents), 20)
                good = questions[part] * self.documents[relevant[part]]
                bad = questions[part] * self.documents[wrong]
                self.weights = np.maximum(self.weights + rate * (good - bad).mean(axis=0), 0.05)
        return self
