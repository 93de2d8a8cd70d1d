"""Cluster several sets of points; report the mean inertia and the seconds that clustering took."""

import argparse
import time

import numpy as np
from budget import Distances
from cluster import lloyd


def inertia(points, centers):
    return float(((points[:, None] - centers[None]) ** 2).sum(axis=2).min(axis=1).mean())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clusters", type=int, default=12)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    collections = np.load("data/points.npz")
    found, passes, seconds = [], [], 0.0
    for name in sorted(collections.files):
        points = collections[name]
        for _ in range(options.repeats):
            distances = Distances(points, options.passes)
            start = time.process_time()
            centers = lloyd(distances, options.clusters, options.seed)
            seconds += time.process_time() - start
        found.append(inertia(points, centers))
        passes.append(distances.passes)
        np.savetxt(f"centers-{name}.csv", centers, delimiter=",")
    print(f"inertia = {np.mean(found):.6f}")
    print(f"passes = {np.mean(passes):.3f}")
    print(f"seconds = {seconds / options.repeats:.6f}")


if __name__ == "__main__":
    main()
