"""One hidden layer with dropout."""

from torch import nn


def build_model(inputs, hidden, classes, dropout=0.0):
    """A perceptron with ReLU units."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )
