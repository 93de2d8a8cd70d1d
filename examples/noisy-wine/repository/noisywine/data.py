"""The reference wines, and new noisy measurements of them."""

from pathlib import Path

import numpy as np

FILE = Path(__file__).resolve().parent.parent / "data" / "wine.csv"
NOISE = 1.5  # standard deviation of the instruments' error, in standard deviations of each quantity
QUERIES = 2000


def load_references():
    """Thirteen standardized quantities for each of the 178 wines, and the cultivars."""
    table = np.loadtxt(FILE, delimiter=",", skiprows=1)
    quantities, cultivars = table[:, :-1], table[:, -1].astype(int)
    return (quantities - quantities.mean(axis=0)) / quantities.std(axis=0), cultivars


def draw_queries(references, cultivars, seed):
    """Wines drawn at random and measured once with noisy instruments; their cultivars are the truth."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(references), size=QUERIES)
    return references[drawn] + rng.normal(0.0, NOISE, (QUERIES, references.shape[1])), cultivars[drawn]
