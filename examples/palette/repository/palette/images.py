"""The photographs and how they are sampled."""

import numpy as np
from sklearn.datasets import load_sample_image

PHOTOGRAPHS = ("flower", "china")


def load_pixels(name):
    """Every second pixel in both directions of a photograph that ships with scikit-learn, as an n x 3 array in [0, 1]."""
    return load_sample_image(f"{name}.jpg")[::2, ::2].reshape(-1, 3) / 255.0


def draw_pixels(pixels, count, seed):
    """`count` pixels to learn from, drawn without replacement."""
    rng = np.random.default_rng(seed)
    return pixels[rng.choice(len(pixels), size=count, replace=False)]
