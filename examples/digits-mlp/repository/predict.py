"""Train on the training images and write class probabilities for the test images."""

import argparse
import csv
import dataclasses
from pathlib import Path

from mlp.config import Config
from mlp.data import load_test_images, load_training
from mlp.training import train


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="predictions.csv")
    for field in dataclasses.fields(Config):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    args = parser.parse_args()
    config = Config(**{field.name: getattr(args, field.name) for field in dataclasses.fields(Config)})

    images, labels = load_training()
    network = train(images, labels, **dataclasses.asdict(config), seed=args.seed)

    ids, test_images = load_test_images()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    with open(args.out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *(f"p{digit}" for digit in range(10))])
        for identifier, row in zip(ids, network.probabilities(test_images), strict=True):
            writer.writerow([identifier, *(f"{value:.6f}" for value in row)])
    print(f"{len(ids)} predictions in {args.out}")


if __name__ == "__main__":
    main()
