# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories with several failures in a row, each hidden by the one before."""

from __future__ import annotations

from tests.broken import DATA, PRINT, Broken
from tests.broken.libraries import NUMPY, PANDAS, TORCH, YAML

REPOSITORIES: dict[str, Broken] = {
    "chain-of-two": Broken(
        "CHAIN",
        "--- requirements.txt\ntorch\nnumpy\n--- evaluate.py\nimport numpy as np, torch\nbest = np.Inf\n"
        "loss = torch.tensor(0.25).cuda()\nprint('accuracy:', 1 - loss.item())\n",
        ("removed-name", "cuda-only"), wheels={"torch-2.6": TORCH, "numpy-2.0": NUMPY},
    ),
    "chain-of-three": Broken(
        "CHAIN",
        f"--- evaluate.py\nrows = [line.split() for line in open('/home/a/data/test.csv')]\nopen('out/a/b.txt', 'w')\nopen('logs/c.txt', 'w')\n{PRINT}{DATA}",
        ("hard-coded-path", "missing-output-folder", "missing-output-folder"),
    ),
    "chain-of-four": Broken(
        "CHAIN",
        "--- evaluate.py\nimport cPickle\nrows = [line.split() for line in open('data/test.csv')]\ncounts = {}\n"
        "for i in xrange(len(rows)):\n    pair = tuple(rows[i])\n    counts[pair] = counts.get(pair, 0) + 1\n    print 'row', i\n"
        "right = 0\nfor pair, count in counts.iteritems():\n    if pair[0] == pair[1]:\n        right += count\n"
        f"print 'accuracy:', right / float(len(rows))\n{DATA}",
    ),
    "chain-of-five": Broken(
        "CHAIN",
        "--- requirements.txt\npandas\n--- tool/__init__.py\n--- tool/evaluate.py\nfrom .reading import load\nfrom collections import Iterable\n"
        f"rows = load()\nassert isinstance(rows, Iterable)\ninput('continue?')\nopen('results/x.txt', 'w').write('x')\n{PRINT}"
        "--- tool/reading.py\nimport pandas as pd\ndef load():\n    return pd.read_csv('data/test.csv', delim_whitespace=True).rows\n" + DATA,
        ("relative-import-in-script", "moved-import", "removed-argument", "closed-standard-input", "missing-output-folder"),
        "python tool/evaluate.py", wheels={"pandas-3.0": PANDAS},
    ),
    "chain-of-seven": Broken(
        "CHAIN",
        """--- requirements.txt
pandas
numpy
--- code/evaluate.py
import importlib
importlib.import_module("yaml")
from helpers.tools import load
from collections import Mapping
import numpy as np
import pandas as pd
best = np.Inf
rows = load()
rows = pd.read_csv("/home/author/work/data/test.csv", delim_whitespace=True).rows
input()
open("out/result.txt", "w").write("x")
""" + PRINT + """--- helpers/tools.py
import time
def load():
    return time.clock()
""" + DATA,
        ("missing-package", "own-module-not-on-path", "moved-import", "removed-name", "removed-name", "removed-argument",
         "hard-coded-path", "closed-standard-input", "missing-output-folder"),
        "python code/evaluate.py",
        wheels={"PyYAML-6.0": YAML, "numpy-2.0": NUMPY, "pandas-3.0": PANDAS},
    ),
    "found-and-mended": Broken(
        "CHAIN",
        "--- README.md\n# Code of the paper\n\n## Evaluation\n\n```\npython3.6 scripts/evaluate.py --seed 1\n```\n"
        "--- requirements.txt\nnumpy==1.16.2\n--- scripts/evaluate.py\nimport argparse\nimport numpy as np\nfrom library.reading import rows\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--seed', type=int)\nassert np.float(1)\n" + PRINT +
        f"--- library/reading.py\nrows = [line.split() for line in open('data/test.csv')]\n{DATA}",
        command=None, wheels={"numpy-2.0": NUMPY},
    ),
}  # fmt: skip
