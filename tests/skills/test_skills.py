"""Every skill folder keeps the format, its two logs, and a remedy that changes only what it says."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from autosota import failures, skills
from autosota.records import Commands, Package, Recipe
from autosota.skills import Context, Skill

SKILLS = {skill.name: skill for skill in skills.load()}


def context(files: dict[str, str], *, packages: dict[str, str] | None = None, command: str = "python evaluate.py") -> Context:
    found = tuple(Package(name=name, version=version) for name, version in (packages or {}).items())
    recipe = Recipe(digest="d", python="/nowhere/bin/python", prefix="/nowhere", packages=found)
    tree = {path: text.encode() for path, text in files.items()}
    return Context(tree=tree, recipe=recipe, commands=Commands(evaluate=command), pythons=("3.12", "3.11", "3.9"))


def log(error: str, line: int = 1, file: str = "evaluate.py") -> str:
    return f'Traceback (most recent call last):\n  File "/workspace/{file}", line {line}, in <module>\n    x\n{error}\n'


def repaired(name: str, source: str, error: str, *, line: int = 1, packages: dict[str, str] | None = None) -> str | None:
    """What a skill makes of `evaluate.py`."""
    failure = failures.read(log(error, line))
    skill = SKILLS[name]
    match = skill.match(failure)
    assert match is not None and skill.function is not None
    remedy = skill.function(failure, match, context({"evaluate.py": source}, packages=packages))
    if remedy is None or not remedy.changes:
        return None
    assert [change.path for change in remedy.changes] == ["evaluate.py"]
    return (remedy.changes[0].content or b"").decode()


@pytest.mark.parametrize("skill", SKILLS.values(), ids=list(SKILLS))
def test_samples(skill: Skill) -> None:
    matching = failures.read((skill.folder / "sample_match.txt").read_text())
    other = failures.read((skill.folder / "sample_other.txt").read_text())
    assert skill.match(matching)
    assert not skill.match(other)


@pytest.mark.parametrize("skill", SKILLS.values(), ids=list(SKILLS))
def test_format(skill: Skill) -> None:
    text = (skill.folder / "SKILL.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"]) and len(front["name"]) <= 64
    assert 20 <= len(front["description"]) <= 1024
    assert skill.procedure.startswith("# ") and "1. " in skill.procedure
    assert (skill.function is None) == (not skill.touches)


def test_there_are_many() -> None:
    assert len(SKILLS) >= 40


def test_a_function_without_a_folder_is_none() -> None:
    assert set(skills._FUNCTIONS) == {name for name, skill in SKILLS.items() if skill.function is not None}


@pytest.mark.parametrize(
    ("name", "source", "error", "expected"),
    [
        (
            "removed-name",
            "import numpy as np\nx = np.Inf  # bound\ny = np.inf\n",
            "AttributeError: `np.Inf` was removed in the NumPy 2.0 release. Use `np.inf` instead.",
            "import numpy as np\nx = np.inf  # bound\ny = np.inf\n",
        ),
        (
            "removed-name",
            "import numpy\nz = numpy.trapz(a)\nfloat = 'np.float'\n",
            "AttributeError: module 'numpy' has no attribute 'trapz'",
            "import numpy\nz = numpy.trapezoid(a)\nfloat = 'np.float'\n",
        ),
        (
            "removed-name",
            "import networkx as nx\ng = nx.read_gpickle('g.p')\n",
            "AttributeError: module 'networkx' has no attribute 'read_gpickle'",
            "import networkx as nx\n"
            "g = (lambda path: __import__('pickle').load(path if hasattr(path, 'read') else open(path, 'rb')))('g.p')\n",
        ),
        (
            "moved-import",
            "from sklearn.externals import joblib, six\nfrom sklearn.cross_validation import (\n    KFold,\n)\n",
            "ImportError: cannot import name 'joblib' from 'sklearn.externals' (/x/sklearn/externals/__init__.py)",
            "import joblib\nimport six\nfrom sklearn.model_selection import KFold\n",
        ),
        (
            "moved-import",
            "try:\n    from scipy.misc import logsumexp as lse, comb\nexcept ValueError:\n    pass\n",
            "ImportError: cannot import name 'logsumexp' from 'scipy.misc' (/x/scipy/misc/__init__.py)",
            "try:\n    from scipy.special import logsumexp as lse\n    from scipy.special import comb\nexcept ValueError:\n    pass\n",  # noqa: E501
        ),
        (
            "removed-argument",
            "import pandas as pd\nf = pd.read_csv(p, header=None, delim_whitespace=True)\n",
            "TypeError: read_csv() got an unexpected keyword argument 'delim_whitespace'",
            "import pandas as pd\nf = pd.read_csv(p, header=None, sep=r'\\s+')\n",
        ),
        (
            "removed-argument",
            "from sklearn.metrics import mean_squared_error\nr = mean_squared_error(a, b, squared=False)\n",
            "TypeError: got an unexpected keyword argument 'squared'",
            "from sklearn.metrics import mean_squared_error\nr = (mean_squared_error(a, b)) ** 0.5\n",
        ),
        (
            "removed-argument",
            "m = Ridge(alpha=1.0, normalize=False)\n",
            "TypeError: Ridge.__init__() got an unexpected keyword argument 'normalize'",
            "m = Ridge(alpha=1.0)\n",
        ),
        (
            "pandas-axis-and-labels",
            "f = f.drop(columns=['a'], axis=1)\n",
            "ValueError: Cannot specify both 'axis' and 'index'/'columns'",
            "f = f.drop(columns=['a'])\n",
        ),
        (
            "pandas-positional-argument",
            "f = f.drop(['a'], 1)\n",
            "TypeError: DataFrame.drop() takes from 1 to 2 positional arguments but 3 were given",
            "f = f.drop(['a'], axis=1)\n",
        ),
        (
            "torch-load-weights-only",
            "import torch\ns = torch.load('m.pt', map_location='cpu')\n",
            "_pickle.UnpicklingError: Weights only load failed. This file can still be loaded",
            "import torch\ns = torch.load('m.pt', map_location='cpu', weights_only=False)\n",
        ),
        (
            "cuda-only",
            "import torch\nd = 'cuda' if torch.cuda.is_available() else 'cpu'\nm = Net().cuda()\nx = x.to('cuda:0')\n"
            "torch.cuda.synchronize()\ns = torch.load('m.pt')\ny = torch.device('cuda')\n",
            "AssertionError: Torch not compiled with CUDA enabled",
            "import torch\nd = 'cuda' if torch.cuda.is_available() else 'cpu'\nm = Net().cpu()\nx = x.to('cpu')\n"
            "None\ns = torch.load('m.pt', map_location='cpu')\ny = torch.device('cpu')\n",
        ),
        (
            "matplotlib-style-renamed",
            "import seaborn\nplt.style.use('seaborn-whitegrid')\n",
            "OSError: 'seaborn-whitegrid' is not a valid package style",
            "import seaborn\nplt.style.use('seaborn-v0_8-whitegrid')\n",
        ),
        (
            "removed-standard-module",
            "from distutils.version import LooseVersion\n",
            "ModuleNotFoundError: No module named 'distutils'",
            "from packaging.version import Version as LooseVersion\n",
        ),
        (
            "python-two-method",
            "for k, v in d.iteritems():\n    if e.has_key(k):\n        pass\n",
            "AttributeError: 'dict' object has no attribute 'iteritems'. Did you mean: 'items'?",
            "for k, v in d.items():\n    if e.has_key(k):\n        pass\n",
        ),
        (
            "invalid-parameter-value",
            "m = RandomForestRegressor(criterion='mse', max_features='auto')\n",
            "sklearn.utils.InvalidParameterError: The 'criterion' parameter of RandomForestRegressor must be a str",
            "m = RandomForestRegressor(criterion='squared_error', max_features=1.0)\n",
        ),
        (
            "headless-plotting",
            "import matplotlib\nmatplotlib.use('TkAgg')\n",
            "ImportError: Cannot load backend 'TkAgg' which requires the 'tk' interactive framework",
            "import matplotlib\nmatplotlib.use('Agg')\n",
        ),
    ],
)
def test_edits_are_exact(name: str, source: str, error: str, expected: str) -> None:
    result = repaired(name, source, error)
    assert result == expected
    ast.parse(expected)


@pytest.mark.parametrize(
    ("name", "source", "error"),
    [
        # Scaling changes what a penalized regression predicts: leaving `normalize=True` out would change the number.
        (
            "removed-argument",
            "m = Ridge(normalize=True)\n",
            "TypeError: Ridge.__init__() got an unexpected keyword argument 'normalize'",
        ),
        ("pandas-removed-method", "xs.append(1)\n", "AttributeError: 'DataFrame' object has no attribute 'ix'"),
        ("hard-coded-path", "open('/home/a/x.csv')\n", "FileNotFoundError: [Errno 2] No such file or directory: '/home/a/x.csv'"),
        ("missing-output-folder", "open('data/x.csv')\n", "FileNotFoundError: [Errno 2] No such file or directory: 'data/x.csv'"),
    ],
)
def test_near_misses_are_left_alone(name: str, source: str, error: str) -> None:
    assert repaired(name, source, error) is None


def test_what_would_change_the_number_is_met_with_the_older_library() -> None:
    failure = failures.read(log("TypeError: Ridge.__init__() got an unexpected keyword argument 'normalize'", 2))
    skill = SKILLS["removed-argument"]
    match = skill.match(failure)
    assert match and skill.function
    source = "from sklearn.linear_model import Ridge\nm = Ridge(normalize=True)\n"
    remedy = skill.function(failure, match, context({"evaluate.py": source}))
    assert remedy is not None and remedy.install == ("scikit-learn<1.2",) and not remedy.changes


@pytest.mark.parametrize(
    ("name", "error", "install"),
    [
        ("missing-package", "ModuleNotFoundError: No module named 'cv2'", ("opencv-python-headless",)),
        ("missing-package", "ModuleNotFoundError: No module named 'sklearn.svm'", ("scikit-learn",)),
        ("removed-setuptools-module", "ModuleNotFoundError: No module named 'pkg_resources'", ("setuptools<81",)),
        ("optional-dependency", "ImportError: Missing optional dependency 'openpyxl'.  Use pip or conda", ("openpyxl",)),
        (
            "package-metadata-missing",
            "importlib.metadata.PackageNotFoundError: No package metadata was found for pooch",
            ("pooch",),
        ),
    ],
)
def test_packages_are_installed_under_their_own_names(name: str, error: str, install: tuple[str, ...]) -> None:
    failure = failures.read(log(error))
    skill = SKILLS[name]
    match = skill.match(failure)
    assert match and skill.function
    remedy = skill.function(failure, match, context({"evaluate.py": ""}))
    assert remedy is not None and remedy.install == install


def test_a_module_of_the_repository_is_never_installed() -> None:
    failure = failures.read(log("ModuleNotFoundError: No module named 'datasets'"))
    skill = SKILLS["missing-package"]
    match = skill.match(failure)
    assert match and skill.function
    assert skill.function(failure, match, context({"evaluate.py": "", "src/datasets/loader.py": ""})) is None


def test_nested_quotes_become_other_quotes() -> None:
    source = 'row = {\'a\': 1}\nprint(f"{row["a"]}: {row["a"]}")\n'
    text = "  File \"/workspace/evaluate.py\", line 2\n    print\nSyntaxError: f-string: unmatched '['\n"
    failure = failures.read(text)
    skill = SKILLS["nested-quotes-in-f-string"]
    match = skill.match(failure)
    assert match and skill.function
    remedy = skill.function(failure, match, context({"evaluate.py": source}))
    try:
        ast.parse(source)
    except SyntaxError:
        assert remedy is not None
        assert (remedy.changes[0].content or b"").decode() == "row = {'a': 1}\nprint(f\"{row['a']}: {row['a']}\")\n"


@pytest.mark.parametrize(
    "text", ["", "\0" * 1000, "Traceback (most recent call last):\n" * 5000, "Error\n" * 50_000, "é" * 300_000]
)
def test_any_log_can_be_read(text: str) -> None:
    failure = failures.read(text)
    assert len(failure.signature) < 400
    for skill in SKILLS.values():
        skill.match(failure)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ss = KFold(n, n_folds=10, shuffle=True)\n", "ss = list(KFold(n_splits=10, shuffle=True).split([0] * int(n)))\n"),
        ("ss = cv.StratifiedKFold(y, 5)\n", "ss = list(cv.StratifiedKFold(n_splits=5).split([0] * len(y), y))\n"),
        ("ss = ShuffleSplit(len(x), n_iter=3, test_size=0.2)\n",
         "ss = list(ShuffleSplit(n_splits=3, test_size=0.2).split([0] * int(len(x))))\n"),
        ("ss = KFold(n_splits=4)\n", None),
    ],
)  # fmt: skip
def test_folds_of_old_keep_their_number_and_shuffling(before: str, after: str | None) -> None:
    error = "TypeError: KFold.__init__() got an unexpected keyword argument 'n_folds'"
    assert repaired("old-fold-iterators", before, error) == after


def test_a_number_becomes_a_tensor_where_one_is_wanted() -> None:
    error = "TypeError: bce(): argument 'pos_weight' (position 4) must be Tensor, not numpy.float64"
    source = "import torch\nloss = bce(a, b, pos_weight=w)\n"
    failure = failures.read(log(error, 2))
    skill = SKILLS["number-for-tensor"]
    match = skill.match(failure)
    assert match is not None and skill.function is not None
    remedy = skill.function(failure, match, context({"evaluate.py": source}))
    assert remedy is not None
    assert remedy.changes[0].content == b"import torch\nloss = bce(a, b, pos_weight=torch.as_tensor(w))\n"


def test_python_two_is_mended_in_files_named_like_tests_too() -> None:
    failure = failures.read(log("SyntaxError: Missing parentheses in call to 'print'", 1, "examples/test_x.py"))
    skill = SKILLS["python-two"]
    match = skill.match(failure)
    assert match is not None and skill.function is not None
    remedy = skill.function(failure, match, context({"main.py": "x = 1\n", "examples/test_x.py": "print 'a'\n"}))
    assert remedy is not None
    assert [change.path for change in remedy.changes] == ["examples/test_x.py"]
