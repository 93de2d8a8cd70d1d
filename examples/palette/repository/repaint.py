"""Repaint a photograph with its learned palette and save it."""

import argparse
import json
from pathlib import Path

from evaluate import COLORS
from palette.images import draw_pixels, load_pixels
from palette.quality import nearest
from palette.quantizer import learn_palette
from PIL import Image
from sklearn.datasets import load_sample_image


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default="flower")
    parser.add_argument("--config", default="config.json")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="repainted.png")
    args = parser.parse_args()

    config = json.loads(Path(args.config).read_text())
    pixels = load_pixels(args.image)
    sample = draw_pixels(pixels, config["pixels"], args.seed)
    palette = learn_palette(sample, COLORS, config["batch_size"], config["epochs"], args.seed)
    index, _ = nearest(pixels, palette)
    height, width = load_sample_image(f"{args.image}.jpg")[::2, ::2].shape[:2]
    Image.fromarray((palette[index].reshape(height, width, 3) * 255).round().clip(0, 255).astype("uint8")).save(args.out)


if __name__ == "__main__":
    main()
