"""Averages of what the last epochs give, in the library, in arrays and in torch."""

import pytest

ARRAYS = """
import numpy as np

class Model:
    def fit(self, X, y, rng, epochs=15, lr=0.15):
        self.w, self.b = np.zeros(X.shape[1]), 0.0
        for epoch in range(epochs):
            for i in rng.permutation(len(X)):
                error = X[i] @ self.w + self.b - y[i]
                self.w -= lr * error * X[i]
                self.b -= lr * error
        return self

costs = []
for seed in range(10):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 3))
    y = X @ np.array([1.0, -2.0, 3.0]) + rng.normal(size=100)
    costs.append(abs(Model().fit(X, y, rng).w - [1.0, -2.0, 3.0]).max())
print(np.mean(costs))
"""


def test_arrays(bench, run):
    text = bench("weight_averaging").change(ARRAYS)
    assert "if 3 * epoch >= 2 * epochs:" in text
    assert "self.w, self.b = mean_weights" in text
    assert float(run(text)) < float(run(ARRAYS))


def test_library(bench):
    head = "from sklearn.linear_model import SGDClassifier\n"
    assert "SGDClassifier(alpha=a, average=True)" in bench("weight_averaging").change(head + "m = SGDClassifier(alpha=a)\n")
    assert not bench("weight_averaging").sites(head + "m = SGDClassifier(average=10)\n")
    assert not bench("weight_averaging").sites(head + "m = SGDClassifier(**options)\n")


def test_torch_restores_the_mean(bench):
    text = bench("weight_averaging").change(
        """
        import torch

        def train(model, loader, epochs):
            optimizer = torch.optim.Adam(model.parameters())
            for epoch in range(epochs):
                for x, y in loader:
                    loss(model(x), y).backward()
                    optimizer.step()
        """
    )
    assert "    if mean_weights:\n        model.load_state_dict(mean_weights)" in text


@pytest.mark.parametrize("extra", ["            self.best = self.w.copy()", "            self.averaged = self.w"])
def test_leaves_loops_alone_that_keep_something_already(bench, extra):
    assert not bench("weight_averaging").sites(ARRAYS.replace("            for i in", f"{extra}\n            for i in"))


def test_items_of_an_unknown_container_are_left_alone(bench):
    assert not bench("weight_averaging").sites(
        "def train(W, G, lr):\n    for epoch in range(9):\n        for i in range(3):\n            W[i] -= lr * G[i]\n"
    )
