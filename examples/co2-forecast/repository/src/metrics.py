"""Forecast errors."""

import numpy as np


def rolling_error(forecast, series, start, horizon):
    """Mean absolute error over all forecasts made in the test period, each from the values before it, and their number."""
    origins = range(start, len(series) - horizon + 1)
    errors = [np.abs(forecast(series[:origin]) - series[origin : origin + horizon]).mean() for origin in origins]
    return float(np.mean(errors)), len(errors)


def scale(training, season):
    """Mean absolute error of the seasonal naive forecast on the training part (Hyndman and Koehler, 2006)."""
    return float(np.abs(training[season:] - training[:-season]).mean())
