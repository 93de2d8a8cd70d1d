"""Drifting series are forecast from their last value."""

import pytest

FORECASTER = '''
import numpy as np


def windows(series, lags, horizon):
    starts = range(len(series) - lags - horizon + 1)
    return np.stack([series[i : i + lags] for i in starts]), np.stack([series[i + lags : i + lags + horizon] for i in starts])


class Linear:
    """A ridge autoregression."""

    def fit(self, X, y):
        self.w = np.linalg.solve(X.T @ X + 10.0 * np.eye(X.shape[1]), X.T @ y)
        return self

    def predict(self, X):
        return X @ self.w


series = np.arange(60.0) + np.sin(np.arange(60.0))
X, y = windows(series, 4, 2)
print(abs(Linear().fit(X[:30], y[:30]).predict(X[40:]) - y[40:]).mean())
print(Linear().fit(X[:30], y[:30, 0]).predict(X[40:]).shape)
'''


def test_removes_the_level(bench, run):
    text = bench("anchored_windows").change(FORECASTER)
    before, after = run(FORECASTER).splitlines(), run(text).splitlines()
    assert float(after[0]) < 0.8 * float(before[0])
    assert before[1] == after[1]


@pytest.mark.parametrize(
    "change",
    [
        ("[i : i + lags]", "[i : stop]"),
        ("autoregression", "classifier"),
        ("X @ self.w", "X[:, -1:] + X @ self.w"),
        ("def fit(self, X, y)", "def fit(self, X, y, weights=None)"),
    ],
)
def test_leaves_alone(bench, change):
    text = FORECASTER.replace(*change)
    if change[0] == "autoregression":
        text = text.replace("horizon", "size").replace("lags", "width")
    assert text != FORECASTER
    assert not bench("anchored_windows").sites(text)
