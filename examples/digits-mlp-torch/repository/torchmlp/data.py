"""The digits as tensors."""

from pathlib import Path

import numpy as np
import torch

FILE = Path(__file__).resolve().parent.parent / "data" / "digits.npz"


def load_digits():
    """Training images and labels, test images and labels; gray values from 0 to 16."""
    with np.load(FILE) as archive:
        return (
            torch.from_numpy(archive["train_images"]).float(),
            torch.from_numpy(archive["train_labels"]).long(),
            torch.from_numpy(archive["test_images"]).float(),
            torch.from_numpy(archive["test_labels"]).long(),
        )
