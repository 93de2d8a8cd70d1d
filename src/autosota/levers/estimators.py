"""scikit-learn estimators in source code: which call makes one, what surrounds it, and whether it may be wrapped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.levers.base import View
from autosota.levers.source import Source


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


SCALE_SENSITIVE = _names(
    "LogisticRegression LogisticRegressionCV SGDClassifier SGDRegressor Perceptron PassiveAggressiveClassifier",
    "LinearSVC LinearSVR SVC SVR NuSVC NuSVR OneClassSVM KNeighborsClassifier KNeighborsRegressor",
    "RadiusNeighborsClassifier RadiusNeighborsRegressor NearestCentroid MLPClassifier MLPRegressor Ridge RidgeCV",
    "RidgeClassifier Lasso LassoCV ElasticNet ElasticNetCV KernelRidge GaussianProcessClassifier",
    "GaussianProcessRegressor HuberRegressor",
)
REGRESSORS = _names(
    "LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV KernelRidge SVR LinearSVR NuSVR MLPRegressor",
    "SGDRegressor KNeighborsRegressor HuberRegressor BayesianRidge DecisionTreeRegressor RandomForestRegressor",
    "ExtraTreesRegressor GradientBoostingRegressor HistGradientBoostingRegressor GaussianProcessRegressor",
)
SCALERS = _names(
    "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler Normalizer QuantileTransformer PowerTransformer scale",
    "normalize minmax_scale",
)
TEXT = _names(
    "TfidfVectorizer CountVectorizer HashingVectorizer TfidfTransformer DictVectorizer",
)
_SPARSE = _names(
    "OneHotEncoder csr_matrix csc_matrix FeatureHasher",
)
_HOSTS = _names(
    "RFE RFECV SelectFromModel AdaBoostClassifier AdaBoostRegressor GridSearchCV RandomizedSearchCV",
)
_BY_HAND = re.compile(
    r"\.(std|ptp)\(|np\.std\(|/\s*(255|16)(\.0*)?\b|zscore|\.mean\(\s*(axis\s*=\s*)?0|(?<![\w.])(standardi[sz]e|normali[sz]e)\w*\("
)
_INNER = re.compile(
    r"(?<!self)\.(?!(?:classes|n_features_in|feature_names_in)_\b)[a-z]\w*[a-z]_(?![\w(])|\.partial_fit\(|\.set_params\(|sample_weight\s*=|param_grid|warm_start\s*=\s*True"
)


def kind(source: Source, call: ast.Call) -> str:
    """Class name of the scikit-learn estimator the call makes, "" if it makes none."""
    name = source.name(call.func)
    return name.rsplit(".", 1)[-1] if name.startswith("sklearn.") else ""


def made(source: Source, names: frozenset[str]) -> Iterator[tuple[ast.Call, str]]:
    """Every call in the file that makes one of the named estimators."""
    for call in source.calls():
        name = kind(source, call)
        if name in names:
            yield call, name


def pipeline(source: Source, call: ast.Call) -> ast.Call | None:
    """The Pipeline or make_pipeline call the estimator is a step of."""
    for node in source.ancestors(call):
        if isinstance(node, ast.Call):
            return node if kind(source, node) in ("Pipeline", "make_pipeline") else None
        if not isinstance(node, ast.Tuple | ast.List):
            return None
    return None


def steps(source: Source, call: ast.Call) -> list[str]:
    """Class names of a pipeline's steps."""
    return [name for inner in source.calls(call) if inner is not call and (name := kind(source, inner))]


def host(source: Source, call: ast.Call) -> str:
    """The scikit-learn callable the estimator is an argument of, "" if none."""
    parent = next((node for node in source.ancestors(call) if isinstance(node, ast.Call)), None)
    return kind(source, parent) if parent else ""


def wrappable(source: Source, call: ast.Call, view: View) -> bool:
    """May the estimator become a step of something else? Not where its own attributes or parameters are used from outside."""
    return host(source, call) not in _HOSTS and not view.mentions(_INNER)


def scaled(view: View) -> bool:
    """Are features scaled outside a pipeline already, or are they text?"""
    if not view.guarded:
        return False
    for source in view.sources:
        if _BY_HAND.search(source.text):
            return True
        for call in source.calls():
            name = source.name(call.func).rsplit(".", 1)[-1]
            if name in TEXT or (name in SCALERS and pipeline(source, call) is None):
                return True
    return False


def sparse(view: View) -> bool:
    """May features be sparse, so that centering is impossible?"""
    return any(name in _SPARSE for source in view.everything for name in source.imports)


def listing(names: list[str]) -> str:
    """Names once each, in order, for a site's detail."""
    return ", ".join(dict.fromkeys(names))
