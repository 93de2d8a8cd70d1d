"""Two workers beside one: evaluations per hour on two cores, with threads fixed as autosota fixes them and with BLAS defaults.

python -m benchmarks workers
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autosota import sandboxes
from autosota.ports import Command, Executor, Tree
from autosota.records import Recipe
from benchmarks.figure import Figure

EVALUATIONS = 6
_WORK = """
import numpy as np
rng = np.random.default_rng(0)
a = rng.normal(size=(700, 700))
for _ in range(25):
    a = a @ a.T / np.linalg.norm(a)
print("accuracy:", float(a[0, 0]))
"""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure() -> list[Figure]:
    """Ratios of evaluations per hour."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        tree.mkdir()
        (tree / "evaluate.py").write_text(_WORK)
        executor = sandboxes.open_executor(None, Path(name) / "scratch")
        one = dict.fromkeys(_THREADS, "1")
        # One worker gets both cores' threads, as autosota gives it; two workers one thread each.
        single = _seconds(executor, tree, 1, dict.fromkeys(_THREADS, "2"))
        fixed, default = _seconds(executor, tree, 2, one), _seconds(executor, tree, 2, {})
        narrow = _seconds(executor, tree, 1, one)
    words = "evaluations per hour of one worker with one thread"
    return [
        Figure("two workers, one thread each", narrow / fixed, "x", 1.8, larger=True, compared=words),
        Figure("two workers, default BLAS threads", narrow / default, "x", larger=True, compared=words),
        Figure("two workers, one thread each", single / fixed, "x", larger=True, compared="one worker with two threads"),
    ]


def _seconds(executor: Executor, tree: Path, workers: int, variables: dict[str, str]) -> float:
    def evaluate(_: int) -> None:
        recipe = Recipe(digest="own", python=sys.executable, prefix=sys.prefix, paths=(sys.base_prefix,))
        with executor.open(Tree(tree), recipe=recipe) as sandbox:
            done = sandbox.run(Command(f"{sys.executable} evaluate.py", variables=variables))
            assert done.exit_code == 0, done.stderr

    evaluate(0)
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(evaluate, range(EVALUATIONS)))
    return time.perf_counter() - began
