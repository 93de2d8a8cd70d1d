"""Learn a palette for each photograph from a few of its pixels and measure it on all of them."""

import argparse
import json
from pathlib import Path

from palette.images import PHOTOGRAPHS, draw_pixels, load_pixels
from palette.quality import measure
from palette.quantizer import learn_palette

COLORS = 32  # the size of the palette is part of the task


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config.json")
    parser.add_argument("--seed", type=int, default=0, help="draws the training pixels and starts the clustering")
    parser.add_argument("--out", default="results/metrics.json")
    args = parser.parse_args()

    config = json.loads(Path(args.config).read_text())
    errors, ratios = {}, {}
    for name in PHOTOGRAPHS:
        pixels = load_pixels(name)
        sample = draw_pixels(pixels, config["pixels"], args.seed)
        palette = learn_palette(
            sample, COLORS, batch_size=config["batch_size"], epochs=config["epochs"], seed=args.seed
        )
        if palette.shape != (COLORS, 3):
            raise SystemExit(f"the palette must have {COLORS} colors, not {len(palette)}")
        errors[f"mse_{name}"], ratios[f"psnr_{name}"] = measure(pixels, palette)

    result = {
        "mse": round(sum(errors.values()) / len(errors), 4),
        "psnr": round(sum(ratios.values()) / len(ratios), 4),
        **errors,
        **ratios,
    }
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
