"""Train random kitchen sinks on the digits and print the metrics on the test images."""

import argparse
from pathlib import Path

import yaml
from kitchensinks.data import load_split
from kitchensinks.metrics import report
from kitchensinks.model import build_model


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="configs/kitchen_sinks.yaml", help="feature map and loss")
    parser.add_argument("--alpha", type=float, default=0.001, help="strength of the L2 penalty")
    parser.add_argument("--epochs", type=int, default=5, help="passes over the training images")
    parser.add_argument("--seed", type=int, default=0, help="draws the features and the order of the images")
    return parser.parse_args()


def main():
    options = parse_options()
    config = yaml.safe_load(Path(options.config).read_text(encoding="utf-8"))
    train_images, test_images, train_labels, test_labels = load_split()
    model = build_model(config, alpha=options.alpha, epochs=options.epochs, seed=options.seed)
    model.fit(train_images, train_labels)
    report(model, test_images, test_labels)


if __name__ == "__main__":
    main()
