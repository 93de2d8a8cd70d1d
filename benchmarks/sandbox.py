"""Own time of a sandbox: opening it on a tree, running `true` in it and closing it, beside a plain subprocess.

python benchmarks/sandbox.py [--runs N] [--executor NAME ...]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autosota.ports import Command, Executor, Tree
from autosota.records import Recipe
from autosota.sandboxes import executors

SIZES = (200, 5_000)
PROTECTED = 10


def make_tree(folder: Path, files: int) -> Path:
    """A repository of small files, fifty a folder."""
    for number in range(files):
        path = folder / f"package{number // 50}" / f"module{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"VALUE = {number}\n", encoding="ascii")
    return folder


def median(action: Callable[[], object], runs: int) -> float:
    """Milliseconds; the first run, which fills caches, does not count."""
    action()
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


def once(executor: Executor, tree: Tree) -> None:
    """What one evaluation pays beside the evaluation."""
    with executor.open(tree, recipe=Recipe(digest="", python="", prefix="")) as sandbox:
        done = sandbox.run(Command("true"))
        assert done.exit_code == 0, done
        sandbox.changed()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--executor", action="append", help="only these")
    options = parser.parse_args()
    plain = median(lambda: subprocess.run(["/bin/sh", "-c", "true"], check=True, capture_output=True), options.runs)
    print(f"{'sandbox':<12}{'files':>7}{'protected':>11}{'median':>10}{'beyond a plain subprocess':>28}")
    print(f"{'(none)':<12}{'-':>7}{'-':>11}{plain:>7.1f} ms")
    with tempfile.TemporaryDirectory(prefix="autosota-benchmark-") as place:
        trees = {size: make_tree(Path(place, str(size)), size) for size in SIZES}
        for executor in executors(Path(place, "scratch")):
            if options.executor and executor.name not in options.executor:
                continue
            for size, base in trees.items():
                for protected in (0, PROTECTED):
                    names = tuple(f"package{number // 50}/module{number}.py" for number in range(protected))
                    tree = Tree(base, read_only=names)
                    taken = median(lambda executor=executor, tree=tree: once(executor, tree), options.runs)  # type: ignore[misc]
                    print(f"{executor.name:<12}{size:>7}{protected:>11}{taken:>7.1f} ms{taken - plain:>25.1f} ms")


if __name__ == "__main__":
    main()
