"""Reading the tables."""

from collections import namedtuple

import numpy as np

Rows = namedtuple("Rows", "x y group")


def read_rows(path):
    """Columns: features, then label, then group."""
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return Rows(table[:, :-2], table[:, -2].astype(int), table[:, -1].astype(int))
