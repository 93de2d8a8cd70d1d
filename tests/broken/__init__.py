"""Small repositories that do not run as they are, one real-world failure each, with the number that each gives once it runs.

A repository is one text: `--- path` starts a file. A wheel of the index they see is such a text too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

DATA = "--- data/test.csv\n1 1\n0 1\n1 1\n0 0\n"
"""Four rows, three of them right."""
ROWS = "rows = [line.split() for line in open('data/test.csv')]\n"
PRINT = "print('accuracy:', sum(a == b for a, b in rows) / len(rows))\n"
SCORED = ROWS + PRINT
TRUTH = 0.75


@dataclass(frozen=True)
class Broken:
    """A repository, and the truth about it."""

    family: str
    """As in the project's list of what breaks in published code."""
    text: str
    skills: tuple[str, ...] | None = None
    """Skills that must have worked, in their order; None: any."""
    command: str | None = "python evaluate.py"
    """None: to be found."""
    wheels: Mapping[str, str] = field(default_factory=dict)
    """ "name-version", optionally followed by " needs …", → files of a wheel on the index."""
    truth: float = TRUTH
    verdict: str = "yes"
    """What the comparison with the truth must say: "partly" where something stands in for what the author used."""


@dataclass(frozen=True)
class Hopeless:
    """A repository that no rule may pretend to mend, and what the refusal must speak of."""

    family: str
    text: str
    words: tuple[str, ...]
    command: str | None = "python evaluate.py"
    wheels: Mapping[str, str] = field(default_factory=dict)


def files(text: str) -> dict[str, str]:
    """The files of a repository's or wheel's text."""
    parts = re.split(r"(?m)^--- (.+)\n", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def repositories() -> dict[str, Broken]:
    """Every repository that can be made to run, by name."""
    from tests.broken import chains, code, interfaces, packages, places, running

    found: dict[str, Broken] = {}
    for module in (packages, interfaces, places, code, running, chains):
        found.update(module.REPOSITORIES)
    return found


def hopeless() -> dict[str, Hopeless]:
    """Every repository that must end with the reason, by name."""
    from tests.broken import honest

    return honest.REPOSITORIES
