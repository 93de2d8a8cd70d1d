"""Score the answers."""

import json
import os
import sys

import numpy as np


def main():
    given = np.loadtxt(os.path.join(sys.argv[1], "answers.csv"), delimiter=",", skiprows=1)
    truth = np.loadtxt(os.path.join(sys.argv[2], "data/answers.csv"), delimiter=",", skiprows=1)
    if given.shape != truth.shape or not np.array_equal(given[:, 0], truth[:, 0]):
        raise SystemExit("every row needs exactly one answer")
    right = given[:, 1] == truth[:, 1]
    with open("items.csv", "w") as file:
        file.write("id,correct\n")
        file.writelines(f"{int(index)},{int(value)}\n" for index, value in zip(truth[:, 0], right))
    print(json.dumps({"accuracy": float(right.mean())}))


if __name__ == "__main__":
    main()
