"""The series, its parts in time, and windows over them."""

import numpy as np


def load():
    return np.loadtxt("data/loads.csv", delimiter=",", skiprows=1)


def parts(values):
    first, second = int(0.6 * len(values)), int(0.75 * len(values))
    return values[:first], values[first:second], values[second:]


def windows(values, context):
    rows = np.stack([values[i : i + context].ravel() for i in range(len(values) - context)])
    return rows, values[context:]
