"""Evidence that code has looked up: a quote counts only where the paper or the repository really holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autosota.records import Evidence, Paper

SHORTEST = 12
"""Letters and digits a quote must have: less is found anywhere."""
_LONGEST = 300


def in_paper(quote: str, paper: Paper | None) -> Evidence | None:
    """Where the paper says so; None where it does not. Case, spaces, hyphenation and typographic marks do not matter."""
    wanted = plain(quote)
    if paper is None or len(wanted) < SHORTEST:
        return None
    parts = [(paper.abstract, 1 if paper.pages else None), *((section.text, section.page) for section in paper.sections)]
    parts += [
        ("\n".join((table.caption, " ".join(table.header), *(" ".join(row) for row in table.rows))), table.page)
        for table in paper.tables
    ]
    for text, page in parts:
        if wanted in plain(text):
            return Evidence(page=page, quote=" ".join(quote.split())[:_LONGEST])
    return None


def in_file(quote: str, file: str, tree: Mapping[str, bytes]) -> Evidence | None:
    """The line of a file of the repository where the quote begins; None where it does not stand there."""
    wanted = plain(quote)
    if len(wanted) < SHORTEST or file not in tree:
        return None
    rows = [plain(line) for line in tree[file].decode("utf-8", "replace").split("\n")]
    start = "".join(rows).find(wanted)
    if start < 0:
        return None
    for number, row in enumerate(rows, 1):
        if start < len(row):
            return Evidence(file=file, line=number, quote=" ".join(quote.split())[:_LONGEST])
        start -= len(row)
    return None


def plain(text: str) -> str:
    """Letters and digits alone, lower case, and the signs that change a number's meaning."""
    text = re.sub(r"-\s*\n\s*", "", text)
    return re.sub(r"[^\w.%]|_|\.(?!\d)", "", text.lower())
