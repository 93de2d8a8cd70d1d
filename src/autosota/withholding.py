"""Rows that search is never scored on (validity.md 3.6): chosen by a secret, so nobody who sees the files can tell which.

The candidate predicts all rows, as in the paper; what the scorer is shown of labels and outputs is cut by the host.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autosota import rows
from autosota.errors import UsageError

Part = Literal["whole", "visible", "withheld"]
"""Which rows are scored: all, those that search sees, those that claims stand on."""
_FEWEST = 10
"""Rows on either side below which a split says nothing."""
_HINT = f"rows can be withheld from labels in {', '.join(rows.SUFFIXES)}, one row per item; else remove `withhold`"


@dataclass(frozen=True)
class Split:
    """The rows of a task's labels, and which are withheld."""

    keys: tuple[str, ...]
    named: bool
    withheld: frozenset[str]

    def digest(self) -> str:
        """sha256 of the choice, for the protocol: it binds the host without telling the rows."""
        return hashlib.sha256("\n".join(sorted(self.withheld)).encode()).hexdigest()


def everything(labels: Mapping[str, bytes]) -> Split | None:
    """All rows of the first label file as one part; None where it has no rows that can be told apart."""
    for name, content in labels.items():
        try:
            found = rows.read(name, content)
        except rows.Malformed:
            return None
        return Split(found.keys, found.named, frozenset(found.keys))
    return None


def choose(labels: Mapping[str, bytes], share: float, secret: bytes) -> Split:
    """Withhold about `share` of the rows of the first label file. Raises UsageError for labels without rows, or too few."""
    if not labels:
        raise UsageError("[evaluation] withhold needs `labels`", "name the label files, one row per scored item")
    name, content = next(iter(labels.items()))
    try:
        found = rows.read(name, content)
    except rows.Malformed as problem:
        raise UsageError(f"[evaluation] withhold: {name}: {problem}", _HINT) from None
    count = round(share * len(found.keys))
    if min(count, len(found.keys) - count) < _FEWEST:
        raise UsageError(
            f"[evaluation] withhold = {share:g} of {len(found.keys)} rows in {name} leaves fewer than {_FEWEST} on one side",
            "use another share, or remove `withhold`",
        )
    ranked = sorted(found.keys, key=lambda key: hmac.new(secret, f"withheld|{key}".encode(), hashlib.sha256).digest())
    return Split(found.keys, found.named, frozenset(ranked[:count]))


def groups(split: Split, count: int, secret: bytes) -> list[Split]:
    """`count` splits of the withheld rows: each leaves another part of them out, of equal size, the same in both arms."""
    ranked = sorted(split.withheld, key=lambda key: hmac.new(secret, f"group|{key}".encode(), hashlib.sha256).digest())
    return [replace(split, withheld=split.withheld - frozenset(ranked[number::count])) for number in range(count)]


def cut(files: Mapping[str, bytes], split: Split, part: Part, *, strict: bool) -> dict[str, bytes]:
    """The files with the rows of one part only, in their order.

    Where a file names its rows as the labels do, rows go by name, and unknown names stay for the scorer to judge; else by
    position. `strict`: every file must have the labels' rows (rows.Malformed says which has not); else one that has other
    rows, like a list of classes, stays whole.
    """
    if part == "whole":
        return dict(files)
    found = {}
    for name, content in files.items():
        try:
            found[name] = _cut(name, content, split, part)
        except rows.Malformed as problem:
            if strict:
                raise rows.Malformed(f"{name}: {problem}") from None
            found[name] = content
    return found


def _cut(name: str, content: bytes, split: Split, part: Part) -> bytes:
    table = rows.read(name, content, None if split.named else len(split.keys))
    known = frozenset(split.keys)
    if table.named and split.named and not known.isdisjoint(table.keys):
        names: Sequence[str] = table.keys
    elif len(table.keys) == len(split.keys):
        names = split.keys
    else:
        raise rows.Malformed(f"{len(table.keys)} rows where the labels have {len(split.keys)}")
    unknown = [key not in known for key in names]
    wanted = [
        number for number, key in enumerate(names) if unknown[number] or (key in split.withheld) == (part == "withheld")
    ]  # fmt: skip
    return table.take(wanted)
