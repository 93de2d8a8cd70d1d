"""R6: data modification."""

from __future__ import annotations

from autosota.redlines.base import RedLine
from autosota.redlines.checks import protected


class Data(RedLine):
    """Data modification."""

    id = "R6"
    title = "Data modification"
    text = (
        "The evaluation data stay as they are: no item is dropped, relabelled, resampled, re-generated with other "
        "parameters or moved to another scale, and no fewer items are scored."
    )
    words = (
        r"(drop|remove|filter|exclude|discard|relabel|clean)\w*\b[^.]{0,40}\b(from )?"
        r"(the )?(test|evaluation|held-?out)[- ](set|data|rows|items|samples|labels)",
        r"(smaller|easier|sub-?set of the) (test|evaluation) (set|data)",
    )
    checks = (protected.data,)
