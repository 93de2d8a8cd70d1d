"""How well a palette repaints a photograph."""

import numpy as np


def nearest(pixels, palette):
    """Index of the nearest color for each pixel, and the squared distance to it."""
    distances = (pixels**2).sum(axis=1)[:, None] - 2.0 * pixels @ palette.T + (palette**2).sum(axis=1)
    index = distances.argmin(axis=1)
    return index, np.maximum(distances[np.arange(len(pixels)), index], 0.0)


def measure(pixels, palette):
    """Mean squared error per pixel on the scale 0 to 255, summed over channels, and the PSNR in dB."""
    _, squared = nearest(pixels, palette)
    error = float(squared.mean())
    return round(error * 255.0**2, 4), round(-10.0 * float(np.log10(error / 3.0)), 4)
