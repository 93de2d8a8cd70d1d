"""Palettes: where the centers start, restarts, and the mini-batches."""

from benchmarks.spaces import Dimension, Example

EXAMPLE = Example(
    name="palette",
    commands=("python evaluate.py --seed {seed} {options}", "cat results/metrics.json"),
    pattern=r'"mse": ([\d.]+)',
    direction="min",
    space={
        "batch_size": Dimension("config.json:batch_size", 20, 2000, log=True, whole=True),
        "epochs": Dimension("config.json:epochs", 1, 50, log=True, whole=True),
        "init": Dimension("palette/quantizer.py:init={},", choices=("random", "k-means++"), shipped="random"),
        "n_init": Dimension("palette/quantizer.py:n_init={},", 1, 5, whole=True, shipped=1),
        "reassignment_ratio": Dimension("palette/quantizer.py:reassignment_ratio={},", 0.0, 0.1, shipped=0.0),
    },
    good={"batch_size": 500, "epochs": 30, "init": "k-means++", "n_init": 3},
    second=r'"psnr": ([\d.]+)',
)
