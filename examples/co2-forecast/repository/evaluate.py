"""Rolling one-year forecasts over the last ten years of the series."""

import argparse
from pathlib import Path

import yaml

from src.data import HORIZON, SEASON, load_series, split
from src.ensemble import BaggedForecaster
from src.metrics import rolling_error, scale


def seasonal_naive(history):
    return history[-SEASON:][:HORIZON]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="configs/co2.yaml")
    parser.add_argument("--naive", action="store_true", help="measure the seasonal naive forecast instead")
    args = parser.parse_args()
    config = yaml.safe_load(Path(args.config).read_text())

    series = load_series()
    training, start = split(series)
    if args.naive:
        forecast = seasonal_naive
    else:
        forecaster = BaggedForecaster(**config["model"], **config["bagging"], horizon=HORIZON, seed=config["seed"])
        forecast = forecaster.fit(training).forecast
    error, count = rolling_error(forecast, series, start, HORIZON)

    print(f"{'horizon':>8} {'forecasts':>10} {'MAE':>8} {'MASE':>8}")
    print(f"{HORIZON:>8} {count:>10} {error:>8.4f} {error / scale(training, SEASON):>8.4f}")


if __name__ == "__main__":
    main()
