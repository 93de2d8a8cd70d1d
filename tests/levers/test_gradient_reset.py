"""Each step has a gradient of its own."""

import pytest

ARRAYS = """
import numpy as np

def descend(X, lr, epochs):
    w = np.full(1, 8.0)
    grad = np.zeros(1)
    for epoch in range(epochs):
        for x in X:
            grad += x * w
        w -= lr * grad
    return w

print(abs(descend([1.0, 1.0], 0.1, 40)[0]))
"""

TORCH = """
import torch

for x, y in loader:
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
"""


def test_arrays(bench, run):
    text = bench("gradient_reset").change(ARRAYS)
    assert "    for epoch in range(epochs):\n        grad = np.zeros(1)\n" in text
    assert float(run(text)) < 0.01 < float(run(ARRAYS))


def test_torch(bench):
    assert "    optimizer.zero_grad()\n    loss.backward()" in bench("gradient_reset").change(TORCH)


@pytest.mark.parametrize(
    "text",
    [
        ARRAYS.replace("        for x in X", "        grad = np.zeros(1)\n        for x in X"),
        ARRAYS.replace("        for x in X", "        grad[:] = 0\n        for x in X"),
        ARRAYS.replace("        for x in X", "        grad *= 0.9\n        for x in X"),
        ARRAYS.replace("lr * grad", "lr * x / np.sqrt(grad)"),
        TORCH.replace("    loss.backward", "    model.zero_grad()\n    loss.backward"),
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("gradient_reset").sites(text)
