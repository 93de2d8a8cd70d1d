"""Errors of forecasts and how repetitions are summarized."""

import numpy as np


def squared(truth, forecast):
    return float(np.mean((truth - forecast) ** 2))


def absolute(truth, forecast):
    return float(np.mean(np.abs(truth - forecast)))


def summary(values):
    return float(np.mean(values))
