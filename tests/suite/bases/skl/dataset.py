"""The table and its fixed split: 300 training rows, 150 validation rows, the rest for the test."""

import numpy as np


def get_data(path):
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    x, y = table[:, :-1], table[:, -1].astype(int)
    return x[:300], x[300:450], x[450:], y[:300], y[300:450], y[450:]
