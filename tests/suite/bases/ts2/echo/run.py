"""One-step forecasts of the test steps of a stream."""

import argparse
import configparser

import numpy as np
from echo.reservoir import Readout, Reservoir
from echo.stream import START, read_stream


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="conf/model.ini")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="forecast.csv")
    args = parser.parse_args()
    config = configparser.ConfigParser()
    config.read(args.config)
    values = read_stream()
    center, spread = values[:START].mean(axis=0), values[:START].std(axis=0)
    scaled = (values - center) / spread
    reservoir = Reservoir(scaled.shape[1], config.getint("reservoir", "size"), config.getfloat("reservoir", "radius"), args.seed)
    states = reservoir.states(scaled)
    washout = config.getint("readout", "washout")
    readout = Readout(config.getfloat("readout", "penalty")).fit(states[washout : START - 1], scaled[washout + 1 : START])
    forecast = readout.predict(states[START - 1 : -1]) * spread + center
    np.savetxt(args.out, forecast, delimiter=",", header="a,b,c", comments="")


if __name__ == "__main__":
    main()
