"""Sets of kinds that hold the truth with a promised frequency."""

import math

import numpy as np


def cut(scores, alpha):
    """The score up to which kinds are in the set."""
    rank = math.ceil((len(scores) + 1) * (1 - alpha))
    return np.sort(scores)[min(rank, len(scores)) - 1]


def nonconformity(chances):
    """One score per row and kind: how unlikely it is."""
    return 1.0 - chances


def members(chances, limit):
    return nonconformity(chances) <= limit
