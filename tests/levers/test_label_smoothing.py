"""Softer targets, for training only."""

import pytest

TORCH = """
from torch import nn

def train(model, loader, optimizer):
    criterion = nn.CrossEntropyLoss()
    for x, y in loader:
        criterion(model(x), y).backward()
        optimizer.step()
"""

OWN = """
import numpy as np

def fit(X, y, k, epochs=3, lr=0.1):
    W = np.zeros((X.shape[1], k))
    targets = np.eye(k)[y]
    for epoch in range(epochs):
        W -= lr * X.T @ (X @ W - targets)
    return targets

print(fit(np.ones((2, 2)), [0, 1], 2).tolist())
"""


def test_torch(bench):
    assert "nn.CrossEntropyLoss(label_smoothing=0.1)" in bench("label_smoothing", torch="2.0").change(TORCH)
    assert not bench("label_smoothing", torch="1.9").sites(TORCH)


def test_one_hot_targets(bench, run):
    text = bench("label_smoothing").change(OWN)
    rows = eval(run(text))
    assert rows[0] == pytest.approx([0.95, 0.05])
    assert sum(rows[1]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "text",
    [
        TORCH + "\ndef test(model, x, y, criterion):\n    return criterion(model(x), y).item()\n",
        TORCH.replace("    for x", "    evaluate(model, criterion)\n    for x"),
        TORCH.replace("Loss()", "Loss(**options)"),
        OWN.replace("def fit", "def evaluate").replace("print(fit", "print(evaluate"),
        OWN.replace("W -= lr", "W = 2"),
    ],
)
def test_leaves_alone_what_also_scores(bench, text):
    assert not bench("label_smoothing").sites(text)
