"""R5: splits and leakage."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.checks import leaks, lookups, network, provenance, reading, splits


class Leakage(RedLine):
    """Splits and leakage."""

    id = "R5"
    title = "Splits and leakage"
    text = (
        "Test data never reach training, selection, calibration or preprocessing: the split is the baseline's, "
        "checkpoints and thresholds are chosen on validation data, statistics are fitted on training data, the future "
        "stays unseen, and nothing is downloaded."
    )
    words = (
        r"(train|fit|tune|calibrat\w+|select\w*|optimi[sz]e\w*|early[- ]stop\w*)\b[^.]{0,40}\b(on|using|with|from|over) "
        r"(the )?(test|evaluation|held-?out)[- ](set|data|labels?|split|rows|items|fold)",
        r"(use|using|exploit|read|peek at|look at)\w* (the )?test (labels?|targets?|answers)",
        r"(concat\w*|merge|add)\w* (the )?test (set|data) (to|into|with) (the )?train",
    )
    checks = (
        splits.changed,
        leaks.into_learning,
        leaks.labels_elsewhere,
        provenance.leaks,
        reading.anew,
        network.used,
        lookups.literals,
    )
