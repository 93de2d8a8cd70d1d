"""Time to an environment: ours beside a warm `uv pip install` of the same file and plain pip, and the second time.

python -m benchmarks.environments
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autosota import environments, sandboxes
from benchmarks.figure import Figure

REQUIREMENTS = "numpy\npandas\nscikit-learn\nscipy\nmatplotlib\ntqdm\npyyaml\nrequests\n"
"""What research code asks for most."""
SCRIPT = b"import numpy, pandas, sklearn, scipy, matplotlib, tqdm, yaml, requests\n"
ROUNDS = 5
ENOUGH = 1.2


def measure(pip: bool = True) -> list[Figure]:
    """Medians over rounds that alternate, uv's cache warm; pip once, its cache warm as well."""
    with tempfile.TemporaryDirectory(prefix="autosota-environments-") as name:
        folder = Path(name)
        tree = {"requirements.txt": REQUIREMENTS.encode(), "main.py": SCRIPT}
        executor = sandboxes.open_executor(None, folder / "scratch")

        cache = folder / "cache"

        def ours(entries: tuple[str, ...] = ()) -> Callable[[], object]:
            return lambda: environments.build(folder, tree, executor=executor, cache=cache, entries=entries)

        plain(folder / "warm", "uv")()
        cold = seconds(ours(("main.py",)))
        times: dict[str, list[float]] = {"uv": [], "ours": [], "tried": [], "again": []}
        for number in range(ROUNDS):
            times["uv"].append(seconds(plain(folder / f"uv{number}", "uv")))
            forget(cache)
            times["ours"].append(seconds(ours()))
            forget(cache)
            times["tried"].append(seconds(ours(("main.py",))))
            times["again"].append(seconds(ours(("main.py",))))
        median = {key: statistics.median(values) for key, values in times.items()}
        best = {key: min(values) for key, values in times.items()}
        words = f"uv venv and uv pip install {median['uv']:.2f} s; best {best['ours']:.2f} to {best['uv']:.2f} s"
        found = [
            Figure("environment of eight packages, uv's cache warm", median["ours"], "s", ENOUGH * median["uv"], compared=words),
            Figure("the same with every import tried in the sandbox", median["tried"], "s", None, compared="uv tries none"),
            Figure("the same when its packages are seen for the first time: their bytecode is compiled", cold, "s", None),
            Figure("the same recipe again", median["again"], "s", 1.0),
        ]
        if pip:
            found.append(Figure("plain pip beside it", seconds(plain(folder / "pip", "pip")), "s", None))
    return found


def forget(cache: Path) -> None:
    """Every environment and every answer; what is kept by package (bytecode, built wheels) stays, as uv's own cache does."""
    for path in (cache / "environments").iterdir():
        if path.name not in ("bytecode", "sources", "wheels"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def plain(folder: Path, tool: str) -> Callable[[], None]:
    """A virtual environment with the requirements, as people make it."""

    def make() -> None:
        place = folder.parent / f"{folder.name}.txt"
        place.write_text(REQUIREMENTS)
        if tool == "uv":
            uv = [sys.executable, "-m", "uv"]
            subprocess.run([*uv, "venv", "-q", "-p", sys.executable, folder], check=True)
            subprocess.run([*uv, "pip", "install", "-q", "-p", folder / "bin/python", "-r", place], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", "-r", place], check=True, env=os.environ)

    return make


def seconds(act: Callable[[], object]) -> float:
    """Wall time."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


if __name__ == "__main__":
    for figure in measure(pip="--no-pip" not in sys.argv):
        print(figure.row())
