"""Small repositories that do not run as they are, each with the one failure it is named after, and what makes it run.

A repository is one text: `--- path` starts a file. Every evaluation prints `accuracy: 0.75` when it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NUMPY = """--- numpy.py
inf = float("inf")
def __getattr__(name):
    raise AttributeError(f"module 'numpy' has no attribute {name!r}")
def prod(values):
    return 3
"""
_PANDAS = """--- pandas.py
class DataFrame:
    def __init__(self, rows):
        self.rows = rows
    def __getattr__(self, name):
        raise AttributeError(f"'DataFrame' object has no attribute {name!r}")
def concat(frames, ignore_index=False):
    return DataFrame([row for frame in frames for row in frame.rows])
def read_csv(path, sep=","):
    return [line.split() for line in open(path)]
"""
_YAML = "--- yaml.py\n"


@dataclass(frozen=True)
class Broken:
    """A repository, and the truth about it."""

    text: str
    skills: tuple[str, ...]
    """Skills that must have worked, in their order."""
    command: str = "python evaluate.py"
    wheels: Mapping[str, str] = field(default_factory=dict)
    """ "name-version" → files of a wheel on the index, as text."""


def files(text: str) -> dict[str, str]:
    """The files of a repository's or wheel's text."""
    parts = re.split(r"(?m)^--- (.+)\n", text)
    return {
        path: content.replace("PRINT", "print('accuracy: 0.75')") for path, content in zip(parts[1::2], parts[2::2], strict=True)
    }


REPOSITORIES: dict[str, Broken] = {
    "missing-package": Broken(
        "--- requirements.txt\n--- evaluate.py\nimport importlib\nimportlib.import_module('yaml')\nPRINT\n",
        ("missing-package",),
        wheels={"PyYAML-6.0": _YAML},
    ),
    "own-module": Broken(
        "--- scripts/evaluate.py\nfrom benchmarks.data import N\n"
        "PRINT\n--- benchmarks/__init__.py\n--- benchmarks/data.py\nN = 1\n",
        ("own-module-not-on-path",),
        "python scripts/evaluate.py",
    ),
    "removed-alias": Broken(
        "--- requirements.txt\nnumpy\n--- evaluate.py\nimport numpy as np\n"
        "x = np.Inf\ny = np.float(3)\nz = np.product([1, 3])\nassert (x, y, z) == (float('inf'), 3.0, 3)\nPRINT\n",
        ("removed-name",),
        wheels={"numpy-2.0": _NUMPY},
    ),
    "moved-import": Broken(
        "--- evaluate.py\nfrom collections import Mapping, OrderedDict\n"
        "assert Mapping and OrderedDict\nPRINT\n", ("moved-import",)
    ),
    "removed-argument": Broken(
        "--- requirements.txt\npandas\n--- data/x.txt\n1 2\n--- evaluate.py\nimport pandas as pd\n"
        "frame = pd.read_csv('data/x.txt', delim_whitespace=True)\nPRINT\n",
        ("removed-argument",),
        wheels={"pandas-3.0": _PANDAS},
    ),
    "data-frame-append": Broken(
        "--- requirements.txt\npandas\n--- evaluate.py\nimport pandas as pd\na = pd.DataFrame([1])\n"
        "a = a.append(pd.DataFrame([2]), ignore_index=True)\nassert a.rows == [1, 2]\nPRINT\n",
        ("pandas-removed-method",),
        wheels={"pandas-3.0": _PANDAS},
    ),
    "hard-coded-path": Broken(
        "--- evaluate.py\nrows = open('/home/someone/project/data/test.csv').read()\nPRINT\n--- data/test.csv\n1\n",
        ("hard-coded-path",),
    ),
    "hard-coded-root": Broken(
        "--- evaluate.py\nimport os, sys\nROOT = '/repo'\nsys.path.insert(0, ROOT)\n"
        "rows = open(os.path.join(ROOT, 'data/test.csv')).read()\nPRINT\n--- data/test.csv\n1\n",
        ("hard-coded-path",),
    ),
    "output-folder": Broken(
        "--- evaluate.py\nwith open('results/metrics.json', 'w') as file:\n"
        "    file.write('{}')\nPRINT\n", ("missing-output-folder",)
    ),
    "working-folder": Broken(
        "--- code/evaluate.py\nimport json\njson.load(open('config.json'))\nPRINT\n--- code/config.json\n{}\n",
        ("working-folder",),
        "python code/evaluate.py",
    ),
    "data-elsewhere": Broken(
        "--- evaluate.py\nopen('data/test.csv').read()\nPRINT\n--- resources/sets/test.csv\n1\n", ("data-elsewhere",)
    ),
    "train-first": Broken(
        "--- evaluate.py\nimport pickle\nmodel = pickle.load(open('model.pkl', 'rb'))\nPRINT\n"
        "--- train.py\nimport pickle\nif __name__ == '__main__':\n    pickle.dump([1], open('model.pkl', 'wb'))\n",
        ("train-first",),
    ),
    "question": Broken(""
        "--- evaluate.py\nanswer = input('Press Enter')\nassert answer == ''\nPRINT\n", ("closed-standard-input",)),
    "removed-function": Broken("--- evaluate.py\nimport time\nstart = time.clock()\nPRINT\n", ("removed-name",)),
    "python-two": Broken(
        "--- evaluate.py\ndef main():\n    for i in xrange(3):\n"
        "        print 'step', i\n    print 'accuracy: %.2f' % 0.75\nmain()\n",
        ("python-two", "python-two-name"),
    ),
    "relative-import": Broken(
        "--- tool/__init__.py\n--- tool/evaluate.py\nfrom .model import N\nPRINT\n--- tool/model.py\nN = 1\n",
        ("relative-import-in-script",),
        "python tool/evaluate.py",
    ),
    "script-mode": Broken(
        "--- run.sh\n#!/bin/sh\npython evaluate.py\n--- evaluate.py\nPRINT\n", ("script-not-executable",), "./run.sh"
    ),
    "conda-script": Broken(
        "--- run.sh\nconda activate paper\npython3.7 evaluate.py || exit 3\n--- evaluate.py\nPRINT\n",
        ("other-python-command",),
        "sh run.sh",
    ),
    "git-commit": Broken(
        "--- evaluate.py\nimport subprocess\nsha = subprocess.check_output(['git', 'rev-parse', 'HEAD']).strip()\nPRINT\n",
        ("no-git-metadata",),
    ),
    "tabs": Broken("--- evaluate.py\nif True:\n        x = 1\n\ty = 2\nPRINT\n", ("tabs-and-spaces",)),
    "yaml-loader": Broken(
        "--- requirements.txt\nPyYAML\n--- evaluate.py\nimport yaml\nassert yaml.load('1') == 1\nPRINT\n",
        ("yaml-load-without-loader",),
        wheels={
        "PyYAML-6.0": "--- yaml.py\ndef load(text, Loader):\n"
        "    return int(text)\ndef safe_load(text):\n    return int(text)\n"},
    ),
    "moved-inside-package": Broken(
        "--- requirements.txt\nkit\n--- evaluate.py\nfrom kit.old import Thing\nPRINT\n",
        ("moved-import",),
        wheels={"kit-2.0": "--- kit/__init__.py\n--- kit/old.py\n--- kit/parts.py\nclass Thing:\n    pass\n"},
    ),
    "two-missing-files": Broken(
        "--- evaluate.py\nopen('/home/a/data/x.txt')\n"
        "open('out/a/b.txt', 'w')\nopen('logs/c.txt', 'w')\nPRINT\n--- data/x.txt\n1\n",
        ("hard-coded-path", "missing-output-folder", "missing-output-folder"),
    ),
    "chain": Broken(
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
frame = pd.read_csv("/home/author/work/data/x.txt", delim_whitespace=True)
input()
open("out/result.txt", "w").write("x")
PRINT
--- helpers/tools.py
import time
def load():
    return time.clock()
--- data/x.txt
1 2
""",
        ("missing-package", "own-module-not-on-path", "moved-import", "removed-name", "removed-name", "removed-argument",
         "hard-coded-path", "closed-standard-input", "missing-output-folder"),
        "python code/evaluate.py",
        wheels={"PyYAML-6.0": _YAML, "numpy-2.0": _NUMPY, "pandas-3.0": _PANDAS},
    ),
}  # fmt: skip

HOPELESS: dict[str, str] = {
    "the metric's code is wrong": "--- evaluate.py\ncorrect, total = 3, 0\nprint('accuracy:', correct / total)\n",
    "data that nobody has": "--- evaluate.py\nopen('data/private.csv').read()\nPRINT\n",
    "a large file that was never fetched": "--- evaluate.py\nimport pickle\npickle.load(open('m.pkl', 'rb'))\nPRINT\n"
    "--- m.pkl\nversion https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a download": "--- evaluate.py\nimport urllib.request\nurllib.request.urlopen('http://data.invalid/x.zip')\nPRINT\n",
    "a package that no index has": "--- evaluate.py\nimport importlib\nimportlib.import_module('private_lab_tools')\nPRINT\n",
}
"""What no rule may pretend to mend."""
