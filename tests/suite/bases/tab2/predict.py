"""Fit and answer."""

import argparse
import json
import os

import numpy as np
from estimator import Estimator


def table(path):
    return np.loadtxt(path, delimiter=",", skiprows=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="out")
    args = parser.parse_args()
    with open("settings.json") as file:
        settings = json.load(file)
    known, held, blind = table("data/known.csv"), table("data/held.csv"), table("data/blind.csv")
    estimator = Estimator(**settings, seed=args.seed)
    estimator.fit(known[:, :-2], known[:, -2].astype(int))
    answers = estimator.answer(blind[:, :-1])
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "answers.csv"), "w") as file:
        file.write("id,answer\n")
        file.writelines(f"{index},{int(value)}\n" for index, value in enumerate(answers))


if __name__ == "__main__":
    main()
