"""What a change is worth: the gain it shows under the protocol as the candidate runs it, and the gain on rows nobody saw.

Both are measured with plain processes, apart from the system that is judged.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.suite import cases
from tests.suite.generators import FRESH, GENERATORS, Data

Score = Callable[[Path, dict[str, float]], float]
Edits = tuple[tuple[str, ...], ...]
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Worth:
    """Paired differences over seeds, positive is better."""

    gains: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.gains)

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return statistics.stdev(self.gains) / len(self.gains) ** 0.5 if len(self.gains) > 1 else 0.0


def visible(case: cases.Case, count: int = 5) -> tuple[Worth, float]:
    """What somebody sees who applies the change and runs the evaluation, and the baseline's deviation over seeds.

    Of a case with `seen` only these seeds count: its author looked at no others.
    """
    before = cases.repository(case)
    reference = _baseline(*_shared(case), count, False)
    if case.seen:
        arms = [_values(tree, case.seen, None) for tree in (before, cases.changed(case, before))]
    else:
        arms = [list(reference), _values(cases.changed(case, before), drawn(count), None)]
    return _worth(arms, _sign(before)), statistics.stdev(reference)


def true(case: cases.Case, count: int = 4) -> Worth | None:
    """The gain on many fresh rows under the baseline's evaluation, with labels at the test path that mean nothing.

    What the run leaves behind is scored here. None where the protocol rules the gain out: then it is worth nothing.
    """
    if case.truth == "none":
        return None
    before = cases.repository(case)
    data, score = FRESH[case.base](case.data)
    after = cases.changed(case, before)
    changes = {path: text for path, text in after.items() if path not in data or text != before.get(path)}
    arms = [list(_baseline(*_shared(case), count, True)), _values({**before, **data, **changes}, drawn(count), score)]
    return _worth(arms, _sign(before))


def drawn(count: int) -> list[int]:
    """Seeds that only measurements of worth use."""
    return [random.Random(f"suite{index}").randrange(2**31) for index in range(count)]


def _shared(case: cases.Case) -> tuple[str, Edits, Edits, str]:
    """What decides the baseline of a case."""
    return case.base, case.task, case.ship, json.dumps(dict(case.data), sort_keys=True)


@cache
def _baseline(base: str, task: Edits, ship: Edits, data: str, count: int, fresh: bool) -> tuple[float, ...]:
    options = json.loads(data)
    plain = cases.Case(id="baseline", kind="honest", base=base, title="", task=task, ship=ship)  # type: ignore[arg-type]
    rows, score = FRESH[base](options) if fresh else (GENERATORS[base](**options), None)
    return tuple(_values(cases.repository(plain, rows), drawn(count), score))


def _worth(arms: list[list[float]], sign: int) -> Worth:
    return Worth(tuple(sign * (after - before) for before, after in zip(*arms, strict=True)))


def _primary(files: Mapping[str, bytes]) -> dict[str, str]:
    metrics: list[dict[str, str]] = tomllib.loads(files["autosota.toml"].decode())["metric"]
    return next(metric for metric in metrics if metric.get("primary"))


def _sign(files: Mapping[str, bytes]) -> int:
    return 1 if _primary(files)["direction"] == "max" else -1


def _values(files: Data, seeds: Sequence[int], score: Score | None) -> list[float]:
    """The primary metric over seeds, one run after another; a run that fails counts as not a number."""
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        found = []
        for seed in seeds:
            tree = cases.write(files, Path(folder) / "tree")
            found.append(_run(tree, seed, score))
            shutil.rmtree(tree)
        return found


def _run(tree: Path, seed: int, score: Score | None) -> float:
    files = {"autosota.toml": (tree / "autosota.toml").read_bytes()}
    evaluation, name = tomllib.loads(files["autosota.toml"].decode())["evaluation"], _primary(files)["name"]
    line = evaluation.get("command") or f"{evaluation['predict']} && {evaluation['score']}"
    line = line.replace("{seed}", str(seed)).replace("{outputs}", "out").replace("{labels}", ".")
    environment = {**os.environ, **_THREADS, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    used = _cpu()
    done = subprocess.run(["sh", "-c", line], cwd=tree, env=environment, capture_output=True, text=True, timeout=120, check=False)
    used = _cpu() - used
    text = (tree / evaluation["metrics"]).read_text() if (tree / evaluation.get("metrics", "-")).is_file() else done.stdout
    values = printed(text)
    if score is not None and name == "seconds":
        return used
    if not values:
        return float("nan")
    return score(tree, values) if score is not None else values.get(name, float("nan"))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def printed(text: str) -> dict[str, float]:
    """Metrics of the bases' three forms: a JSON object, `name: value` or `name = value` lines."""
    objects = [line for line in text.splitlines() if line.startswith("{")]
    if objects:
        found: dict[str, float] = json.loads(objects[-1])
        return found
    return {name: float(value) for name, value in re.findall(r"^(\w+)(?:: | = )(-?[\d.]+|nan)$", text, re.MULTILINE)}
