# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories whose source another Python, system or form was meant for."""

from __future__ import annotations

import json

from tests.broken import DATA, PRINT, SCORED, Broken

_CELLS = ["%matplotlib inline\n!pip install something\nfrom tqdm.notebook import trange\n",
          "rows = [line.split() for line in open('data/test.csv')]\n", PRINT]  # fmt: skip
_NOTEBOOK = json.dumps({
    "nbformat": 4, "nbformat_minor": 5, "metadata": {},
    "cells": [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell} for cell in _CELLS],
})  # fmt: skip

REPOSITORIES: dict[str, Broken] = {
    "python-two": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\ndef main():\n    right = 0\n    rows = [line.split() for line in open('data/test.csv')]\n"
        "    for i in xrange(len(rows)):\n        if rows[i][0] == rows[i][1]:\n            right += 1\n        print 'step', i\n"
        f"    print 'accuracy: %.2f' % (right / float(len(rows)))\nmain()\n{DATA}",
        ("python-two", "python-two-name"),
    ),
    "python-two-methods": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\ncounts = {}\nfor line in open('data/test.csv'):\n    pair = tuple(line.split())\n"
        "    if not counts.has_key(pair):\n        counts[pair] = 0\n    counts[pair] += 1\n"
        "right = sum(n for pair, n in counts.iteritems() if pair[0] == pair[1])\n"
        f"print('accuracy: %f' % (right / float(sum(counts.itervalues()))))\n{DATA}",
    ),
    "python-two-modules": Broken(
        "PYTHON-VERSION",
        f"--- evaluate.py\nimport cPickle as pickle\nfrom StringIO import StringIO\nfrom itertools import izip\nassert StringIO and izip and pickle\n{SCORED}{DATA}",
    ),
    "python-two-errors": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\ntry:\n    raise ValueError, 'x'\nexcept ValueError, error:\n    print error\n"
        f"rows = [line.split() for line in open('data/test.csv')]\nprint 'accuracy:', sum(a == b for a, b in rows) / float(len(rows))\n{DATA}",
    ),
    "nested-quotes": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\nconfig = {'name': 'x'}\nprint(f'model {config['name']}')\n" + SCORED + DATA, ("nested-quotes-in-f-string",)
    ),
    "tabs": Broken(
        "PYTHON-VERSION", f"--- evaluate.py\nif True:\n        x = 1\n\ty = 2\n{SCORED}{DATA}", ("tabs-and-spaces",)
    ),
    "notebook": Broken("NOTEBOOK-ONLY", f"--- experiment.ipynb\n{_NOTEBOOK}\n{DATA}", command=None,
                       wheels={"tqdm-4.66": "--- tqdm.py\ntrange = range\n"}),
    "latin-text": Broken(
        "UNDECODABLE-TEXT", f"--- evaluate.py\nnames = open('names.txt').read()\nassert names\n{SCORED}--- names.txt\n<latin1>Jos\u00e9\n{DATA}"
    ),
    "windows-line-ends": Broken(
        "SHELL-ENTRY", f"--- run.sh\n<crlf>#!/bin/bash\nset -e\ncd .\npython evaluate.py\n--- evaluate.py\n{SCORED}{DATA}", command="bash run.sh"
    ),
    "script-mode": Broken(
        "SHELL-ENTRY", f"--- run.sh\n#!/bin/sh\npython evaluate.py\n--- evaluate.py\n{SCORED}{DATA}", ("script-not-executable",), "./run.sh"
    ),
    "conda-script": Broken(
        "SHELL-ENTRY", f"--- run.sh\nconda activate paper\npython3.7 evaluate.py || exit 3\n--- evaluate.py\n{SCORED}{DATA}",
        ("other-python-command",), "sh run.sh",
    ),
    "unparenthesized-integer-division": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\nrows = [line.split() for line in open('data/test.csv')]\nhalf = len(rows) / 2\n"
        f"rows = [rows[i] for i in range(half)] + rows[half:]\n{PRINT}{DATA}",
    ),
    "python-two-lists": Broken(
        "PYTHON-VERSION",
        "--- evaluate.py\nimport random\nrows = [line.split() for line in open('data/test.csv')]\norder = range(len(rows))\n"
        "random.shuffle(order)\nright = filter(lambda i: rows[i][0] == rows[i][1], order)\n"
        f"print('accuracy: %.4f' % (len(right) / float(len(rows))))\n{DATA}",
        ("python-two-lists",),
    ),
    "sample-of-set": Broken(
        "PYTHON-VERSION",
        f"--- evaluate.py\nimport random\nrows = [line.split() for line in open('data/test.csv')]\nrandom.seed(0)\nrows = [rows[i] for i in random.sample(set(range(4)), 2)]\n{PRINT}{DATA}",
        ("sample-of-set",), truth=0.5,
    ),
    "universal-newlines": Broken(
        "PYTHON-VERSION", f"--- evaluate.py\nrows = [line.split() for line in open('data/test.csv', 'rU')]\n{PRINT}{DATA}", ("universal-newline-mode",)
    ),
    "pattern-flags": Broken(
        "PYTHON-VERSION", f"--- evaluate.py\nimport re\nassert re.match('a(?i)B', 'Ab')\n{SCORED}{DATA}", ("pattern-flags-inside",)
    ),
    "field-default": Broken(
        "PYTHON-VERSION",
        f"--- evaluate.py\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\n@dataclass\nclass B:\n    a: A = A()\nassert B().a.x == 1\n{SCORED}{DATA}",
        ("mutable-field-default",),
    ),
}  # fmt: skip
