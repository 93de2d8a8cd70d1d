"""S18: work moved out of the timed region. Looked at only where speed is what is claimed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from autosota.records import MetricSpec, Violation
from autosota.redlines.checks import fresh
from autosota.redlines.difference import Difference

_SPEED = {
    "second", "seconds", "sec", "secs", "ms", "us", "millisecond", "milliseconds", "minutes", "time", "times", "latency",
    "runtime", "walltime", "duration", "throughput", "speed", "fps", "tps", "qps",
}  # fmt: skip
_CACHES = {
    "functools.lru_cache",
    "functools.cache",
    "functools.cached_property",
    "joblib.Memory",
    "cachetools.cached",
    "lru_cache",
    "cache",
}
_THREADS = ("threading.", "multiprocessing.", "concurrent.futures.", "asyncio.", "joblib.Parallel", "torch.cuda.Stream")


def claimed(difference: Difference) -> bool:
    """Is the primary metric a time or a rate?"""
    return is_speed(difference.case.rubric.primary)


def is_speed(spec: MetricSpec) -> bool:
    """Does a metric's name speak of time or speed: "fit_seconds", "Latency (ms)", "TrainTime"; not "sentiment"?"""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", spec.name)
    return any(word.lower() in _SPEED for word in words)


def games(difference: Difference) -> Iterator[Violation]:
    """New caches, globals, threads and clocks under a claim of speed."""
    if not claimed(difference):
        return
    for found in fresh.nodes(difference, ast.Global, ast.Call, ast.Name, ast.Attribute):
        evidence = _game(found)
        if evidence:
            yield Violation(
                red_line="R2", rule="timed-region", action="review", evidence=evidence, file=found.file.path, line=found.line,
                fix="do the same work inside the timed region, for inputs never seen before",
            )  # fmt: skip


def _game(found: fresh.Fresh) -> str | None:
    node = found.node
    if isinstance(node, ast.Global):
        return f"keeps state between calls in {', '.join(node.names)}"
    name = found.module.callee(node) if isinstance(node, ast.Call) else ""
    if isinstance(node, (ast.Name, ast.Attribute)):
        from autosota import syntax

        resolved = found.module.resolve(syntax.dotted(node))
        return (
            f"remembers results with {resolved}"
            if resolved in _CACHES and resolved.split(".")[0] in ("functools", "cachetools")
            else None
        )
    if name in _CACHES:
        return f"remembers results with {name}"
    if name.startswith(_THREADS):
        return f"does work beside the timed one with {name}"
    if name.startswith(("time.", "timeit.")) and name != "time.sleep":
        return f"reads the clock with {name}"
    return None
