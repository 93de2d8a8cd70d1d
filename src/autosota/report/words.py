"""Numbers and judgments in words: formats, and what each grade, assurance, label and red line means.

Pure functions of their arguments; nothing here reads a file. Text that comes from outside is bounded with `clip` before it is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

GRADES = {
    "CONFIRMED": "A gain above the noise, shown on fresh paired runs with seeds drawn after the candidate was frozen.",
    "DISCLOSE": "A gain above the noise on fresh paired runs, with a trade-off that has to be printed beside it.",
    "SUGGESTIVE": "Better, but not proven: too few fresh runs, nothing random to test over, or no isolation.",
    "UNCONFIRMED": "No gain beyond the noise.",
    "REVIEW": "A rule could not decide. A person must, with a recorded reason, before anything may be claimed.",
    "REJECTED": "A red line is crossed, or the candidate does not run.",
}
"""Grade → meaning (contract, section 4)."""

GRADE_TONES = {
    "CONFIRMED": "good",
    "DISCLOSE": "caution",
    "SUGGESTIVE": "caution",
    "UNCONFIRMED": "quiet",
    "REVIEW": "caution",
    "REJECTED": "bad",
}
"""Grade → tone of the badge; the word itself always stands beside it."""

ASSURANCES = {
    "sealed": "Prediction and scoring ran as two processes on two trees. The candidate's code never saw the labels of the scored rows.",
    "guarded": "One evaluation process in an isolated sandbox, protected files taken from the baseline, fresh seeds. "
    "The candidate's code and the scoring code shared that process.",
    "observed": "The evaluation ran without isolation, so nothing could be kept from the candidate. Never confirmed.",
}
"""Assurance → what was enforced (architecture, section 6)."""

LABELS = {
    "selected-on-test": "The search chose by the same test metric that the confirmation measures. Fresh seeds remove luck, "
    "not tuning to these test rows.",
    "deterministic": "The seed changes nothing and there are no rows to test over, so no interval can be computed.",
    "not-isolated": "The evaluation ran without a sandbox.",
    "method-hollowed": "The gain does not come from the paper's method: without its own component the candidate is no worse.",
    "substitute-data": "Other data than the paper's stood in for data that could not be had.",
    "selection-prone-metric": "The repository reports a maximum over epochs or runs, which rises with the number of looks.",
    "baseline-differs": "The baseline measured here is not the paper's number; the gain is relative to the measured baseline.",
    "long-evaluation": "One evaluation takes over an hour, so fewer fresh pairs were run.",
    "few-pairs": "Fewer fresh pairs were run than a confirmation needs.",
}
"""Label → what a reader must know. `compute-x2.0` and its like are explained by `label`."""

RED_LINES = {
    "R1": "Metric parameters and aggregation stay as they are",
    "R2": "The evaluation script and its measurement stay as they are",
    "R3": "Outputs come from the model, for every row",
    "R4": "Every reported metric counts; no hidden trade-off",
    "R5": "Splits stay apart; nothing leaks from the test data",
    "R6": "The data stay as they are",
    "R7": "The paper's own constraints hold",
}
"""Red line → title, where the rule itself is not at hand."""

STATUSES = {
    "improved": "improved",
    "not_improved": "not improved",
    "failed": "failed",
    "rejected": "rejected",
    "stopped": "stopped early",
}
"""Experiment status → as people say it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def label(name: str) -> str:
    """What a label tells a reader, in a sentence; an unknown label gets a plain one."""
    if name in LABELS:
        return LABELS[name]
    compute = re.fullmatch(r"compute-x([\d.]+)", name)
    if compute:
        return f"The candidate uses {compute[1]} times the baseline's computation."
    return "A reservation recorded by the Supervisor."


def clip(text: object, limit: int = 300) -> str:
    """`text` on one line, without control and direction-changing characters, at most `limit` characters."""
    line = " ".join(_CONTROL.sub("\ufffd", str(text)[: limit * 8].replace("\r", "\n")).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def block(text: object, limit: int = 4000) -> str:
    """`text` with its lines kept, control characters replaced, at most `limit` characters."""
    clean = _CONTROL.sub("\ufffd", str(text)[: limit + 1].replace("\r\n", "\n").replace("\r", "\n"))
    return clean if len(clean) <= limit else clean[:limit] + "\n…"


def finite(value: object) -> float | None:
    """The number, or None for what is none, is missing, or is not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def decimals(values: Iterable[float | None], noise: float | None = None) -> int:
    """How many decimals show a metric: two figures of its noise, else four of its largest value; 0 to 6."""
    if noise is not None and math.isfinite(noise) and noise > 0:
        return max(0, min(6, 1 - math.floor(math.log10(noise))))
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    return max(0, min(6, 3 - math.floor(math.log10(max(sizes))))) if sizes else 2


def number(value: object, places: int | None = None) -> str:
    """A value for people: fixed decimals where given, else four figures; "–" where there is none."""
    known = finite(value)
    if known is None:
        return "–"
    if places is not None and abs(known) < 1e15:
        return f"{known:.{places}f}"
    return f"{known:.4g}"


def signed(value: object, places: int | None = None) -> str:
    """Like `number`, with its sign and a true minus."""
    known = finite(value)
    if known is None:
        return "–"
    text = number(abs(known), places)
    return text if not text.strip("0.") else ("+" if known > 0 else "−") + text


def percent(value: object) -> str:
    """A signed share as per cent with sensible decimals."""
    known = finite(value)
    if known is None:
        return "–"
    return f"{signed(known * 100, 1 if abs(known) < 1 else 0)} %"


def duration(seconds: object) -> str:
    """Seconds as people say them: "0.42 s", "38 s", "4 min 10 s", "2 h 05 min"."""
    known = finite(seconds)
    if known is None:
        return "–"
    if known < 9.95:
        return f"{max(known, 0.0):.2g} s" if known >= 0.095 else f"{max(known, 0.0):.2f} s"
    whole = round(known)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(known / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(amount: int, noun: str, plural: str = "") -> str:
    """ "1 evaluation", "2 evaluations", "10,000 experiments"."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def size(amount: int | None) -> str:
    """Bytes as people say them."""
    if amount is None:
        return "–"
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
