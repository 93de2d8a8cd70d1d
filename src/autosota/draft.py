"""What `autosota init` writes: a task file with what rules find, and a comment on every line that a person should check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autosota import entrypoints, preparation
from autosota.environments import manifests
from autosota.metrics.vocabulary import normalize
from autosota.records import MetricSpec

if TYPE_CHECKING:
    from autosota.config import Resolved


def task_file(resolved: Resolved, tree: Mapping[str, bytes], specs: Sequence[MetricSpec] = ()) -> str:
    """An autosota.toml with what rules find; guesses say so. `specs`: what the paper reports, headline first."""
    chosen, notes = preparation.commands(resolved, tree)
    candidates = entrypoints.find(tree)
    found = (chosen.evaluate if chosen else None) or (candidates[0].line if candidates else None)
    line = found or "python evaluate.py"
    place, reason = entrypoints.seed_place(line, tree)
    if place.kind == "option" and "{seed}" not in line:
        line = f"{line} {place.option} {{seed}}"
    request = manifests.read(tree)
    paper = next((path for path in sorted(tree) if re.fullmatch(r"(?i)(docs/)?paper\.(pdf|md|tex|html)", path)), None)
    metrics_file = _metrics_file(line, tree)
    named, spec = _named(tree, line, specs)
    evaluated = entrypoints.scripts(line, tree)
    text = [
        "# How this repository is measured. Every line below was found by rules: check each.",
        "",
        f"paper = {_quote(paper)}"
        if paper
        else '# paper = "paper.pdf"                # PDF, Markdown, LaTeX, HTML or arXiv id; optional',
        'repository = "."',
        '# python = ".venv/bin/python"          # use this interpreter\'s environment instead of building one'
        + (f" from {', '.join(request.sources)}" if request.sources else " from the imports"),
        "",
        "[evaluation]",
        *(f"# {note}" for note in notes),
        f"command   = {_quote(line)}"
        + ("  # check: is this the run whose number the paper reports?" if found else "  # CHANGE: no command was found"),
        *(f"# command = {_quote(item.line)}  # from {item.origin}" for item in candidates[:4] if item.line not in line),
        *_two_commands(tree),
        f"# seed: {reason}" if place.kind != "key" else f"seed      = {_quote(f'{place.file}:{place.key}')}  # check: {reason}",
        f"metrics   = {_quote(metrics_file)}  # check: is this the file with the metrics?"
        if metrics_file
        else '# metrics = "metrics.json"          # a file with the metrics, where they are not on stdout',
        f"# protected = {json.dumps(list(evaluated) or ['evaluate.py'])}  # metric, split and data; found by analysis if absent",
        '# free      = ["src/**"]                # optional: everything else is then protected',
        'timeout   = "10m"                       # check: how long may one evaluation take?',
        "seeds     = 5",
        "",
        "[[metric]]",
        f"name = {_quote(named[0])}"
        + ("  # check: the number to improve" if named[1] else "  # CHANGE: the name of the number to improve"),
        f'direction = "{named[2]}"  # check: is larger ("max") or smaller ("min") better?',
        "primary = true",
        _reported(spec),
        "# tolerance = 0.01                     # absolute; how near counts as reproduced",
        "",
        "[budget]",
        "trials = 20",
        '# time = "2h"',
        "",
    ]
    return "\n".join(text)


def _named(tree: Mapping[str, bytes], line: str, specs: Sequence[MetricSpec]) -> tuple[tuple[str, bool, str], MetricSpec | None]:
    """The metric as the code names it, else as the paper does; and what the paper says of it."""
    found = _metric(tree, line)
    words = normalize(found[0])
    same = [spec for spec in specs if words in normalize(spec.name) or normalize(spec.name) in words]
    if found[1] or not specs:
        return found, same[0] if same and found[1] else None
    return (specs[0].name, True, specs[0].direction), specs[0]


def _reported(spec: MetricSpec | None) -> str:
    if spec is None or spec.reported is None:
        return "# reported = 0.912                     # the paper's number"
    page = f", page {spec.evidence.page}" if spec.evidence and spec.evidence.page else ""
    where = " ".join(part for part in (spec.name, spec.setting, spec.dataset) if part)
    return f"reported = {spec.reported:g}  # check: the paper's {json.dumps(where, ensure_ascii=False)[1:-1]}{page}"


def _two_commands(tree: Mapping[str, bytes]) -> Iterator[str]:
    """Where a script predicts and another beside it scores: the two-command form, to be checked and taken."""
    for path in sorted(tree):
        folder, _, name = path.rpartition("/")
        match = re.fullmatch(r"(?:predict|infer|generate)(\w*)\.py", name)
        beside = [f"{folder}/{word}{match[1]}.py".lstrip("/") for word in ("score", "evaluate", "eval")] if match else []
        scorer = next((other for other in beside if other in tree), None)
        if scorer is None:
            continue
        options = entrypoints.options_of(tree[path])
        seed = " --seed {seed}" if "--seed" in options else ""
        out = next((option for option in ("--out", "--output", "--output-dir", "--out-dir", "-o") if option in options), None)
        yield "# One script predicts, another scores. With labels that only the scorer sees, results can be `sealed`:"
        yield "# check these, and take them instead of `command`."
        yield f"# predict = {_quote(f'python {path}{seed} {out} {{outputs}}' if out else f'python {path}{seed}')}"
        yield f"# score   = {_quote(f'python {scorer} {{outputs}} {{labels}}')}"
        yield '# outputs = ["predictions.npz"]         # CHANGE: the files that cross'
        yield '# labels  = ["data/test_labels.npy"]    # CHANGE: what only the scorer may see'
        return


def _quote(text: str | None) -> str:
    return json.dumps(text or "", ensure_ascii=False)


def _metrics_file(line: str, tree: Mapping[str, bytes]) -> str | None:
    """A file name that the evaluation's code writes JSON or CSV to and that speaks of metrics."""
    for path in entrypoints.scripts(line, tree):
        text = tree[path][: 2**20].decode("utf-8", errors="replace")
        match = re.search(r"['\"]([\w./-]*(?:metrics|results|scores)[\w-]*\.(?:json|csv))['\"]", text)
        if match and not match[1].startswith("/") and re.search(r"json\.dump|to_csv|to_json|write", text):
            return match[1].removeprefix("./")
    return None


_LARGER = ("accuracy", "auroc", "roc_auc", "auc", "macro_f1", "f1", "precision", "recall", "map", "ndcg", "bleu", "psnr", "ssim",
           "nmi", "ari", "r2", "acc", "score")  # fmt: skip
_SMALLER = ("rmse", "mse", "mae", "mape", "smape", "nll", "perplexity", "crps", "wer", "error", "loss", "regret", "inertia")


def _metric(tree: Mapping[str, bytes], line: str) -> tuple[str, bool, str]:
    """(name, was it found in the code?, direction)."""
    started = entrypoints.scripts(line, tree)
    text = "\n".join(tree[path][: 2**20].decode("utf-8", errors="replace") for path in started).lower()
    for names, direction in ((_LARGER, "max"), (_SMALLER, "min")):
        for name in names:
            if re.search(rf"['\"{{\s]{name}\w*['\"]?\s*[:=]", text):
                return name, True, direction
    return "accuracy", False, "max"
