"""Scores of a classifier."""

import numpy as np


def accuracy(truth, labels):
    return float(np.mean(truth == labels))


def log_loss(truth, proba):
    clipped = np.clip(proba, 1e-6, 1 - 1e-6)
    return float(-np.mean(truth * np.log(clipped) + (1 - truth) * np.log(1 - clipped)))


def worst_group(truth, labels, group):
    return float(min(np.mean(truth[group == g] == labels[group == g]) for g in np.unique(group)))
