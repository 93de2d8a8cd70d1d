"""Documents and questions as counts of terms."""

import json

import numpy as np


def counts(path, terms=300):
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    table = np.zeros((len(rows), terms))
    for index, row in enumerate(rows):
        np.add.at(table[index], row["terms"], 1.0)
    return table, np.array([row.get("document", -1) for row in rows])
