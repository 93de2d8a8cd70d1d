"""The series, its parts in time, and windows over them."""

import numpy as np


def load():
    return np.loadtxt("data/loads.csv", delimiter=",", skiprows=1)


def parts(values):
    return values[:960], values[960:1200], values[1200:]


def windows(values, context):
    rows = np.stack([values[i : i + context].ravel() for i in range(len(values) - context)])
    return rows, values[context:]
