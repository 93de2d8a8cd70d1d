"""A new order every epoch; never for what has an order."""

import pytest

BATCHES = """
import numpy as np

def train(X, y, epochs, size, lr=0.1):
    n, w, seen = len(X), np.zeros(X.shape[1]), []
    for epoch in range(epochs):
        for start in range(0, n, size):
            xb, yb = X[start:start + size], y[start:start + size]
            seen.append(sorted(xb[:, 0].tolist()))
            w -= lr * xb.T @ (xb @ w - yb)
    return seen

np.random.seed(1)
print(train(np.arange(12.0).reshape(12, 1) / 100, np.zeros(12), 2, 4))
"""


def test_batches_differ_and_cover_all_rows(bench, run):
    text = bench("shuffle_epochs").change(BATCHES)
    assert "order = np.random.permutation(n)" in text
    seen = eval(run(text))
    assert seen[:3] != seen[3:]
    assert sorted(value for batch in seen[:3] for value in batch) == sorted(
        value for batch in eval(run(BATCHES))[:3] for value in batch
    )


def test_a_generator_at_hand_is_used(bench):
    text = bench("shuffle_epochs").change(
        BATCHES.replace("size, lr", "size, rng, lr").replace("np.zeros(X.shape[1])", "rng.normal(size=1)")
    )
    assert "order = rng.permutation(n)" in text


def test_switches(bench):
    text = bench("shuffle_epochs").change(
        "from torch.utils.data import DataLoader\ntrain_loader = DataLoader(train_set, batch_size=8, shuffle=False)\n"
    )
    assert "shuffle=True" in text


@pytest.mark.parametrize(
    "text",
    [
        BATCHES.replace("        for start", "        np.random.shuffle(X)\n        for start"),
        BATCHES.replace("X[start", "series[start"),
        BATCHES.replace("w -= lr * xb.T @ (xb @ w - yb)", "pass"),
        "from torch.utils.data import DataLoader\ntest_loader = DataLoader(test_set, shuffle=False)\n",
        "from torch.utils.data import DataLoader\ntrain_loader = DataLoader(train_series, shuffle=False)\n",
        "from sklearn.model_selection import train_test_split\na, b = train_test_split(X, shuffle=False)\n",
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("shuffle_epochs").sites(text)
