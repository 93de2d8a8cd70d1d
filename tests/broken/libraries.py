"""Tiny stand-ins for common libraries, which fail the way the real ones do."""

from __future__ import annotations

NUMPY = """--- numpy/__init__.py
inf = float("inf")
nan = float("nan")
float64 = float
bool_ = bool
from numpy import exceptions, random
def __getattr__(name):
    raise AttributeError(f"module 'numpy' has no attribute {name!r}")
def prod(values):
    result = 1
    for value in values:
        result *= value
    return result
def unique(values):
    return sorted(set(values))
def trapezoid(values):
    return sum((a + b) / 2 for a, b in zip(values, values[1:]))
def isin(values, others):
    return [value in others for value in values]
def load(path, allow_pickle=False):
    if not allow_pickle:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    return [line.split() for line in open(path)]
--- numpy/exceptions.py
--- numpy/random.py
"""
PANDAS = """--- pandas.py
class DataFrame:
    def __init__(self, rows):
        self.rows = rows
    def __getattr__(self, name):
        raise AttributeError(f"'DataFrame' object has no attribute {name!r}")
    def drop(self, labels=None, *, axis=0, index=None, columns=None):
        if axis and (index or columns):
            raise ValueError("Cannot specify both 'axis' and 'index'/'columns'")
        return DataFrame([row[:columns] for row in self.rows])
    def items(self):
        return [(0, [row[0] for row in self.rows]), (1, [row[1] for row in self.rows])]
    def to_numpy(self):
        return self.rows
    @property
    def loc(self):
        return self.rows
def concat(frames, ignore_index=False):
    return DataFrame([row for frame in frames for row in frame.rows])
def read_csv(path, sep=",", header=None, on_bad_lines="error"):
    return DataFrame([line.split() for line in open(path)])
"""
YAML = """--- yaml.py
def load(text, Loader):
    return safe_load(text)
def safe_load(text):
    text = text if isinstance(text, str) else text.read()
    return dict(line.split(": ", 1) for line in text.splitlines())
"""
NETWORKX = """--- networkx.py
def from_numpy_array(rows):
    return rows
def __getattr__(name):
    raise AttributeError(f"module 'networkx' has no attribute {name!r}")
"""
SKLEARN = """--- sklearn/__init__.py
--- sklearn/model_selection.py
def train_test_split(rows, test_size=0.5):
    return rows[:2], rows[2:]
--- sklearn/linear_model.py
class InvalidParameterError(ValueError, TypeError):
    pass
class SGDClassifier:
    def __init__(self, loss="hinge"):
        self.loss = loss
    def fit(self, rows):
        if self.loss not in ("hinge", "log_loss"):
            raise InvalidParameterError(f"The 'loss' parameter of SGDClassifier must be a str among {{'hinge', 'log_loss'}}. "
                                        f"Got {self.loss!r} instead.")
        return self
--- sklearn/metrics.py
def mean_squared_error(truth, guess):
    return sum((a - b) ** 2 for a, b in zip(truth, guess)) / len(truth)
"""
TORCH = """--- torch/__init__.py
from torch import cuda
class Tensor(float):
    def cuda(self, *args):
        cuda._lazy_init()
    def cpu(self):
        return self
    def to(self, device):
        if "cuda" in str(device):
            cuda._lazy_init()
        return self
    def item(self):
        return float(self)
    @property
    def data(self):
        return self
    def __getitem__(self, index):
        raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
                         "to convert a 0-dim tensor to a number")
def tensor(value, device="cpu"):
    return Tensor(value).to(device)
def load(path, map_location=None, weights_only=True):
    if weights_only:
        import pickle
        raise pickle.UnpicklingError("Weights only load failed. In PyTorch 2.6, we changed the default value of the "
                                     "`weights_only` argument in `torch.load` from `False` to `True`.")
    return [line.split() for line in open(path)]
--- torch/cuda.py
def is_available():
    return False
def _lazy_init():
    raise AssertionError("Torch not compiled with CUDA enabled")
def set_device(index):
    _lazy_init()
"""
MATPLOTLIB = """--- matplotlib/__init__.py
def use(backend):
    if backend != "Agg":
        raise ImportError(f"Cannot load backend '{backend}' which requires the 'tk' interactive framework, as 'headless' is "
                          "currently running")
--- matplotlib/pyplot.py
class Style:
    def use(self, name):
        if name.startswith("seaborn-") and "v0_8" not in name:
            raise OSError(f"'{name}' is not a valid package style, path of style file, URL of style file, or library style name "
                          "(library styles are listed in `style.available`)")
style = Style()
def show():
    pass
def savefig(path):
    open(path, "w").close()
"""
WANDB = """--- wandb.py
import os
def init(**settings):
    if os.environ.get("WANDB_MODE") not in ("disabled", "offline"):
        raise RuntimeError("wandb.errors.UsageError: api_key not configured (no-tty). call wandb.login(key=[your_api_key])")
"""
