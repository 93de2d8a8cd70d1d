"""What the names of values tell: which are never tuned, what kind of quantity they are, how much they usually matter."""

from __future__ import annotations

import re

_EXACT = """
    k_eval at_k ks k_list average averaging mean std metric metrics scoring split splits fold folds cv holdout stratify
    data dataset datasets corpus output outputs out save load cache download resume pretrained print report verbose
    quiet silent debug mode shape rank backend axis dim dims keepdims help nargs required action metavar choices dest
    parents every force copy copy_x train training test eval evaluate strict inplace id ids name names tag tags user
    users year month day date fmt format sep delimiter title port version classes groups group_by warm_start dry_run
    overwrite exist_ok cache_size c_code precision_bits shuffle size sizes length count budget confidence coverage
    significance miscoverage ndim ndmin
""".split()  # noqa: SIM905
_ENDINGS = """
    seed seeds random_state rng manual_seed top_k topk n_bins num_bins bins metric_name path paths dir dirs directory
    folder folders file files filename root url urls uri host hostname address prefix suffix project entity run_id uuid
    checkpoint checkpoints ckpt log logs logging log_level loglevel verbosity progress progress_bar disable_tqdm plot
    plots fig figsize figure dpi color colors cmap linewidth fontsize marker markers legend indent encoding newline
    dtype device devices gpu gpus cuda local_rank world_size workers n_jobs njobs nthread nthreads threads pin_memory
    prefetch_factor interval freq frequency timeout deadline sleep retries start_date end_date column columns label_col
    target_col max_evals max_eval max_evaluations n_evaluations n_evals max_fevals nfe max_budget privacy_budget
    vocab_size vocabulary_size in_features out_features in_channels out_channels in_dim input_dim input_size in_size
    output_dim output_size out_dim image_size img_size seq_len seq_length sequence_length context_length context_len
    pred_len prediction_length label_len horizon max_len max_length max_seq_len threshold thresholds thresh cutoff
    confidence_level random_seed out_shape n_train n_test n_val n_valid
""".split()  # noqa: SIM905
_FORBIDDEN = re.compile(
    rf"^(?:{'|'.join(_EXACT)})$|(?:^|_)(?:{'|'.join(_ENDINGS)})$"
    r"|^(?:eval|test|val|valid|validation|dev|holdout|calib|calibration|log|print|plot|save|metric|wandb|report|"
    r"return|is|use_cuda|use_gpu)_"
    r"|^(?:train)_(?:size|ratio|frac|fraction|split|set|percent|portion|len|length|file|data|samples|years?)$|^no_cuda$"
    r"|(?:^|_)(?:n|num)_(?:splits|folds|repeats|class|classes|labels|samples|train|test|examples|items|users|clusters|"
    r"points|rows|"
    r"observations|targets|inputs|outputs|devices|series|variates|nodes|jobs|workers|threads|gpus)$"
)
_PROTOCOL_SCOPE = re.compile(
    r"(?:^|_)(?:metrics?|evaluate|evaluation|eval|scores?|scoring|accuracy|precision|recall|f1|auc|auroc|ndcg|mrr|map|"
    r"ece|rmse|mae|mse|"
    r"mape|smape|splits?|loads?|loader|download|plots?|plotting|draw|visuali[sz]e|show|logs?|logging|logger|report|"
    r"save|dump|make_data|"
    r"get_data|read|reader|seeds?|bench|benchmark|timer|test)(?:_|$|\d)"
)
_METRIC_CALL = re.compile(
    r"(?:_score|_error|_metrics?|_curve|_deviance|_report)$|(?:^|_)(?:accuracy|precision|recall|auc|auroc|ndcg|mrr|"
    r"rmse|mae|mape|bleu|"
    r"rouge|evaluate|metrics?|confusion_matrix|wasserstein_distance|top_?k)(?:_|$)"
)
_SPLIT_CALL = re.compile(
    r"split|fold|cross_val|resample|permutation|GridSearch|RandomizedSearch|SearchCV|LeaveOne", re.IGNORECASE
)
_IGNORED_CALLS = frozenset(
    """
    matplotlib plt pandas pd json logging argparse os sys subprocess pathlib shutil time datetime warnings seaborn
    plotly tqdm wandb mlflow csv pickle yaml joblib click rich print open sorted round int float str min max range dict
    sum zip enumerate field Field dataclass sklearn.metrics sklearn.datasets sklearn.model_selection torchmetrics
    statsmodels.datasets unittest pytest requests urllib functools itertools re typing torchvision.datasets tensorboard
    """.split()  # noqa: SIM905
)


def words(name: str) -> str:
    """ "learningRate", "learning-rate", "n.estimators" → "learning_rate", "n_estimators"."""
    return re.sub(r"[\W_]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").lower()


def is_forbidden(name: str) -> bool:
    """Is a value of this name part of the protocol, the data, the machine or the output rather than of the method?"""
    return _FORBIDDEN.search(words(name)) is not None


def is_protocol_scope(scope: tuple[str, ...]) -> bool:
    """Do the enclosing functions measure, split, load, plot or log?"""
    return any(_PROTOCOL_SCOPE.search(words(part)) for part in scope)


def is_protocol_call(callee: str) -> bool:
    """Does the call measure or split, or belong to a module that has nothing to tune?"""
    last = callee.rpartition(".")[2]
    parts = callee.split(".")
    ignored = any(".".join(parts[:count]) in _IGNORED_CALLS for count in range(1, len(parts) + 1))
    return ignored or bool(_METRIC_CALL.search(words(last)) or _SPLIT_CALL.search(last))


_CLASSES = (
    ("rate", r"(?:^|_)(?:lr|learning_rate|eta0?|step_size|max_lr|base_lr|learning_rate_init|lr_init)(?:_|$)|_lr$|^lr\d*$"),
    ("near_one", r"beta_?2|betas_1$|ema_decay|ema_momentum|(?:^|_)(?:ema|polyak)(?:_|$)"),
    ("unit", r"drop|momentum|beta_?1?(?:_0)?$|betas_0|(?:^|_)(?:rho|tau|p)$|decay_rate|fraction|ratio|subsample|"
             r"colsample|smoothing|"
             r"mixup_alpha|cutmix|prob|probability|l1_ratio|damping|quantile|keep|mask_rate|trim|shrinkage|discount|"
             r"(?:^|_)mix(?:_|$)|"
             r"lr_decay|gamma_decay|sparsity"),
    ("penalty", r"weight_decay|(?:^|_)(?:wd|l1|l2|reg|lam|lmbda|lamda|c|nu|mu)(?:_|$)|regular|lambda|alpha|penalty|"
                r"ridge|gamma|jitter|nugget"),
    ("tolerance", r"(?:^|_)(?:tol|tolerance|eps|epsilon|rcond|min_delta|var_smoothing)(?:_|$)"),
    ("scale", r"sigma|bandwidth|temperature|(?:^|_)(?:temp|std)(?:_|$)|scale|noise|stddev|width_factor|margin|weight|"
              r"clip|max_norm|"
              r"grad_norm|radius|strength|coef"),
    ("compute", r"epochs?|(?:^|_)n?_?iters?(?:_|$)|iterations?|(?:^|_)(?:n_|num_|max_)?steps(?:_|$)|estimators|(?:^|"
                r"_)rounds?(?:_|$)|"
                r"boost_round|restarts?|(?:^|_)n_init$|inits|(?:n|num)_trees|ensemble|bags|members|draws|particles|"
                r"population|pop_size|"
                r"generations|sweeps|passes"),
    ("batch", r"batch"),
    ("divisor", r"d_model|(?:^|_)n?_?heads?(?:_|$)|embed_dim|num_groups"),
    ("width", r"hidden|width|units|neurons|channels|filters|components|num_leaves|leaf_nodes|embed|emb_dim|rank|"
              r"latent|feedforward|d_ff|"
              r"mlp_dim|landmarks|inducing|buffer|capacity|codebook|features|basis|knots|centers"),
    ("kernel", r"kernel_size|window|filter_size"),
    ("small", r"degree|layers?|depth|(?:^|_)order|lags?|patience|min_samples|neighbors|neighbours|(?:^|_)k$|warmup|"
              r"burn|stride|dilation|"
              r"blocks|stages|child|differencing|period|ngram|min_df|hops"),
)  # fmt: skip
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _CLASSES)


def quantity(name: str) -> str:
    """What kind of quantity the name stands for: "rate", "unit", "near_one", "penalty", "tolerance", "scale", "compute", "batch",
    "width", "divisor", "kernel", "small", or "" where the name says nothing."""
    text = words(name)
    return next((kind for kind, pattern in _COMPILED if pattern.search(text)), "")


_SWITCH = re.compile(
    r"^(?:use|with|do|enable|apply|add|no|disable)_|normali[sz]e|standardi[sz]e|bias|nesterov|amsgrad|batch_?norm|"
    r"layer_?norm|residual|"
    r"augment|whiten|center|fit_intercept|early_stopping|balanced|weighted|symmetric|bidirectional|pre_norm|"
    r"norm_first|tie_|bootstrap|"
    r"shrinking|dual|adaptive|averag|cosine|clip|mixup|ema|swa|anneal|decay|scaled?$|log_transform|interaction|"
    r"oblivious|dropout|damped|"
    r"trend|smooth|robust|gated|attention|skip|antithetic|stratified"
)


def is_switch(name: str) -> bool:
    """Does the name read like a part of the method that can be switched on and off?"""
    return bool(_SWITCH.search(words(name)))


_WEIGHTS = {
    "rate": 1.0, "penalty": 0.8, "compute": 0.75, "width": 0.6, "unit": 0.6, "small": 0.6, "scale": 0.55, "divisor": 0.4,
    "kernel": 0.5,
    "batch": 0.5, "near_one": 0.25, "tolerance": 0.15, "": 0.4,
}  # fmt: skip


_UPWARD = re.compile(r"(?:^|_)(?:layers?|depth|degree|order|lags?|blocks|stages|window)(?:_|$)")
_DOWNWARD = re.compile(
    r"weight_decay|(?:^|_)(?:wd|l1|l2|reg)(?:_|$)|regular|lambda|alpha|penalty|ridge|drop(?:out|_rate)?(?:_|$)"
)


def tendency(name: str) -> int:
    """Where a better value of this quantity usually lies: 1 above the published one, -1 below, 0 where nobody can say.

    Published settings are chosen to be quick and safe: more computing and capacity, and less that holds the model back, pay more
    often than the opposite.
    """
    text = words(name)
    if quantity(name) in ("compute", "width", "divisor") or _UPWARD.search(text):
        return 1
    return -1 if _DOWNWARD.search(text) else 0


def weight(name: str) -> float:
    """How much a quantity of this name usually matters, in [0, 1]: learning rates most, tolerances least."""
    return _WEIGHTS[quantity(name)]
