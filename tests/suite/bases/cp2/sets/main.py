"""Learn, calibrate, and write mean size and coverage of the sets to results/metrics.json."""

import argparse
import json
from pathlib import Path

import numpy as np

from sets import constants
from sets.learner import Softmax
from sets.prediction import cut, members, nonconformity


def table(part):
    rows = np.loadtxt(f"data/{part}.csv", delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1].astype(int)


def report(chosen, truth):
    held = chosen[np.arange(len(truth)), truth]
    return {"size": float(chosen.sum(axis=1).mean()), "coverage": float(held.mean())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    x, y = table("train")
    learner = Softmax(int(y.max()) + 1, seed).fit(x, y)
    x_held, y_held = table("held")
    limit = cut(nonconformity(learner.chances(x_held))[np.arange(len(y_held)), y_held], constants.ALPHA)
    x_test, y_test = table("test")
    chosen = members(learner.chances(x_test), limit)
    Path("results").mkdir(exist_ok=True)
    np.savetxt("results/sets.csv", chosen, fmt="%d", delimiter=",")
    Path("results/metrics.json").write_text(json.dumps(report(chosen, y_test)))


if __name__ == "__main__":
    main()
