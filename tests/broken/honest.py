# ruff: noqa: E501 (a line of a repository is a line here)
"""Repositories that no rule may pretend to mend: they must end with file, line and what would be needed."""

from __future__ import annotations

from tests.broken import DATA, SCORED, Hopeless

REPOSITORIES: dict[str, Hopeless] = {
    "wrong-metric-code": Hopeless(
        "METRIC", "--- evaluate.py\ncorrect, total = 3, 0\nprint('accuracy:', correct / total)\n", ("evaluate.py line 2", "ZeroDivisionError")
    ),
    "private-data": Hopeless(
        "DATA-MISSING", "--- evaluate.py\nrows = open('data/private.csv').read()\nprint('accuracy:', len(rows))\n",
        ("evaluate.py line 1", "data/private.csv", "mounts"),
    ),
    "large-file-pointer": Hopeless(
        "LFS-POINTER",
        "--- evaluate.py\nimport pickle\nmodel = pickle.load(open('m.pkl', 'rb'))\nprint('accuracy:', model)\n"
        "--- m.pkl\nversion https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        ("evaluate.py line 2", "git lfs"),
    ),
    "download": Hopeless(
        "DOWNLOAD",
        "--- evaluate.py\nimport urllib.request\nrows = urllib.request.urlopen('http://data.invalid/x.zip').read()\nprint('accuracy:', len(rows))\n",
        ("evaluate.py line 2", "network"),
    ),
    "private-package": Hopeless(
        "MISSING-PACKAGE",
        f"--- evaluate.py\nimport private_lab_tools\nrows = private_lab_tools.load('data/test.csv')\nprint('accuracy:', sum(a == b for a, b in rows) / len(rows))\n{DATA}",
        ("evaluate.py line", "private_lab_tools", "--python"),
    ),
    "private-metric": Hopeless(
        "MISSING-PACKAGE",
        f"--- evaluate.py\nfrom private_lab_tools.metrics import accuracy\nrows = [line.split() for line in open('data/test.csv')]\nprint('accuracy:', accuracy(rows))\n{DATA}",
        ("evaluate.py line", "private_lab_tools"),
    ),
    "name-collision": Hopeless(
        "NAME-COLLISION",
        "--- evaluate.py\nfrom datasets.loader import load\nrows = load()\nprint('accuracy:', len(rows))\n--- train.py\nfrom datasets.loader import load\n",
        ("evaluate.py line 1", "datasets"), wheels={"datasets-3.0": "--- datasets/__init__.py\n"},
    ),
    "folder-left-out": Hopeless(
        "SOURCE-INCOMPLETE",
        "--- project/__init__.py\n--- project/evaluate.py\nfrom project import data, models\nprint('accuracy:', data.score(models))\n--- .gitignore\ndata/\nmodels/\n",
        ("project/evaluate.py line 1", "data"), "python -m project.evaluate",
    ),
    "other-language": Hopeless(
        "FOREIGN-REGISTRY",
        "--- evaluate.py\nfrom rpy2.robjects.packages import importr\nforest = importr('grf')\nprint('accuracy:', forest.score())\n",
        ("evaluate.py line", "rpy2"),
    ),
    "needs-gpu-kernel": Hopeless(
        "COMPILED-EXTENSION",
        "--- evaluate.py\nimport fastkernels_cuda\nprint('accuracy:', fastkernels_cuda.forward([1.0]))\n", ("evaluate.py line", "fastkernels_cuda")
    ),
    "argument-without-value": Hopeless(
        "CONFIG-UNKNOWN", f"--- evaluate.py\nimport sys\nthreshold = float(sys.argv[1])\n{SCORED}{DATA}", ("evaluate.py line 2",)
    ),
}  # fmt: skip
