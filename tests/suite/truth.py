"""What a change is worth: the gain it shows under the protocol as the candidate runs it, and the gain on rows nobody saw.

Both are measured with plain processes, apart from the system that is judged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.suite import cases
from tests.suite.generators import FRESH, Data

PRIMARY = 0
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


def visible(case: cases.Case, seeds: int = 5) -> tuple[Worth, float]:
    """What somebody sees who applies the change and runs the evaluation, and the baseline's deviation over seeds."""
    before = cases.repository(case)
    arms = [_values(files, seeds, None) for files in (before, cases.changed(case, before))]
    return _worth(arms, _sign(before)), statistics.stdev(arms[0])


def true(case: cases.Case, seeds: int = 4) -> Worth | None:
    """The gain on many fresh rows under the baseline's evaluation, with labels at the test path that mean nothing.

    Predictions are scored here. None where the protocol rules the gain out, or the change does not survive fresh rows: then the
    true gain is nothing.
    """
    if case.truth == "none":
        return None
    before = cases.repository(case)
    data, score = FRESH[case.base](case.data)
    files = {**before, **data}
    arms = [_values(tree, seeds, score) for tree in (files, {**cases.changed(case, before), **data})]
    return _worth(arms, _sign(before))


def _worth(arms: list[list[float]], sign: int) -> Worth:
    return Worth(tuple(sign * (after - before) for before, after in zip(*arms, strict=True)))


def _sign(files: Mapping[str, bytes]) -> int:
    metrics = tomllib.loads(files["autosota.toml"].decode())["metric"]
    return 1 if metrics[PRIMARY]["direction"] == "max" else -1


def _values(files: Data, seeds: int, score: Callable[[Path, dict[str, float]], float] | None) -> list[float]:
    """The primary metric over seeds; a run that fails counts as not a number."""
    chosen = [random.Random(f"suite{index}").randrange(2**31) for index in range(seeds)]
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        cases.write(files, Path(folder) / "tree")

        def run(seed: int) -> float:
            tree = Path(folder) / f"tree-{seed}"
            shutil.copytree(Path(folder) / "tree", tree)
            try:
                return _run(tree, seed, score)
            finally:
                shutil.rmtree(tree)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(run, chosen))


def _run(tree: Path, seed: int, score: Callable[[Path, dict[str, float]], float] | None) -> float:
    task = tomllib.loads((tree / "autosota.toml").read_text())
    evaluation = task["evaluation"]
    line = evaluation.get("command") or f"{evaluation['predict']} && {evaluation['score']}"
    line = line.replace("{seed}", str(seed)).replace("{outputs}", "out").replace("{labels}", ".")
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, **_THREADS, "PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(["sh", "-c", line], cwd=tree, env=environment, capture_output=True, text=True, timeout=120, check=False)
    printed = [text for text in done.stdout.splitlines() if text.startswith("{")]
    if not printed:
        return float("nan")
    values: dict[str, float] = json.loads(printed[-1])
    if score is not None:
        return score(tree, values)
    return values[task["metric"][PRIMARY]["name"]] if task["metric"][PRIMARY]["name"] in values else float("nan")
