"""Smooths forty noisy curves and writes the estimates."""

import argparse
from pathlib import Path

import numpy as np

from smoother.curves import grid, observe
from smoother.kernel import smooth

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--bandwidth", type=float, default=0.2)
parser.add_argument("--out", type=Path, default=Path("."))
options = parser.parse_args()

rng = np.random.default_rng(options.seed)
curves = [observe(rng) for _ in range(40)]
np.save(options.out / "estimates.npy", np.stack([smooth(x, y, grid(), options.bandwidth) for x, y in curves]))
