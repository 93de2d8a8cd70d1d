"""Bands from the residuals of calibration rows."""

import math

import numpy as np


def radius(residuals, level):
    rank = math.ceil((len(residuals) + 1) * (1 - level))
    return float(np.sort(residuals)[min(rank, len(residuals)) - 1])
