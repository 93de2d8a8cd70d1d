"""The monthly carbon dioxide series and its split in time."""

from pathlib import Path

import numpy as np

FILE = Path(__file__).resolve().parent.parent / "data" / "co2.csv"
TEST_MONTHS = 120
HORIZON = 12
SEASON = 12


def load_series():
    """Monthly means in parts per million, oldest first."""
    return np.loadtxt(FILE, delimiter=",", skiprows=1, usecols=1)


def split(series):
    """Everything but the last ten years, and the index at which they begin."""
    start = len(series) - TEST_MONTHS
    return series[:start], start
