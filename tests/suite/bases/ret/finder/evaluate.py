"""Learn, search, report."""

import argparse
import json
import time
import tomllib

import numpy as np
from finder.corpus import counts
from finder.index import Index


def recall(ranking, relevant, k):
    return float(np.mean([r in row[:k] for row, r in zip(ranking, relevant)]))


def reciprocal(ranking, relevant):
    return float(np.mean([1.0 / (1 + int(np.argmax(row == r))) for row, r in zip(ranking, relevant)]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--settings", default="settings.toml")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with open(args.settings, "rb") as file:
        settings = tomllib.load(file)
    documents, _ = counts("data/documents.jsonl")
    known, known_relevant = counts("data/known.jsonl")
    open_questions, relevant = counts("data/open.jsonl")
    index = Index(documents, settings["power"], args.seed)
    index.fit(known, known_relevant, settings["rate"], settings["rounds"])
    start = time.process_time()
    ranking = index.search(open_questions)
    seconds = time.process_time() - start
    np.savetxt("ranking.csv", ranking[:, :10], fmt="%d", delimiter=",")
    found = recall(ranking, relevant, settings["topk"])
    print(json.dumps({"recall@10": found, "mrr": reciprocal(ranking, relevant), "seconds": seconds}))


if __name__ == "__main__":
    main()
