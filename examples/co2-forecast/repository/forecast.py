"""Print the forecast for the year after the series ends."""

from pathlib import Path

import yaml

from src.data import HORIZON, load_series
from src.ensemble import BaggedForecaster


def main():
    config = yaml.safe_load(Path("configs/co2.yaml").read_text())
    series = load_series()
    forecaster = BaggedForecaster(**config["model"], **config["bagging"], horizon=HORIZON, seed=config["seed"])
    for month, value in enumerate(forecaster.fit(series).forecast(series), start=1):
        print(f"+{month:<3} {value:.2f} ppm")


if __name__ == "__main__":
    main()
