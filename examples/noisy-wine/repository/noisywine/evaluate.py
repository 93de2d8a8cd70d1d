"""Decode new noisy measurements and report accuracy and log loss.

    python -m noisywine.evaluate --seed 0
"""

import argparse
import configparser

import numpy as np

from noisywine.data import draw_queries, load_references
from noisywine.decoder import BayesDecoder


def build_decoder(path):
    settings = configparser.ConfigParser()
    settings.read(path)
    section = settings["decoder"]
    return BayesDecoder(
        noise_level=section.getfloat("noise_level"),
        prior_exponent=section.getfloat("prior_exponent"),
        temperature=section.getfloat("temperature"),
        neighbors=section.getint("neighbors"),
    )


def main():
    parser = argparse.ArgumentParser(description="Decode noisy wines.")
    parser.add_argument("--settings", default="settings.ini")
    parser.add_argument("--seed", type=int, default=0, help="draws the wines and the noise")
    args = parser.parse_args()

    references, cultivars = load_references()
    queries, truth = draw_queries(references, cultivars, args.seed)
    posterior = build_decoder(args.settings).fit(references, cultivars).posterior(queries)

    accuracy = (posterior.argmax(axis=1) == truth).mean()
    loss = -np.log(np.maximum(posterior[np.arange(len(truth)), truth], 1e-12)).mean()
    print(f"Accuracy: {100 * accuracy:.2f} %")
    print(f"Log loss: {loss:.4f}")


if __name__ == "__main__":
    main()
