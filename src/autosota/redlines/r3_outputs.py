"""R3: output integrity."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.checks import blobs, lookups


class Outputs(RedLine):
    """Output integrity."""

    id = "R3"
    title = "Output integrity"
    text = (
        "Every prediction is computed by the method from that item's input, for every item: no stored answers, no tables "
        "keyed by index, identifier or content, no choice among answers by the truth, no other model's outputs, no "
        "unexplained binary content."
    )
    words = (
        r"hard-?cod\w* (the )?(answers|predictions|labels)",
        r"(lookup|look-up) table (of|with) (the )?(answers|labels|test)",
        r"(oracle|gold)[- ](choice|selection|answer)",
    )
    checks = (lookups.branches, blobs.added)
