# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories written for older releases of libraries that have since removed, moved or tightened interfaces."""

from __future__ import annotations

from tests.broken import DATA, PRINT, SCORED, Broken
from tests.broken.libraries import MATPLOTLIB, NETWORKX, NUMPY, PANDAS, SKLEARN, TORCH, YAML

_NUMPY, _PANDAS, _SKLEARN = {"numpy-2.0": NUMPY}, {"pandas-3.0": PANDAS}, {"scikit_learn-1.5": SKLEARN}


def _repository(requirement: str, code: str) -> str:
    return f"--- requirements.txt\n{requirement}\n--- evaluate.py\n{code}{DATA}"


REPOSITORIES: dict[str, Broken] = {
    "removed-alias": Broken(
        "API-REMOVED",
        _repository("numpy", "import numpy as np\nx = np.Inf\ny = np.float(3)\nz = np.product([1, 3])\n"
                    f"assert (x, y, z) == (float('inf'), 3.0, 3)\n{SCORED}"),
        ("removed-name",), wheels=_NUMPY,
    ),
    "alias-in-helper": Broken(
        "API-REMOVED",
        "--- requirements.txt\nnumpy\n--- helper.py\nimport numpy\ndef convert(rows):\n"
        "    return [(numpy.int(a), numpy.int(b)) for a, b in rows]\n"
        f"--- evaluate.py\nfrom helper import convert\nrows = convert(line.split() for line in open('data/test.csv'))\n{PRINT}{DATA}",
        ("removed-name",), wheels=_NUMPY,
    ),
    "module-of-library-moved": Broken(
        "API-REMOVED", _repository("numpy", f"from numpy.lib.arraysetops import unique\nassert unique([2, 1]) == [1, 2]\n{SCORED}"),
        ("moved-import",), wheels=_NUMPY,
    ),
    "moved-import": Broken(
        "API-MOVED", f"--- evaluate.py\nfrom collections import Mapping, OrderedDict\nassert Mapping and OrderedDict\n{SCORED}{DATA}",
        ("moved-import",),
    ),
    "moved-inside-package": Broken(
        "API-MOVED", _repository("kit", f"from kit.old import Thing\n{SCORED}"), ("moved-import",),
        wheels={"kit-2.0": "--- kit/__init__.py\n--- kit/old.py\n--- kit/parts.py\nclass Thing:\n    pass\n"},
    ),
    "split-moved": Broken(
        "API-MOVED",
        _repository("scikit-learn", "from sklearn.cross_validation import train_test_split\n"
                    f"rows = [line.split() for line in open('data/test.csv')]\ntrain, rows = train_test_split(rows)\n{PRINT}"),
        ("moved-import",), wheels=_SKLEARN, truth=1.0,
    ),
    "removed-argument": Broken(
        "API-REMOVED",
        _repository("pandas", f"import pandas as pd\nrows = pd.read_csv('data/test.csv', delim_whitespace=True).rows\n{PRINT}"),
        ("removed-argument",), wheels=_PANDAS,
    ),
    "bad-lines": Broken(
        "API-REMOVED",
        _repository("pandas", f"import pandas as pd\nrows = pd.read_csv('data/test.csv', error_bad_lines=False).rows\n{PRINT}"),
        ("removed-argument",), wheels=_PANDAS,
    ),
    "axis-and-columns": Broken(
        "API-STRICTER",
        _repository("pandas", f"import pandas as pd\nrows = pd.read_csv('data/test.csv').drop(columns=2, axis=1).rows\n{PRINT}"),
        ("pandas-axis-and-labels",), wheels=_PANDAS,
    ),
    "data-frame-append": Broken(
        "API-REMOVED",
        _repository("pandas", "import pandas as pd\nlines = [line.split() for line in open('data/test.csv')]\n"
                    f"rows = pd.DataFrame(lines[:2]).append(pd.DataFrame(lines[2:]), ignore_index=True).rows\n{PRINT}"),
        ("pandas-removed-method",), wheels=_PANDAS,
    ),
    "data-frame-methods": Broken(
        "API-REMOVED",
        _repository("pandas", "import pandas as pd\nframe = pd.read_csv('data/test.csv')\n"
                    f"columns = dict(frame.iteritems())\nrows = frame.as_matrix()\nassert len(columns[0]) == len(rows)\n{PRINT}"),
        wheels=_PANDAS,
    ),
    "graph-pickle": Broken(
        "API-REMOVED",
        "--- requirements.txt\nnetworkx\n--- make.py\n--- evaluate.py\nimport networkx as nx, pickle\n"
        "rows = [line.split() for line in open('data/test.csv')]\npickle.dump(rows, open('/tmp/g.pkl', 'wb'))\n"
        f"rows = nx.read_gpickle('/tmp/g.pkl')\n{PRINT}{DATA}",
        ("removed-name",), wheels={"networkx-3.3": NETWORKX},
    ),
    "loss-renamed": Broken(
        "API-STRICTER",
        _repository("scikit-learn", f"from sklearn.linear_model import SGDClassifier\nSGDClassifier(loss='log').fit([])\n{SCORED}"),
        ("invalid-parameter-value",), wheels=_SKLEARN,
    ),
    "squared-argument": Broken(
        "API-REMOVED",
        _repository("scikit-learn", "from sklearn.metrics import mean_squared_error\n"
                    "print('accuracy:', 1 - mean_squared_error([1, 1], [1, 1.5], squared=False))\n"),
        ("removed-argument",), wheels=_SKLEARN, truth=1 - 0.125**0.5,
    ),
    "yaml-loader": Broken(
        "API-STRICTER",
        "--- requirements.txt\nPyYAML\n--- config.yaml\npath: data/test.csv\n--- evaluate.py\nimport yaml\n"
        f"config = yaml.load(open('config.yaml'))\nrows = [line.split() for line in open(config['path'])]\n{PRINT}{DATA}",
        ("yaml-load-without-loader",), wheels={"PyYAML-6.0": YAML},
    ),
    "whole-checkpoint": Broken(
        "API-STRICTER", _repository("torch", f"import torch\nrows = torch.load('data/test.csv')\n{PRINT}"),
        ("torch-load-weights-only",), wheels={"torch-2.6": TORCH},
    ),
    "pickled-array": Broken(
        "API-STRICTER", _repository("numpy", f"import numpy as np\nrows = np.load('data/test.csv')\n{PRINT}"),
        ("numpy-load-pickled",), wheels=_NUMPY,
    ),
    "scalar-tensor-indexed": Broken(
        "API-STRICTER",
        _repository("torch", "import torch\nloss = torch.tensor(0.25)\ntotal = 0\ntotal += loss.data[0]\nprint('accuracy:', 1 - total)\n"),
        ("scalar-tensor-indexed",), wheels={"torch-2.6": TORCH},
    ),
    "plot-style": Broken(
        "API-REMOVED",
        _repository("matplotlib", f"import matplotlib.pyplot as plt\nplt.style.use('seaborn-whitegrid')\n{SCORED}"),
        ("matplotlib-style-renamed",), wheels={"matplotlib-3.9": MATPLOTLIB},
    ),
    "removed-function": Broken(
        "API-REMOVED", f"--- evaluate.py\nimport time\nstart = time.clock()\n{SCORED}{DATA}", ("removed-name",)
    ),
    "removed-inspection": Broken(
        "API-REMOVED",
        f"--- evaluate.py\nimport inspect, fractions\nassert inspect.getargspec(lambda a: a).args == ['a']\nassert fractions.gcd(4, 6) == 2\n{SCORED}{DATA}",
        ("removed-name", "removed-name"),
    ),
    "element-tree-iterator": Broken(
        "API-REMOVED",
        "--- evaluate.py\nimport xml.etree.ElementTree as ET\ntree = ET.parse('rows.xml').getroot()\n"
        f"rows = [row.text.split() for row in tree.getiterator('row')]\n{PRINT}"
        "--- rows.xml\n<data><row>1 1</row><row>0 1</row><row>1 1</row><row>0 0</row></data>\n",
    ),
}  # fmt: skip
