"""The simpler rules of Table 1, over ten draws: nearest class mean and nearest reference wine."""

import numpy as np
from noisywine.data import draw_queries, load_references


def main():
    references, cultivars = load_references()
    means = np.stack([references[cultivars == cultivar].mean(axis=0) for cultivar in range(3)])
    for name, points, labels in (("class mean", means, np.arange(3)), ("reference wine", references, cultivars)):
        scores = []
        for seed in range(10):
            queries, truth = draw_queries(references, cultivars, seed)
            squared = ((queries[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
            scores.append(100 * (labels[squared.argmin(axis=1)] == truth).mean())
        print(f"Nearest {name}: {np.mean(scores):.2f} +- {np.std(scores, ddof=1):.2f} %")


if __name__ == "__main__":
    main()
