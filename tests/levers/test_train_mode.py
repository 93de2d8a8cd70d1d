"""Dropout is off while predicting and on while training."""

import pytest

PREDICTS = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))

def accuracy(model, x):
    with torch.no_grad():
        out = model(x)
    return out
"""


def test_switches_off_and_back(bench):
    text = bench("train_mode").change(PREDICTS)
    assert "    was_training = model.training\n    model.eval()\n    with torch.no_grad():" in text
    assert "        out = model(x)\n    model.train(was_training)\n" in text


def test_goes_back_to_training(bench):
    text = bench("train_mode").change(
        PREDICTS
        + """
def train(model, loader, optimizer, epochs):
    for epoch in range(epochs):
        for x in loader:
            model(x).sum().backward()
            optimizer.step()
        model.eval()
"""
    )
    assert "    for epoch in range(epochs):\n        model.train()\n" in text


@pytest.mark.parametrize(
    "text",
    [
        PREDICTS.replace("nn.Dropout(0.5)", "nn.ReLU()"),
        PREDICTS + "model.eval()\n",
        PREDICTS.replace("        out = model(x)\n    return out", "        return model(x)"),
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("train_mode").sites(text)
