"""Errors of the forecasts: score.py OUTPUTS LABELS."""

import json
import sys
from pathlib import Path

import numpy as np


def main():
    forecast = np.loadtxt(Path(sys.argv[1]) / "forecast.csv", delimiter=",", skiprows=1)
    truth = np.loadtxt(Path(sys.argv[2]) / "data/targets.csv", delimiter=",", skiprows=1)
    if forecast.shape != truth.shape or not np.isfinite(forecast).all():
        raise SystemExit("every step needs one finite forecast")
    print(json.dumps({"rmse": float(np.sqrt(np.mean((forecast - truth) ** 2))), "mae": float(np.mean(np.abs(forecast - truth)))}))


if __name__ == "__main__":
    main()
