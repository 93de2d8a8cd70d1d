"""Compares the estimates with the curve: mean integrated squared error."""

import sys
from pathlib import Path

import numpy as np

from smoother.curves import grid, truth

estimates = np.load(Path(sys.argv[1]) / "estimates.npy", allow_pickle=False)
if estimates.shape != (40, len(grid())):
    sys.exit("forty estimates on the grid are expected")
print(f"MISE: {np.mean((estimates - truth(grid())) ** 2):.6f}")
