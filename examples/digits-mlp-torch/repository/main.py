"""Train the network and test it."""

import argparse
from pathlib import Path

import torch
import yaml
from torchmlp.data import load_digits
from torchmlp.model import build_model
from torchmlp.training import test, train


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="configs/mlp.yaml")
    parser.add_argument("--seed", type=int, default=0, help="draws the first weights, the dropout and the order of the images")
    args = parser.parse_args()
    config = yaml.safe_load(Path(args.config).read_text())

    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    train_images, train_labels, test_images, test_labels = load_digits()
    model = build_model(train_images.shape[1], classes=10, **config["model"])
    train(model, train_images, train_labels, **config["training"])
    print(f"accuracy = {test(model, test_images, test_labels):.4f}")


if __name__ == "__main__":
    main()
