"""The digits of scikit-learn with one fixed split."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TEST_IMAGES = 540
SPLIT_SEED = 0


def load_split():
    """Return training images, test images, training labels, test labels; the split is the same for every seed."""
    images, labels = load_digits(return_X_y=True)
    return train_test_split(images, labels, test_size=TEST_IMAGES, random_state=SPLIT_SEED, stratify=labels)
