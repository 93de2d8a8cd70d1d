"""Train a network and report it."""

import argparse
import json

import numpy as np
from glyphs.images import images
from glyphs.learning import learn
from glyphs.network import Network


def calibration_error(chances, kinds, bins=10):
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == kinds
    place = np.minimum((sure * bins).astype(int), bins - 1)
    parts = [place == b for b in range(bins)]
    return float(sum(p.mean() * abs(sure[p].mean() - right[p].mean()) for p in parts if p.any()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with open("options.json") as file:
        options = json.load(file)
    network = learn(Network(options["width"], options["dropout"], 6, args.seed), options)
    pixels, kinds = images("test")
    answer = network.predict(pixels)
    np.savetxt("answers.csv", np.column_stack([np.arange(len(answer)), answer]), fmt="%d", delimiter=",", header="id,answer")
    report = {"accuracy": float(np.mean(answer == kinds)), "ece": calibration_error(network.scores(pixels), kinds)}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
