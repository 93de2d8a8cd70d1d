"""Bagged ridge autoregressions with moving-block resampling."""

import numpy as np


def make_windows(series, lags, horizon):
    """Every run of `lags` values with the `horizon` values that follow it."""
    count = len(series) - lags - horizon + 1
    inputs = np.stack([series[start : start + lags] for start in range(count)])
    targets = np.stack([series[start + lags : start + lags + horizon] for start in range(count)])
    return inputs, targets


class RidgeAutoregression:
    """Forecasts all steps of the horizon directly, each by a linear function of the last values."""

    def __init__(self, ridge=1.0):
        self.ridge = ridge

    def fit(self, inputs, targets):
        self.input_mean = inputs.mean(axis=0)
        self.target_mean = targets.mean(axis=0)
        centered = inputs - self.input_mean
        gram = centered.T @ centered + self.ridge * np.eye(inputs.shape[1])
        self.weights = np.linalg.solve(gram, centered.T @ (targets - self.target_mean))
        return self

    def predict(self, inputs):
        return (inputs - self.input_mean) @ self.weights + self.target_mean


class BaggedForecaster:
    """The mean of `members` autoregressions, each fitted to blocks of windows drawn with replacement."""

    def __init__(self, lags, ridge, members, block, share, horizon, seed):
        self.lags = lags
        self.ridge = ridge
        self.members = members
        self.block = block
        self.share = share
        self.horizon = horizon
        self.rng = np.random.default_rng(seed)

    def fit(self, series):
        inputs, targets = make_windows(series, self.lags, self.horizon)
        self.models = []
        for _ in range(self.members):
            chosen = self.draw_blocks(len(inputs))
            self.models.append(RidgeAutoregression(self.ridge).fit(inputs[chosen], targets[chosen]))
        return self

    def draw_blocks(self, count):
        """Indices of whole blocks of neighboring windows, together about `share` of all windows."""
        block = min(self.block, count)
        starts = self.rng.integers(0, count - block + 1, size=max(1, round(self.share * count / block)))
        return np.concatenate([np.arange(start, start + block) for start in starts])

    def forecast(self, history):
        """The next `horizon` values after `history`."""
        window = history[-self.lags :][None, :]
        return np.mean([model.predict(window)[0] for model in self.models], axis=0)
