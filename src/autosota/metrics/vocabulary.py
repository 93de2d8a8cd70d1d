"""What is known about metrics by their name: how names are compared, which way is better, whether a value is a ratio."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from autosota.records import Direction

_HIGHER = """accuracy acc precision recall sensitivity specificity f1 fscore fmeasure f1score f2 auc auroc roc rocauc aucroc
    auprc aupr prauc ap map averageprecision mrr ndcg dcg hit hits hitrate hr bleu sacrebleu rouge rougel rouge1 rouge2
    meteor cider spice bertscore chrf comet em exactmatch match iou miou dice jaccard psnr ssim msssim kappa mcc
    matthews r2 rsquared pearson spearman kendall correlation corr silhouette ari rand randindex nmi ami purity
    vmeasure homogeneity completeness calinskiharabasz modularity reward return score success win winrate elo
    throughput speedup fps coverage likelihood loglikelihood elbo inception fidelity top1 top5 pass utility profit
    sharpe solved concordance cindex explainedvariance tpr tnr ppv npv lift
    pesq stoi csig cbak covl sdr sisdr sisnr mos vmaf"""
_LOWER = """error err errors loss mse mae rmse rmsle msle mape smape mase wmape rmspe rse medae nrmse wape msis crps pinball
    perplexity ppl nll bpb bpc bpd ece mce brier fid kid lpips wer cer ter eer mer deviance regret inertia distortion
    daviesbouldin time seconds secs runtime latency duration elapsed minutes hours ms memory flops macs params
    parameters cost gap makespan energy distance kl divergence hausdorff chamfer epe aic bic fpr fnr fpr95 violation
    violations iterations width misclassification crossentropy ate drift bias"""
_RATIOS = """accuracy acc precision recall sensitivity specificity f1 fscore f1score fmeasure f2 auc auroc rocauc aucroc auprc
    prauc ap map mrr ndcg hit hits hitrate hr em match iou miou dice jaccard coverage error err wer cer eer fpr fnr tpr
    ece top1 top5 pass purity nmi ami success win winrate bleu rouge rouge1 rouge2 rougel meteor"""
HIGHER = frozenset(_HIGHER.split())
LOWER = frozenset(_LOWER.split())
RATIOS = frozenset(_RATIOS.split())

Unit = Literal["ratio", "unbounded", "unknown"]


def normalize(name: str) -> str:
    """The form names are compared in: no case, punctuation, spaces or underscores. A name of punctuation only stays as it is."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\W_]+", "", text) or text.strip()


def normalize_lines(lines: Sequence[str]) -> list[str]:
    """`normalize` for many lines at once, but for a line of punctuation only, which becomes empty."""
    text = "\n".join(lines)
    if not text.isascii():
        text = "\n".join(unicodedata.normalize("NFKC", line).replace("\n", " ") for line in lines)
    return re.sub(r"[^\w\n]+|_+", "", text.casefold()).split("\n")


def words(name: str) -> list[str]:
    """A name's words: "testAUC_macro@10" → ["test", "auc", "macro", "10"]; "f1" stays one."""
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return [word for word in re.split(r"[\W_]+", text.casefold()) if word]


def _marks(name: str) -> list[str]:
    """Words and joined neighbors to look up, from the name's end, which decides: "top-1 error" is an error."""
    parts = words(name.replace("^", ""))
    parts = [part if part in HIGHER | LOWER else re.sub(r"(?<=[a-z])\d+$", "", part) for part in parts]
    marks = ["".join(parts)]
    for index in range(len(parts) - 1, -1, -1):
        marks += ["".join(parts[index - 1 : index + 1])] if index else []
        marks.append(parts[index])
    return marks


def direction(name: str) -> Direction | None:
    """Which way is better, by the name alone ("error rate" → min, "NDCG@10" → max); None for a name that is not known."""
    negated = any(word in {"negative", "neg"} for word in words(name))
    for mark in _marks(name):
        if mark in LOWER:
            return "min"
        if mark in HIGHER:
            return "min" if negated else "max"
    return None


def unit(name: str) -> Unit:
    """Is it a share that may be printed as a fraction or in per cent? "unbounded" for losses, times and counts."""
    for mark in _marks(name):
        if mark in RATIOS:
            return "ratio"
        if mark in LOWER:
            return "unbounded"
    return "unknown"


def names_seconds(name: str) -> bool:
    """Does the name say that the unit is seconds?"""
    return any(word in {"seconds", "secs", "sec", "s"} for word in words(name))
