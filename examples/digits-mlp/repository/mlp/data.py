"""Reading the digits."""

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "data"


def load_training():
    """Images as an n x 64 array with values 0 to 16, and their labels."""
    with np.load(FOLDER / "train.npz") as archive:
        return archive["images"].astype(float), archive["labels"].astype(int)


def load_test_images():
    """Identifiers and images of the test set; the labels are in a file of their own."""
    with np.load(FOLDER / "test_images.npz") as archive:
        return archive["ids"], archive["images"].astype(float)
