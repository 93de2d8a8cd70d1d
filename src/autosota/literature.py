"""Literature around a paper (paper 3.7.1): its own references."""

from __future__ import annotations

import re

from autosota.records import Paper

MOST = 30


def own(paper: Paper | None) -> tuple[str, ...]:
    """The references that the paper itself lists, one line each."""
    if paper is None:
        return ()
    for section in paper.sections:
        if re.fullmatch(r"(?i)[\d.\s]*(references|bibliography|literature cited)", section.title.strip()):
            parts = re.split(r"\n\s*\n|\n(?=\s*(?:\[\d+\]|\d+\.\s|[-*•]\s))|(?<=[.\d])\s+(?=\[\d+\]\s)", section.text)
            return tuple(" ".join(part.split())[:300] for part in parts if len(part.split()) > 4)[:MOST]
    return ()
