"""Compare predictions with the labels."""

import argparse
import csv

import numpy as np


def read(path):
    with open(path, newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", default="predictions.csv")
    parser.add_argument("--labels", default="data/test_labels.csv")
    args = parser.parse_args()

    labels, predictions = read(args.labels), read(args.predictions)
    if labels.keys() != predictions.keys():
        raise SystemExit(f"expected one prediction for each of {len(labels)} test images, found {len(predictions)}")
    truth = np.array([int(row["label"]) for row in labels.values()])
    probabilities = np.array([[float(predictions[key][f"p{digit}"]) for digit in range(10)] for key in labels])

    accuracy = np.mean(probabilities.argmax(axis=1) == truth)
    likelihood = np.clip(probabilities[np.arange(len(truth)), truth], 1e-6, 1.0)
    print(f"{'test images':<14}{len(truth):>8}")
    print(f"{'error rate':<14}{100 * (1 - accuracy):>8.2f}")
    print(f"{'log loss':<14}{-np.log(likelihood).mean():>8.4f}")


if __name__ == "__main__":
    main()
