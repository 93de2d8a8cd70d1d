# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories whose environment is wrong: missing, misnamed, unavailable, conflicting, heavy packages."""

from __future__ import annotations

from tests.broken import DATA, SCORED, Broken
from tests.broken.libraries import NUMPY, TORCH, YAML

_LATE = "import importlib\n"

REPOSITORIES: dict[str, Broken] = {
    "missing-package": Broken(
        "MISSING-PACKAGE",
        f"--- requirements.txt\n--- evaluate.py\n{_LATE}importlib.import_module('yaml')\n{SCORED}{DATA}",
        ("missing-package",), wheels={"PyYAML-6.0": YAML},
    ),
    "import-name-differs": Broken(
        "MISSING-PACKAGE", f"--- evaluate.py\nimport sklearn, PIL\n{SCORED}{DATA}",
        wheels={"scikit_learn-1.5": "--- sklearn.py\n", "pillow-11.0": "--- PIL.py\n"},
    ),
    "debugger-left-in": Broken(
        "MISSING-PACKAGE", f"--- requirements.txt\n--- evaluate.py\nimport ipdb\n{SCORED}{DATA}", verdict="partly"
    ),
    "cuda-build-pinned": Broken(
        "PIN-UNAVAILABLE",
        f"--- requirements.txt\ntorch==1.12.1+cu116\n--- evaluate.py\nimport torch\nassert float(torch.tensor(1)) == 1\n{SCORED}{DATA}",
        wheels={"torch-2.6": TORCH},
    ),
    "old-pins": Broken(
        "PIN-UNAVAILABLE",
        f"--- requirements.txt\nnumpy==1.14.0\nPyYAML==3.12\n--- evaluate.py\nimport numpy, yaml\n{SCORED}{DATA}",
        wheels={"numpy-2.0": NUMPY, "PyYAML-6.0": YAML},
    ),
    "pin-in-dependency": Broken(
        "PIN-CONFLICT", f"--- requirements.txt\nkit\ntorch\n--- evaluate.py\nimport kit, torch\n{SCORED}{DATA}",
        wheels={"torch-2.6": TORCH, "kit-1.0 needs torch<1.13": "--- kit.py\n"},
    ),
    "unused-package-conflicts": Broken(
        "PIN-CONFLICT",
        f"--- requirements.txt\nnumpy>=2\nviewer==1.0\n--- evaluate.py\nimport numpy\n{SCORED}{DATA}",
        wheels={"numpy-2.0": NUMPY, "viewer-1.0 needs numpy<1": "--- viewer.py\n"},
    ),
    "heavy-dependency": Broken(
        "HEAVY-DEPENDENCY",
        f"--- requirements.txt\nhelper\n--- evaluate.py\nfrom helper.tools import read\nrows = read('data/test.csv')\n"
        f"print('accuracy:', sum(a == b for a, b in rows) / len(rows))\n{DATA}",
        wheels={"helper-1.0": "--- helper/__init__.py\nfrom helper import training\n--- helper/training.py\nimport bigframework\n"
                "from bigframework.nn import Layer\nclass Net(Layer):\n    pass\n"
                "--- helper/tools.py\ndef read(path):\n    return [line.split() for line in open(path)]\n"},
        verdict="partly",
    ),
    "model-zoo": Broken(
        "IMPORT-EVERYTHING",
        f"--- requirements.txt\n--- models/__init__.py\nfrom models import simple, exotic\n--- models/simple.py\nN = 1\n"
        f"--- models/exotic.py\nimport exoticops.layers as layers\nfrom exoticops import Block\n"
        f"class Net(Block):\n    size = 3\n--- evaluate.py\nfrom models import simple\n{SCORED}{DATA}",
        verdict="partly",
    ),
    "private-interface-of-library": Broken(
        "API-REMOVED",
        f"--- requirements.txt\ntorch\nexporter\n--- evaluate.py\nimport exporter\n{SCORED}{DATA}",
        wheels={"torch-2.6": TORCH, "exporter-1.0": "--- exporter.py\nfrom torch.cuda import _set_opset_version\n"},
        verdict="partly",
    ),
    "conda-list": Broken(
        "NOT-A-REQUIREMENTS-FILE",
        "--- requirements.txt\n# This file may be used to create an environment using:\n# platform: linux-64\n"
        f"_libgcc_mutex=0.1=main\nblas=1.0=mkl\nPyYAML=6.0=py37_0\n--- evaluate.py\nimport yaml\n{SCORED}{DATA}",
        wheels={"PyYAML-6.0": YAML},
    ),
    "frozen-with-files": Broken(
        "NOT-A-REQUIREMENTS-FILE",
        f"--- requirements.txt\nPyYAML @ file:///home/conda/feedstock_root/yaml/work\nmkl-fft==1.3.1\n--- evaluate.py\nimport yaml\n{SCORED}{DATA}",
        wheels={"PyYAML-6.0": YAML},
    ),
    "standard-modules-required": Broken(
        "PIN-UNAVAILABLE", f"--- requirements.txt\nargparse\nos\nPyYAML\n--- evaluate.py\nimport argparse, yaml\n{SCORED}{DATA}",
        wheels={"PyYAML-6.0": YAML},
    ),
    "old-setuptools-module": Broken(
        "MISSING-PACKAGE",
        f"--- requirements.txt\n--- evaluate.py\nimport importlib\nimportlib.import_module('pkg_resources')\n{SCORED}{DATA}",
        wheels={"setuptools-75.0": "--- pkg_resources.py\n", "setuptools-82.0": "--- setuptools.py\n"},
    ),
    "optional-engine": Broken(
        "MISSING-PACKAGE",
        f"--- requirements.txt\nreader\n--- evaluate.py\nimport reader\nrows = reader.read('data/test.csv')\n"
        f"print('accuracy:', sum(a == b for a, b in rows) / len(rows))\n{DATA}",
        wheels={"reader-1.0": "--- reader.py\ndef read(path):\n    try:\n        import openpyxl\n    except ImportError:\n"
                "        raise ImportError(\"Missing optional dependency 'openpyxl'.  Use pip or conda to install openpyxl.\") from None\n"
                "    return [line.split() for line in open(path)]\n",
                "openpyxl-3.1": "--- openpyxl.py\n"},
    ),
    "dependency-of-older-library": Broken(
        "SILENT-BACKTRACK",
        f"--- requirements.txt\nkit\nnumpy\n--- evaluate.py\nimport kit\n{SCORED}{DATA}",
        wheels={"numpy-2.0": NUMPY, "numpy-1.26": NUMPY.replace("nan = float", "product = prod_ = None\nnan = float"),
                "kit-1.0": "--- kit.py\nimport numpy as np\nvalue = np.product\n"},
    ),
    "pinned-dependency-too-old": Broken(
        "PIN-UNAVAILABLE",
        f"--- requirements.txt\ngraphkit==1.11\n--- evaluate.py\nimport graphkit\n{SCORED}{DATA}", ("dependency-too-old",),
        wheels={"graphkit-1.11": "--- graphkit.py\nfrom fractions import gcd\n", "graphkit-3.2": "--- graphkit.py\nfrom math import gcd\n"},
    ),
}  # fmt: skip
