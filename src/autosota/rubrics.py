"""Rubric trees in PaperBench's JSON shape: growing them, scoring them, loading published ones (paper section 3.3).

The weights of children sum to their parent's weight; the root's is 1. PaperBench writes weights relative to siblings: `load`
turns those into shares, `dump` writes shares, which are valid relative weights too.
"""

from __future__ import annotations

import json
import statistics
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.errors import UsageError
from autosota.records import Criterion, Evidence, MetricSpec, Rubric

CATEGORIES = ("Code Development", "Code Execution", "Result Analysis")
SMALLEST = 0.01
"""A criterion of less weight is not divided further."""
DEEPEST = 5
_NAMESPACE = uuid.UUID("6f1c2a3e-7f0c-5d0e-9f57-0a51c0de50aa")


@dataclass(frozen=True)
class Draft:
    """A criterion before its children are known."""

    requirements: str
    share: float = 1.0
    """Weight relative to its siblings."""
    check: str | None = None
    category: str | None = None
    detail: str | None = None
    """PaperBench's fine-grained category."""
    evidence: tuple[Evidence, ...] = ()
    parts: tuple[Draft, ...] = ()


def grow(root: Draft) -> Criterion:
    """The tree of a draft, breadth first: a criterion is divided while it weighs at least `SMALLEST` and lies above `DEEPEST`."""
    kept: dict[int, tuple[Draft, ...]] = {}
    queue: deque[tuple[Draft, float, int]] = deque([(root, 1.0, 1)])
    while queue:
        draft, weight, depth = queue.popleft()
        parts = draft.parts if depth < DEEPEST and weight >= SMALLEST else ()
        kept[id(draft)] = parts
        total = sum(part.share for part in parts)
        queue.extend((part, weight * part.share / total, depth + 1) for part in parts)
    return _finish(root, 1.0, "", kept)


def _finish(draft: Draft, weight: float, path: str, kept: Mapping[int, tuple[Draft, ...]]) -> Criterion:
    path = f"{path}/{draft.requirements}"
    parts = kept[id(draft)]
    total = sum(part.share for part in parts)
    return Criterion(
        id=str(uuid.uuid5(_NAMESPACE, path)),
        requirements=draft.requirements,
        weight=weight,
        sub_tasks=tuple(_finish(part, weight * part.share / total, path, kept) for part in parts),
        task_category=None if parts else draft.category or CATEGORIES[0],
        finegrained_task_category=None if parts else draft.detail,
        check=None if parts else draft.check,
        evidence=draft.evidence,
    )


def leaves(tree: Criterion) -> Iterator[Criterion]:
    """The criteria that are decided one by one, in order."""
    if not tree.sub_tasks:
        yield tree
    for part in tree.sub_tasks:
        yield from leaves(part)


def score(rubric: Rubric, checks: Mapping[str, bool]) -> Rubric:
    """The rubric with every leaf decided whose check is in `checks`, earlier decisions kept, and its score: the passed share of
    what checks can decide. None until something was run."""

    def decide(criterion: Criterion) -> Criterion:
        if criterion.sub_tasks:
            return criterion.model_copy(update={"sub_tasks": tuple(decide(part) for part in criterion.sub_tasks)})
        passed = checks.get(criterion.check or "", criterion.passed)
        return criterion.model_copy(update={"passed": passed})

    tree = decide(rubric.tree)
    decided = [leaf for leaf in leaves(tree) if leaf.passed is not None]
    weight = sum(leaf.weight for leaf in decided)
    run = any(leaf.task_category != CATEGORIES[0] for leaf in decided)
    share = sum(leaf.weight for leaf in decided if leaf.passed) / weight if weight and run else None
    return rubric.model_copy(update={"tree": tree, "score": share})


def within(metric: MetricSpec, values: Sequence[float]) -> bool | None:
    """Is the measured mean the paper's number? None where the paper reports none or nothing was measured."""
    return compare(metric, values)[0] if metric.reported is not None and values else None


def compare(metric: MetricSpec, values: Sequence[float]) -> tuple[bool, float]:
    """Is the mean of `values` within the metric's tolerance of its reported number, and how far off is it (mean minus reported)?

    Default tolerance: two standard deviations of the values, at least 1 % of the reported number. ValueError without either.
    """
    if metric.reported is None or not values:
        raise ValueError(f"{metric.name}: nothing to compare")
    difference = statistics.fmean(values) - metric.reported
    return abs(difference) <= (tolerance(metric, values) or 0.0) * (1 + 1e-12), difference


def tolerance(metric: MetricSpec, values: Sequence[float]) -> float | None:
    """How far the mean of `values` may be from the reported number, absolute; None where nothing is reported."""
    if metric.reported is None or metric.tolerance is not None:
        return metric.tolerance
    noise = statistics.stdev(values) if len(values) > 1 else 0.0
    return max(2 * noise, 0.01 * abs(metric.reported))


# ── PaperBench's files ────────────────────────────────────────────────────────────────────────────────────────────────


def load(path: Path) -> Criterion:
    """A published rubric. Raises UsageError for what is none."""
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
        return _load(data, 1.0, 0)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{path}: not a rubric: {error}", "PaperBench's format: id, requirements, weight, sub_tasks") from None


def _load(data: object, weight: float, depth: int) -> Criterion:
    if not isinstance(data, dict) or depth > 100:
        raise TypeError("a criterion must be an object")
    parts = data.get("sub_tasks") or []
    weights = [float(part["weight"]) for part in parts]
    total = sum(weights)
    if any(each < 0 for each in weights) or (parts and not total > 0):
        raise ValueError(f"weights below {data['id']} do not add up")
    return Criterion(
        id=str(data["id"]),
        requirements=str(data["requirements"]),
        weight=weight,
        sub_tasks=tuple(_load(part, weight * each / total, depth + 1) for part, each in zip(parts, weights, strict=True)),
        task_category=data.get("task_category"),
        finegrained_task_category=data.get("finegrained_task_category"),
    )


def dump(tree: Criterion) -> dict[str, object]:
    """The tree in PaperBench's JSON shape."""
    return {
        "id": tree.id,
        "requirements": tree.requirements,
        "weight": tree.weight,
        "sub_tasks": [dump(part) for part in tree.sub_tasks],
        "task_category": tree.task_category,
        "finegrained_task_category": tree.finegrained_task_category,
    }
