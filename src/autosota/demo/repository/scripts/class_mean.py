"""First row of Table 1: the nearest class mean on raw pixels. Run from the repository's root: python -m scripts.class_mean"""

from kitchensinks.data import load_split
from kitchensinks.metrics import report
from sklearn.neighbors import NearestCentroid

if __name__ == "__main__":
    train_images, test_images, train_labels, test_labels = load_split()
    report(NearestCentroid().fit(train_images, train_labels), test_images, test_labels)
