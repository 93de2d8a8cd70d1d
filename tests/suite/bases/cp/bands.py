"""Fit, calibrate, report."""

import argparse
import json

import numpy as np
from conformal import radius
from regression import Regression

LEVEL = 0.1


def rows(part):
    table = np.loadtxt(f"data/{part}.csv", delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    x, y = rows("train")
    calibration, known = rows("calibration")
    inputs, truth = rows("test")
    model = Regression(seed=args.seed).fit(x, y)
    half = radius(np.abs(known - model.predict(calibration)), LEVEL)
    center = model.predict(inputs)
    low, high = center - half, center + half
    np.savetxt("bands.csv", np.column_stack([low, high]), delimiter=",")
    covered = (low <= truth) & (truth <= high)
    print(json.dumps({"length": float(np.mean(high - low)), "coverage": float(np.mean(covered))}))


if __name__ == "__main__":
    main()
