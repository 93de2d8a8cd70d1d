"""Train, forecast the test part, report."""

import argparse
import json

import numpy as np
from helpers import absolute, squared, summary
from network import Network, Scaler
from series import load, parts, windows


def train(known, held, config, seed):
    scaler = Scaler().fit(known)
    rows, after = windows(scaler.transform(known), config["context"])
    network = Network(rows.shape[1], after.shape[1], config["width"], seed)
    network.fit(rows, after, config["rate"], config["epochs"], config["patience"])
    return scaler, network


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with open("config.json") as file:
        config = json.load(file)
    values = load()
    known, held, last = parts(values)
    squares, absolutes = [], []
    for repeat in config["repeats"]:
        scaler, network = train(known, held, config, 1000 * args.seed + repeat)
        rows, after = windows(last, config["context"])
        shape = (len(rows), config["context"], -1)
        forecast = scaler.inverse(network.forecast(scaler.transform(rows.reshape(shape)).reshape(len(rows), -1)))
        squares.append(squared(after, forecast))
        absolutes.append(absolute(after, forecast))
    np.savetxt("forecast.csv", forecast, delimiter=",")
    print(json.dumps({"mse": summary(squares), "mae": summary(absolutes)}))


if __name__ == "__main__":
    main()
