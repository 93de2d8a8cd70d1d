"""k-means++ in the library's call and in own code."""

import pytest

OWN = """
import numpy as np


class KMeans:
    def __init__(self, k):
        self.k = k

    def fit(self, X, rng):
        centers = X[rng.choice(len(X), self.k, replace=False)]  # k points
        for _ in range(50):
            labels = ((X[:, None] - centers) ** 2).sum(-1).argmin(1)
            centers = np.array([X[labels == j].mean(0) if (labels == j).any() else centers[j] for j in range(self.k)])
        return ((X - centers[labels]) ** 2).sum()


def cost(seed):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(12, 2)) * 30
    return KMeans(12).fit(np.concatenate([m + rng.normal(size=(40, 2)) for m in means]), rng)


print(np.mean([cost(seed) for seed in range(12)]))
"""


def test_own_code_runs_and_gets_better(bench, run):
    text = bench("kmeans_init").change(OWN)
    assert "centers = kmeans_plus_plus(X, self.k, rng)  # k points" in text
    assert float(run(text)) < 0.8 * float(run(OWN))


@pytest.mark.parametrize(
    ("draw", "generator"),
    [
        ("index = np.random.choice(n, size=k, replace=False)\n    centroids = X[index]", "None"),
        ("centroids = X[rng.permutation(n)[:k]]", "rng"),
    ],
)
def test_other_ways_to_draw(bench, draw, generator):
    text = bench("kmeans_init").change(f"import numpy as np\n\ndef kmeans(X, n, k, rng):\n    {draw}\n    return centroids\n")
    assert f"centroids = kmeans_plus_plus(X, k, {generator})" in text


def test_library_call(bench):
    text = bench("kmeans_init").change("from sklearn.cluster import KMeans\nm = KMeans(8, init='random', n_init=1)\n")
    assert 'KMeans(8, init="k-means++", n_init=1)' in text


@pytest.mark.parametrize(
    "text",
    [
        "from sklearn.cluster import KMeans\nm = KMeans(8)\n",
        "def bootstrap(X, rng):\n    sample = X[rng.choice(len(X), 5, replace=False)]\n    return sample.mean()\n",
        "def kmeans(X, k, rng):\n    batch = X[rng.choice(len(X), 64, replace=False)]\n    return batch\n",
        "def kmeans(X, k, rng):\n    centers = X[rng.choice(len(X), k, p=w, replace=False)]\n    return centers\n",
    ],
)
def test_leaves_other_draws_alone(bench, text):
    assert not bench("kmeans_init").sites(text)
