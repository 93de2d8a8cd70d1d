"""What the names of values tell: which are never tuned, what kind of quantity they are, how much they usually matter."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(
    r"""(?x) (?:^|_)(?:
      seeds? | random_state | rng | random_seed | manual_seed
    | (?:test|train|val|valid|validation|dev|holdout|eval|calib|calibration)_(?:size|ratio|frac|fraction|split|set|percent|portion|len|length|file|data|batch|batch_size|years?|samples|every|interval|freq|frequency|steps|epochs?)
    | (?:n|num)_(?:splits|folds|repeats) | splits? | folds? | cv | holdout | stratify | groups?_by | n_train | n_test | n_val | n_valid
    | top_?k | at_k | ks | k_eval | average | averaging | multi_class_average | n_bins | num_bins | bins | scoring | metrics? | metric_name
    | paths? | dirs? | directory | folders? | files? | filename | roots? | urls? | uri | hosts? | hostname | ports? | address
    | names? | tags? | prefix | suffix | project | entity | run_id | id | ids | uuid | users? | title | label_col | target_col | columns?
    | datasets? | data | corpus | outputs? | out | save | saves | checkpoints? | ckpt | resume | load | pretrained | cache | download
    | logs? | logging | log_level | loglevel | verbose | verbosity | quiet | silent | debug | print | printing | report | progress | progress_bar | disable_tqdm
    | plots? | plotting | fig | figsize | figure | dpi | colors? | cmap | linewidth | fontsize | markers? | legend | fmt | format | indent | sep | delimiter
    | encoding | newline | mode | dtype | precision_bits | device | devices | gpu | gpus | cuda | use_cuda | no_cuda | use_gpu | local_rank | rank | world_size | backend
    | workers | num_workers | n_workers | n_jobs | njobs | nthreads? | n_threads | num_threads | threads | pin_memory | prefetch_factor | persistent_workers
    | versions? | help | nargs | required | action | metavar | choices | dest | axis | dims? | keepdims | shape | out_shape | exist_ok | parents
    | every | interval | freq | frequency | timeout | deadline | sleep | retries | port | year | month | day | date | start_date | end_date
    | (?:n|num)_(?:class|classes|labels|samples|train|test|examples|items|users|clusters|points|rows|observations|features|targets|inputs|outputs|channels_in|devices|series|variates|nodes)
    | classes | vocab_size | vocabulary_size | in_features | out_features | in_channels | in_dim | input_dim | input_size | in_size | output_dim | output_size | out_dim | out_channels
    | image_size | img_size | seq_len | seq_length | sequence_length | context_length | context_len | pred_len | prediction_length | label_len | horizon | forecast_horizon | max_len | max_length | max_seq_len
    | max_evals? | max_evaluations | n_evaluations | n_evals | max_fevals | nfe | budget | max_budget | privacy_budget
    | threshold | thresholds | thresh | cutoff | decision_threshold | confidence | confidence_level | coverage | significance | miscoverage
    | copy | copy_x | warm_start | cache_size | return_\w+ | is_\w+ | dry_run | overwrite | force | training | inplace | strict | train | test | eval | evaluate | save_\w+ | log_\w+ | print_\w+ | plot_\w+ | \w+_(?:path|dir|file|name|every|interval|freq)
    )$"""
)
_FORBIDDEN_START = re.compile(r"^(?:eval|test|log|print|plot|save|metric|wandb|report)_")
_PROTOCOL_SCOPE = re.compile(
    r"(?:^|_)(?:metrics?|evaluate|evaluation|eval|score|scores|scoring|accuracy|precision|recall|f1|auc|auroc|ndcg|mrr|map|ece|rmse|mae|mse|mape|"
    r"smape|splits?|load|loads|loader|download|plots?|plotting|draw|visuali[sz]e|show|logs?|logging|logger|report|save|dump|make_data|get_data|"
    r"read|reader|seed|seeds|set_seed|bench|benchmark|timer|setup_logging|test)(?:_|$|\d)"
)
_METRIC_CALL = re.compile(
    r"(?:_score|_error|_metric|_metrics|_curve|_deviance|_report)$|(?:^|_)(?:accuracy|precision|recall|auc|auroc|ndcg|mrr|rmse|mae|mape|bleu|rouge|evaluate|"
    r"metric|metrics|confusion_matrix|wasserstein_distance|top_?k)(?:_|$)"
)
_SPLIT_CALL = re.compile(r"split|fold|cross_val|resample|permutation|GridSearch|RandomizedSearch|SearchCV|LeaveOne", re.I)
_IGNORED_MODULES = ("matplotlib", "plt", "pandas", "pd", "json", "logging", "argparse", "os", "sys", "subprocess", "pathlib", "shutil",
                    "time", "datetime", "warnings", "seaborn", "plotly", "tqdm", "wandb", "mlflow", "csv", "pickle", "yaml", "joblib",
                    "click", "rich", "print", "open", "sorted", "round", "int", "float", "str", "min", "max", "range", "dict",
                    "sum", "zip", "enumerate", "field", "Field", "dataclass", "sklearn.metrics", "sklearn.datasets",
                    "sklearn.model_selection", "torchmetrics", "statsmodels.datasets", "unittest", "pytest", "requests", "urllib",
                    "functools", "itertools", "re", "typing", "torchvision.datasets", "tensorboard")  # fmt: skip


def words(name: str) -> str:
    """ "learningRate", "learning-rate", "n.estimators" → "learning_rate", "n_estimators"."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").lower()


def is_forbidden(name: str) -> bool:
    """Is a value of this name part of the protocol, the data, the machine or the output rather than of the method?"""
    text = words(name)
    return bool(_FORBIDDEN.search(text) or _FORBIDDEN_START.search(text))


def is_protocol_scope(scope: tuple[str, ...]) -> bool:
    """Do the enclosing functions measure, split, load, plot or log?"""
    return any(_PROTOCOL_SCOPE.search(words(part)) for part in scope)


def is_protocol_call(callee: str) -> bool:
    """Does the call measure or split, or belong to a module that has nothing to tune?"""
    last = callee.rpartition(".")[2]
    return bool(
        _METRIC_CALL.search(words(last))
        or _SPLIT_CALL.search(last)
        or any(callee == module or callee.startswith(module + ".") for module in _IGNORED_MODULES)
    )


_CLASSES: tuple[tuple[str, str], ...] = (
    ("rate", r"(?:^|_)(?:lr|learning_rate|eta0?|step_size|max_lr|base_lr|learning_rate_init|lr_init)(?:_|$)|_lr$|^lr\d*$"),
    ("near_one", r"beta_?2|betas_1|ema_decay|ema|ema_momentum|(?:^|_)polyak"),
    ("unit", r"drop|dropout|momentum|beta_?1?(?:_0)?$|betas_0|(?:^|_)rho$|decay_rate|fraction|ratio|subsample|colsample|label_smoothing|smoothing|mixup_alpha|"
             r"cutmix|prob|probability|(?:^|_)p$|l1_ratio|damping|quantile|keep|mask_rate|noise_prob|trim|shrinkage|discount|mix|momentum_term|"
             r"lr_decay|gamma_decay|sparsity|(?:^|_)tau$"),
    ("penalty", r"weight_decay|(?:^|_)wd$|(?:^|_)l[12](?:_|$)|reg(?:_|$)|regular|lambda|(?:^|_)lam(?:_|$)|lmbda|(?:^|_)lamda|alpha|(?:^|_)c$|penalty|ridge|gamma|"
                r"jitter|nugget|(?:^|_)nu$|(?:^|_)mu$"),
    ("tolerance", r"(?:^|_)(?:tol|tolerance|eps|epsilon|rcond|min_delta|var_smoothing)(?:_|$)"),
    ("scale", r"sigma|bandwidth|temperature|(?:^|_)temp$|scale|noise|(?:^|_)std|stddev|length_?scale|width_factor|margin|weight|clip|max_norm|grad_norm|radius|"
              r"strength|coef"),
    ("compute", r"epochs?|(?:^|_)n?_?iters?(?:_|$)|iterations?|(?:^|_)(?:n_|num_|max_)?steps(?:_|$)|estimators|(?:^|_)rounds?|boost_round|restarts?|(?:^|_)n_init$|inits|"
                r"(?:n|num)_trees|ensemble|bags|members|draws|particles|population|pop_size|generations|burn_?in|sweeps|passes|max_eval|repeats"),
    ("batch", r"batch"),
    ("width", r"hidden|width|units|neurons|channels|filters|n_components|components|num_leaves|leaf_nodes|embed|emb_dim|rank|latent|dim_feedforward|"
              r"feedforward|d_ff|mlp_dim|n_landmarks|inducing|buffer|capacity|codebook|features|basis|knots|centers"),
    ("divisor", r"d_model|num_heads|n_heads|nheads?|heads|embed_dim|hidden_size_head|num_groups"),
    ("kernel", r"kernel_size|window|filter_size|(?:^|_)ks$"),
    ("small", r"degree|layers?|depth|(?:^|_)order|lags?|patience|min_samples|neighbors|neighbours|(?:^|_)k$|warmup|burn|stride|dilation|blocks|stages|"
              r"max_depth|child|(?:^|_)p_order|differencing|period|ngram|min_df|hops"),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _CLASSES)


def quantity(name: str) -> str:
    """What kind of quantity the name stands for: "rate", "unit", "near_one", "penalty", "tolerance", "scale", "compute", "batch",
    "width", "divisor", "kernel", "small", or "" where the name says nothing."""
    text = words(name)
    return next((kind for kind, pattern in _COMPILED if pattern.search(text)), "")


_SWITCH = re.compile(
    r"^(?:use|with|do|enable|apply|add|no|disable)_|normali[sz]e|standardi[sz]e|bias|shuffle|nesterov|amsgrad|batch_?norm|layer_?norm|residual|augment|whiten|"
    r"center|fit_intercept|early_stopping|balanced|weighted|symmetric|bidirectional|pre_norm|norm_first|tie_|bootstrap|oob|shrinking|probability|dual|"
    r"adaptive|averag|cosine|clip|mixup|ema|swa|anneal|decay|scaled?$|log_transform|interaction|include_bias|positive|oblivious|dropout|damped|trend|"
    r"average|smooth|robust|warm|gated|attention|skip|antithetic|stratified"
)


def is_switch(name: str) -> bool:
    """Does the name read like a part of the method that can be switched on and off?"""
    return bool(_SWITCH.search(words(name)))


_WEIGHTS = {
    "rate": 1.0, "penalty": 0.8, "compute": 0.75, "width": 0.6, "unit": 0.6, "small": 0.6, "scale": 0.55, "divisor": 0.4, "kernel": 0.5,
    "batch": 0.5, "near_one": 0.25, "tolerance": 0.15, "": 0.4,
}  # fmt: skip


def weight(name: str) -> float:
    """How much a quantity of this name usually matters, in [0, 1]: learning rates most, tolerances least."""
    return _WEIGHTS[quantity(name)]
