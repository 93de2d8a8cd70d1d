"""Run the search, report the point it found."""

import argparse
import json

import numpy as np
from climb import climb
from problem import BUDGET, Oracle


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    losses, asked = [], []
    for round_ in range(6):
        oracle = Oracle()
        point = climb(oracle, len(oracle.center), 1000 * args.seed + round_, BUDGET)
        losses.append(oracle.value(point))
        asked.append(oracle.calls)
    print(json.dumps({"loss": float(np.mean(losses)), "calls": float(np.mean(asked))}))


if __name__ == "__main__":
    main()
