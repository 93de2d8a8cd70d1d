"""Norms are bounded before the step."""

import pytest

LOOP = """
import torch

def train(model, loader):
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        loss(model(x), y).backward()
        optimizer.step()
"""


def test_torch(bench):
    text = bench("gradient_clipping").change(LOOP)
    assert "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        optimizer.step()" in text


RNN = """
import numpy as np

def rnn(w, lr):
    for epoch in range(1):
        w = w - lr * (w * 100)
    return w

print(np.linalg.norm(rnn(np.array([3.0, 4.0]), 0.1)))
"""


def test_own_recurrent_network(bench, run):
    assert float(run(RNN)) == pytest.approx(45.0)
    assert float(run(bench("gradient_clipping").change(RNN))) == pytest.approx(4.5)


def test_leaves_alone(bench):
    assert not bench("gradient_clipping").sites(
        LOOP.replace("        optimizer.step()", "        clip_grad_norm_(p)\n        optimizer.step()")
    )
    assert not bench("gradient_clipping").sites(
        LOOP.replace("(model.parameters())", "(model.parameters())\n    o2 = torch.optim.Adam(d.parameters())")
    )
    assert not bench("gradient_clipping").sites("import torch\n\ndef move(optimizer):\n    optimizer.step()\n")
