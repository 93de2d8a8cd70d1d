"""The task: noisy observations of a known curve."""

import numpy as np

POINTS = 120
NOISE = 0.3


def truth(x):
    """The curve to be recovered."""
    return np.sin(2.5 * x) + 1.5 * x


def observe(rng):
    """Uneven designs: most observations lie on the left, as instruments drift and are switched off."""
    x = np.sort(rng.beta(1.0, 2.0, POINTS) * 4.0)
    return x, truth(x) + NOISE * rng.standard_normal(POINTS)


def grid():
    """Where the estimate is compared with the curve."""
    return np.linspace(0.0, 3.6, 181)
