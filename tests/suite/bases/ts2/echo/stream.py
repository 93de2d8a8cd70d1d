"""The stream. Steps before START are history; each later step is forecast from the steps before it."""

import numpy as np

START = 900


def read_stream(path="data/stream.csv"):
    return np.loadtxt(path, delimiter=",", skiprows=1)
