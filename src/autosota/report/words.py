"""Judgments in words: what each grade, assurance, label and red line means; and the formats, for those who tell about both."""

from __future__ import annotations

import re

from autosota.formats import block as block
from autosota.formats import clip as clip
from autosota.formats import count as count
from autosota.formats import decimals as decimals
from autosota.formats import duration as duration
from autosota.formats import finite as finite
from autosota.formats import number as number
from autosota.formats import percent as percent
from autosota.formats import signed as signed
from autosota.formats import size as size

GRADES = {
    "CONFIRMED": "A gain above the noise, shown on fresh paired runs with seeds drawn after the candidate was frozen.",
    "DISCLOSE": "A gain above the noise on fresh paired runs, with a trade-off that has to be printed beside it.",
    "SUGGESTIVE": "Better, but not proven: too few fresh runs, too few or unknown test rows, nothing random to test over, "
    "or no isolation.",
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
    "sealed": "Prediction and scoring ran as two processes on two trees. "
    "The candidate's code never saw the labels of the scored rows.",
    "guarded": "One evaluation process in an isolated sandbox, protected files taken from the baseline, fresh seeds. "
    "The candidate's code and the scoring code shared that process.",
    "observed": "The evaluation ran without isolation, so nothing could be kept from the candidate. Never confirmed.",
}
"""Assurance → what was enforced (architecture, section 6)."""

LABELS = {
    "selected-on-test": "The search chose by the same test metric that the confirmation measures. Fresh seeds remove luck, "
    "not tuning to these test rows.",
    "deterministic": "The seed changes nothing and there are no rows to test over, so no interval can be computed.",
    "item-noise": "The gain is no larger than what the luck of so few test rows can do; scores per row (`items`) or rows kept "
    "from the search (`withhold`, `sealed`) would decide.",
    "item-noise-unknown": "How many rows the metric is taken over is unknown, so their luck is not in the interval; scores per "
    "row (`items`) would tell.",
    "items-unusable": "The file of scores per item was missing, unreadable or not in line with the metric in some run, so it was "
    "left out of account.",
    "time-ended": "The time was used up before the confirmation was complete.",
    "not-isolated": "The evaluation ran without a sandbox.",
    "method-hollowed": "The change takes out or weights to nothing a part that the paper names, so the gain is not its method's.",
    "substitute-data": "Other data than the paper's stood in for data that could not be had.",
    "selection-prone-metric": "The repository reports a maximum over epochs or runs, which rises with the number of looks.",
    "baseline-differs": "The baseline measured here is not the paper's number; the gain is relative to the measured baseline.",
    "long-evaluation": "One evaluation takes over an hour, so fewer fresh pairs were run.",
    "gain-from-compute": "The baseline reaches the same when it is given as much computing.",
    "gain-from-data": "Without the data and stored files that the change brings along, the gain is gone.",
    "gain-from-evaluation": "Without what the change does to code that loads data or measures, the gain is gone.",
    "dummy-beats-baseline": "An answer that knows nothing scores better than the baseline, so the metric may mean little.",
    "records-only": "The records were checked and stored predictions scored again; nothing was measured anew.",
    "few-pairs": "Fewer fresh pairs were run than a confirmation needs.",
}
"""Label → what a reader must know. `compute-x2.0` and its like are explained by `label`."""

STATUSES = {
    "improved": "improved",
    "not_improved": "not improved",
    "failed": "failed",
    "rejected": "rejected",
    "stopped": "stopped early",
}
"""Experiment status → as people say it."""


def label(name: str) -> str:
    """What a label tells a reader, in a sentence; an unknown label gets a plain one."""
    if name in LABELS:
        return LABELS[name]
    compute = re.fullmatch(r"compute-x([\d.]+)", name)
    if compute:
        return f"The candidate uses {compute[1]} times the baseline's computation."
    return "A reservation recorded by the Supervisor."
