"""Fit on the training rows, report the test rows."""

import argparse
import csv
import json

import yaml
from src.data import read_rows
from src.metrics import accuracy, log_loss, worst_group
from src.model import Classifier


def fit(settings, train, valid, seed):
    model = Classifier(**settings["model"], batch=settings["batch"], seed=seed)
    model.fit(train.x, train.y)
    return model


def save(path, truth, labels):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "prediction"])
        writer.writerows((index, int(a), int(b)) for index, (a, b) in enumerate(zip(truth, labels)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="configs/default.yaml")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with open(args.config) as file:
        settings = yaml.safe_load(file)
    train, valid, test = (read_rows(settings["data"][part]) for part in ("train", "valid", "test"))
    model = fit(settings, train, valid, args.seed)
    proba = model.predict_proba(test.x)
    labels = model.predict(test.x)
    scores = {
        "accuracy": accuracy(test.y, labels),
        "log_loss": log_loss(test.y, proba),
        "worst_group_accuracy": worst_group(test.y, labels, test.group),
    }
    save("predictions.csv", test.y, labels)
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
