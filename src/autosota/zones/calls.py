"""What a call does for a measurement, by the library function it names: compute a metric, load data, split them, learn."""

from __future__ import annotations

import ast
import re
import sys

from autosota.syntax import Module

METRICS = (
    "sklearn.metrics.", "torchmetrics.", "scipy.stats.pearsonr", "scipy.stats.spearmanr", "scipy.stats.kendalltau", "sacrebleu.",
    "rouge_score.", "nltk.translate.", "skimage.metrics.", "properscoring.", "lifelines.utils.concordance_index", "evaluate.load",
    "statsmodels.tools.eval_measures.", "statsmodels.tools.eval_measures", "editdistance.", "jiwer.", "seqeval.metrics.",
    "sktime.performance_metrics.", "pycocotools.", "scipy.stats.wasserstein_distance", "numpy.corrcoef",
    "sklearn.model_selection.cross_val",
)  # fmt: skip
_NOT_METRICS = ("sklearn.metrics.pairwise.", "sklearn.metrics.make_scorer", "sklearn.metrics.get_scorer")
_PREDICTION_FIRST = ("torchmetrics.", "sacrebleu.", "rouge_score.", "torch.nn.functional.")

_SPLITS = re.compile(
    r"^sklearn\.model_selection\.(train_test_split|\w*Fold\w*|\w*ShuffleSplit|\w*Split|Leave\w+|check_cv)|"
    r"random_split$|temporal_train_test_split$|iterative_train_test_split$|^(numpy|np)\.(array_split|split)$|train_test_split$"
)
_LOADS = re.compile(
    r"^pandas\.(read_\w+)|^polars\.(read|scan)_\w+|^numpy\.(load|loadtxt|genfromtxt|fromfile|memmap)$|"
    r"^sklearn\.datasets\.|^statsmodels\.(api\.)?datasets\.|^statsmodels\.datasets|^seaborn\.load_dataset|^torchvision\.datasets\.|"
    r"^datasets\.load_|^h5py\.File|^scipy\.io\.(loadmat|mmread|wavfile)|^csv\.(reader|DictReader)|^PIL\.Image\.open|^imageio\.|"
    r"^cv2\.imread|^librosa\.load|^pyarrow\.|^keras\.datasets\.|^tensorflow\.keras\.datasets\.|^torch_geometric\.datasets\.|"
    r"^networkx\.read_|^soundfile\.read|^skimage\.data\.|^skimage\.io\.|^scipy\.sparse\.load_npz|^scipy\.datasets\.|^vega_datasets\.|"
    r"^importlib\.resources\.|^tarfile\.open|^zipfile\.ZipFile|^gzip\.open|^sqlite3\.connect"
)
_DATA_NAME = re.compile(
    r"\.(csv|tsv|npy|npz|parquet|jsonl|h5|hdf5|mat|arff|svmlight|libsvm|dat|data|txt|feather|pkl|pickle)(\.gz)?$", re.I
)
LEARN = {"fit", "fit_transform", "fit_predict", "partial_fit", "backward", "zero_grad", "train_on_batch", "fit_resample",
         "minimize", "train_step", "update_weights"}  # fmt: skip
PREDICT = {"predict", "predict_proba", "decision_function", "predict_log_proba", "forward", "forecast", "generate", "transform",
           "kneighbors", "score_samples", "encode", "search", "fit_predict", "fit_transform"}  # fmt: skip
RANDOM = {"normal", "uniform", "choice", "permutation", "integers", "random", "shuffle", "standard_normal", "randn", "rand",
          "randint", "multivariate_normal", "exponential", "poisson", "gauss",
          "sample", "binomial", "gamma", "beta", "laplace"}  # fmt: skip
ARRAY = {"mean", "sum", "item", "std", "var", "min", "max", "median", "tolist", "round", "numpy", "cpu", "detach", "astype",
         "reshape", "ravel", "flatten", "squeeze", "values", "items", "get", "copy", "clip", "dot", "argmax", "compute", "format",
         "append", "extend", "to_dict", "keys", "pop", "cumsum", "prod", "all", "any", "quantile", "index"}  # fmt: skip
PLAIN = {"numpy", "pandas", "argparse", "pathlib", "collections", "dataclasses", "json", "logging", "time", "os", "sys", "random",
         "csv", "typing", "functools", "itertools", "matplotlib", "tqdm", "yaml", "omegaconf", "hydra", "rich", "tomllib",
         "polars"}  # fmt: skip
SINKS = {"dump", "dumps", "write", "write_text", "to_csv", "to_json", "safe_dump", "writerow", "writerows", "savetxt"}
_LOGS = {"info", "log", "debug", "warning", "log_metric", "log_metrics", "log_dict", "add_scalar"}


def is_metric(name: str) -> bool:
    """A library function that computes a metric."""
    return name.startswith(METRICS) and not name.startswith(_NOT_METRICS)


def truth(call: ast.Call, name: str) -> ast.expr | None:
    """The argument of a library metric that holds the truth."""
    for keyword in call.keywords:
        if keyword.arg in ("y_true", "labels_true", "target", "y", "references", "truth"):
            return keyword.value
    index = 1 if name.startswith(_PREDICTION_FIRST) else 0
    return call.args[index] if len(call.args) > index else None


def is_split(name: str) -> bool:
    """A library function or class that splits data."""
    return _SPLITS.search(name) is not None


def is_load(call: ast.Call, name: str) -> bool:
    """A library function that reads or makes data, or an open of a file whose literal name is data's."""
    if _LOADS.search(name):
        return True
    if name == "open" or name.endswith((".open", ".read_text", ".read_bytes", ".load", ".loads")):
        words = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        return any(_DATA_NAME.search(word) for word in words) and not _written(call)
    return False


def _written(call: ast.Call) -> bool:
    modes = [*(arg for arg in call.args[1:2]), *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set(mode.value) & set("wax") for mode in modes)


def is_sink(call: ast.Call, name: str) -> bool:
    """Does it print, log or write what it is given?"""
    last = name.rsplit(".", 1)[-1]
    return name == "print" or last in SINKS or (last in _LOGS and "." in name)


def to_file(name: str) -> bool:
    """A sink that writes structured results, rather than talk."""
    return name.rsplit(".", 1)[-1] in SINKS


def constructs(call: ast.Call, name: str, module: Module) -> bool:
    """Does it make a library's estimator, layer, optimizer or the like?"""
    head, last = name.split(".")[0], name.rsplit(".", 1)[-1]
    if head not in module.libraries or head in PLAIN or head in sys.stdlib_module_names:
        return False
    if is_metric(name) or is_split(name) or is_load(call, name) or last in ("DataLoader", "TensorDataset", "Subset", "Dataset"):
        return False
    return last[:1].isupper() or last in ("make_pipeline", "make_column_transformer", "make_union", "train")


def split_source(call: ast.Call, index: int | None, module: Module) -> ast.expr | None:
    """The array that output `index` of a `train_test_split` is taken from; None for anything else."""
    name = module.callee(call)
    if index is None or not name.endswith("train_test_split") or any(isinstance(item, ast.Starred) for item in call.args):
        return None
    return call.args[index // 2] if index < 2 * len(call.args) else None
