"""What `autosota init` writes: a task file with what rules find, and a comment on every line that a person should check."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from autosota import entrypoints, preparation
from autosota.environments import manifests

if TYPE_CHECKING:
    from autosota.config import Resolved


def task_file(resolved: Resolved, tree: Mapping[str, bytes]) -> str:
    """An autosota.toml with what rules find; every line that is a guess says so."""
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
    named = _metric(tree, line)
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
        "# reported = 0.912                     # the paper's number",
        "# tolerance = 0.01                     # absolute; how near counts as reproduced",
        "",
        "[budget]",
        "trials = 20",
        '# time = "2h"',
        "",
    ]
    return "\n".join(text)


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
