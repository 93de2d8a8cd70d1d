"""Least squares becomes ridge regression."""

import pytest

FIT = """
import numpy as np

rng = np.random.default_rng(0)
A = rng.normal(size=(12, 10))
A[:, 1:] = A[:, :1] + 0.01 * A[:, 1:]
w = np.linalg.lstsq(A, A[:, 0] + rng.normal(size=12), rcond=None)[0]
print(abs(w).max())
"""


def test_subscripted_and_unpacked(bench, run):
    text = bench("ridge_solve").change(FIT)
    assert "w = ridge_regression(A, A[:, 0] + rng.normal(size=12))" in text
    assert float(run(text)) < 0.2 * float(run(FIT))
    unpacked = FIT.replace("w = np", "w, *_ = np").replace("None)[0]", "None)")
    assert run(bench("ridge_solve").change(unpacked)) == run(text)


def test_library(bench):
    text = bench("ridge_solve").change(
        "from sklearn.linear_model import LinearRegression\nm = LinearRegression(fit_intercept=False)\n"
    )
    assert "m = Ridge(fit_intercept=False)" in text


@pytest.mark.parametrize(
    "text",
    [
        "import numpy as np\nw, residual, *_ = np.linalg.lstsq(A, b)\n",
        "import numpy as np\nrank = np.linalg.lstsq(A, b)[2]\n",
        "from sklearn.linear_model import LinearRegression\nm = LinearRegression(positive=True)\n",
        "from mine import LinearRegression\nm = LinearRegression()\n",
    ],
)
def test_leaves_alone(bench, text):
    assert not bench("ridge_solve").sites(text)
