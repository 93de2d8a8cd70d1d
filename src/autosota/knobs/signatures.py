"""Parameters of well-known library calls: names of positional ones, and ranges that their documentation states."""

from __future__ import annotations

from autosota.records import Space

POSITIONAL: dict[str, tuple[str, ...]] = {
    "Dropout": ("p",), "Dropout1d": ("p",), "Dropout2d": ("p",), "Dropout3d": ("p",), "AlphaDropout": ("p",),
    "LeakyReLU": ("negative_slope",), "ELU": ("alpha",),
    "clip_grad_norm_": ("", "max_norm"), "clip_grad_value_": ("", "clip_value"),
    "SGD": ("", "lr"), "Adam": ("", "lr"), "AdamW": ("", "lr"), "RMSprop": ("", "lr"), "Adagrad": ("", "lr"),
    "StepLR": ("", "step_size", "gamma"), "ExponentialLR": ("", "gamma"),
}  # fmt: skip
"""Class or function → names of its first positional parameters; "" for one that is no number to tune."""


def _span(low: float, high: float, *, log: bool = False, kind: str = "float") -> Space:
    return Space(kind="int" if kind == "int" else "float", low=low, high=high, log=log)


_UNIT = _span(0.0, 1.0)
_RATE = _span(1e-5, 1.0, log=True)
_SLOPE = _span(0.0, 0.5)

_TORCH_OPTIMIZER = {
    "lr": _RATE, "weight_decay": _span(0.0, 0.1), "momentum": _span(0.0, 0.99), "dampening": _span(0.0, 0.9),
    "alpha": _span(0.9, 0.999), "nesterov": Space(kind="choice", choices=(False, True)),
    "amsgrad": Space(kind="choice", choices=(False, True)),
}  # fmt: skip
_BOOSTING = {
    "learning_rate": _span(0.005, 0.5, log=True), "eta": _span(0.005, 0.5, log=True),
    "max_depth": _span(2, 12, kind="int"), "num_leaves": _span(4, 255, log=True, kind="int"),
    "subsample": _span(0.4, 1.0), "bagging_fraction": _span(0.4, 1.0), "feature_fraction": _span(0.3, 1.0),
    "colsample_bytree": _span(0.3, 1.0), "colsample_bylevel": _span(0.3, 1.0), "colsample_bynode": _span(0.3, 1.0),
    "min_child_weight": _span(0.1, 20.0, log=True), "min_child_samples": _span(2, 100, log=True, kind="int"),
    "min_data_in_leaf": _span(2, 100, log=True, kind="int"), "gamma": _span(0.0, 5.0), "reg_lambda": _span(0.0, 10.0),
    "reg_alpha": _span(0.0, 10.0), "lambda_l1": _span(0.0, 10.0), "lambda_l2": _span(0.0, 10.0),
    "max_bin": _span(31, 511, log=True, kind="int"), "l2_leaf_reg": _span(0.5, 20.0, log=True), "depth": _span(2, 10, kind="int"),
}  # fmt: skip
_OPTIMIZERS = ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "LBFGS")
_BOOSTERS = ("XGBClassifier", "XGBRegressor", "XGBRanker", "LGBMClassifier", "LGBMRegressor", "LGBMRanker",
             "CatBoostClassifier", "CatBoostRegressor")  # fmt: skip

KNOWN: dict[str, dict[str, Space]] = {
    **dict.fromkeys(_OPTIMIZERS, _TORCH_OPTIMIZER),
    **dict.fromkeys(_BOOSTERS, _BOOSTING),
    **{name: {"p": _span(0.0, 0.7)} for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")},
    "dropout": {"p": _span(0.0, 0.7)},
    "LeakyReLU": {"negative_slope": _SLOPE}, "leaky_relu": {"negative_slope": _SLOPE},
    "CrossEntropyLoss": {"label_smoothing": _span(0.0, 0.3)}, "cross_entropy": {"label_smoothing": _span(0.0, 0.3)},
    "SmoothL1Loss": {"beta": _span(0.1, 10.0, log=True)}, "HuberLoss": {"delta": _span(0.1, 10.0, log=True)},
    "StepLR": {"step_size": _span(1, 100, log=True, kind="int"), "gamma": _UNIT},
    "MultiStepLR": {"gamma": _UNIT}, "ExponentialLR": {"gamma": _span(0.8, 1.0)},
    "ReduceLROnPlateau": {"factor": _span(0.05, 0.9), "patience": _span(1, 30, kind="int")},
    "CosineAnnealingLR": {"eta_min": _span(0.0, 0.01)}, "OneCycleLR": {"max_lr": _RATE, "pct_start": _span(0.05, 0.5)},
    "clip_grad_norm_": {"max_norm": _span(0.1, 10.0, log=True)}, "clip_grad_value_": {"clip_value": _span(0.1, 10.0, log=True)},
    "BatchNorm1d": {"momentum": _span(0.01, 0.5)}, "BatchNorm2d": {"momentum": _span(0.01, 0.5)},
    "TransformerEncoderLayer": {"dropout": _span(0.0, 0.6), "dim_feedforward": _span(32, 4096, log=True, kind="int")},
    "GaussianNoise": {"stddev": _span(0.01, 1.0, log=True)}, "lstsq": {"rcond": _span(1e-15, 1e-2, log=True)},
    "pinv": {"rcond": _span(1e-15, 1e-2, log=True)},
}  # fmt: skip
"""Class or function → parameter → its sensible range."""

_KINDS = ("Classifier", "Regressor")
_FOREST = ("max_features", "min_samples_leaf", "max_depth")
_BOOSTED = (
    "learning_rate",
    "max_iter",
    "n_estimators",
    "max_leaf_nodes",
    "max_depth",
    "min_samples_leaf",
    "l2_regularization",
    "subsample",
)
_MACHINE = ("C", "gamma", "kernel")
UNSTATED: dict[str, tuple[str, ...]] = {
    **{f"{name}{kind}": _FOREST for name in ("RandomForest", "ExtraTrees") for kind in _KINDS},
    **{f"{name}{kind}": _BOOSTED for name in ("GradientBoosting", "HistGradientBoosting") for kind in _KINDS},
    **{f"DecisionTree{kind}": ("max_depth", "min_samples_leaf", "ccp_alpha") for kind in _KINDS},
    **{f"AdaBoost{kind}": ("learning_rate", "n_estimators") for kind in _KINDS},
    **{f"Bagging{kind}": ("n_estimators", "max_samples", "max_features") for kind in _KINDS},
    **{f"KNeighbors{kind}": ("n_neighbors", "weights", "p") for kind in _KINDS},
    **{f"MLP{kind}": ("alpha", "learning_rate_init", "max_iter", "activation") for kind in _KINDS},
    **{f"SGD{kind}": ("alpha", "penalty", "average") for kind in _KINDS},
    "SVC": _MACHINE, "SVR": (*_MACHINE, "epsilon"), "NuSVC": ("nu", "gamma", "kernel"), "NuSVR": ("nu", "C", "gamma", "kernel"),
    "LinearSVC": ("C",), "LinearSVR": ("C", "epsilon"), "LogisticRegression": ("C",), "Ridge": ("alpha",),
    "RidgeClassifier": ("alpha",),
    "Lasso": ("alpha",), "ElasticNet": ("alpha", "l1_ratio"), "KernelRidge": ("alpha", "gamma", "kernel"),
    "MultinomialNB": ("alpha",), "BernoulliNB": ("alpha",), "ComplementNB": ("alpha", "norm"), "GaussianNB": ("var_smoothing",),
    "QuadraticDiscriminantAnalysis": ("reg_param",), "TfidfVectorizer": ("sublinear_tf", "min_df", "norm"),
    "TfidfTransformer": ("sublinear_tf", "norm"), "LabelSpreading": ("alpha", "gamma"), "HuberRegressor": ("epsilon", "alpha"),
    "AgglomerativeClustering": ("linkage",), "MiniBatchKMeans": ("batch_size", "reassignment_ratio"),
    "KMeans": ("init", "algorithm"),
    "GaussianMixture": ("covariance_type", "reg_covar", "n_init"), "SpectralClustering": ("gamma", "assign_labels"),
    "DBSCAN": ("eps", "min_samples"), "RBFSampler": ("gamma",), "Nystroem": ("gamma",),
    "PolynomialFeatures": ("interaction_only",),
}  # fmt: skip
"""scikit-learn class → parameters worth tuning although the code leaves them at their defaults."""
