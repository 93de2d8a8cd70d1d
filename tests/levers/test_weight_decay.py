"""Decay apart from the gradient, for matrices only."""

NET = """
import numpy as np

def train(X, T, epochs, lr):
    W1, b1 = np.ones((2, 2)), np.zeros(2)
    for epoch in range(epochs):
        H = np.tanh(X @ W1 + b1)
        W1 -= lr * (X.T @ (H - T))
        b1 -= lr * (H - T).sum(0)
    return W1

print(train(np.zeros((1, 2)), np.zeros((1, 2)), 10, 1.0)[0, 0])
"""


def test_own_network(bench, run):
    text = bench("weight_decay").change(NET)
    assert "W1 *= 1.0 - 1e-4 * lr\n" in text
    assert "b1 *=" not in text
    assert 0.998 < float(run(text)) < float(run(NET)) == 1.0


def test_adam_becomes_decoupled(bench):
    assert "torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1)" in bench("weight_decay").change(
        "import torch\no = torch.optim.Adam(p, lr=1e-3, weight_decay=0.1)\n"
    )


def test_leaves_alone_what_is_regularized_or_no_network(bench):
    assert not bench("weight_decay").sites(NET.replace("epochs, lr)", "epochs, lr, l2=0)"))
    assert not bench("weight_decay").sites(NET.replace("np.tanh", "np.abs"))
    assert not bench("weight_decay").sites("import torch\no = torch.optim.AdamW(p)\n")
