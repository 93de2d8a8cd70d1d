"""Groups of items (validity.md 4.5): a mean that rises while a group falls is a trade-off, and told as one.

The groups are a column of the file with one row per scored item; naming it there is declaring it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autosota import perturbing, statistics
from autosota.records import Violation

NAMES = (
    "group", "groups", "slice", "subgroup", "subset", "segment", "domain", "cohort", "stratum", "strata", "demographic", "split",
)  # fmt: skip
_IDS = ("id", "item", "index", "row", "name", "key", "sample", "uid")
_FEWEST = 10
"""Items of a group that is looked at."""
_MOST_GROUPS = 50
LEVEL = 0.05


def read(name: str, content: bytes | None) -> dict[str, str]:
    """Item → group; empty where the file has no column of groups."""
    table = perturbing.read(name, content)
    if table is None:
        return {}
    plain = {"".join(filter(str.isalnum, title.lower())): title for title in table.columns}
    column = next((table.columns[plain[word]] for word in NAMES if word in plain), None)
    if column is None or len({str(value) for value in column}) > _MOST_GROUPS:
        return {}
    ids = next((table.columns[plain[word]] for word in _IDS if word in plain), range(table.count))
    return {str(item): str(group) for item, group in zip(ids, column, strict=True)}


def guard(
    groups: Mapping[str, str], pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]
) -> tuple[Violation, ...]:  # fmt: skip
    """Groups that get significantly worse (one-sided 5 %, Holm over the groups). `pairs`: scores per item of both arms, one a
    seed, larger is better."""
    members: dict[str, list[str]] = {}
    for item, group in groups.items():
        if all(item in before and item in after for before, after in pairs):
            members.setdefault(group, []).append(item)
    changes = {
        group: [statistics.mean([after[item] - before[item] for before, after in pairs]) for item in items]
        for group, items in members.items()
        if len(items) >= _FEWEST
    }
    harm = {group: statistics.sign_flip_p([-value for value in values]) for group, values in changes.items()}
    worse = statistics.holm(harm, LEVEL) if pairs else frozenset()
    return tuple(
        Violation(
            red_line="R4",
            rule="slice-guard",
            action="disclose",
            evidence=f"group {group} ({len(changes[group])} items) gets worse by {-statistics.mean(changes[group]):.4g} an item",
            fix="keep every group where it was, or say beside the gain which one pays for it",
        )
        for group in sorted(worse)
    )
