"""How much room for improvement the example papers have.

    python benchmarks/headroom.py [EXAMPLE …]

For each example: the repository as shipped, with the good values of its hand-written space, and with a structural edit (and values that
are good with it), each measured with the same eight seeds in an environment built from the repository's requirements. Differences
are paired by seed and positive when better. Without arguments all examples but those that need PyTorch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import spaces  # noqa: E402

SEEDS = range(1000, 1008)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autosota-benchmarks"


def variables(repository: Path) -> dict[str, str]:
    """The environment variables for a repository's commands, its packages built or taken from the cache."""
    requirements = repository / "requirements.txt"
    folder = CACHE / hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    if not (folder / "done").exists():
        subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--clear", folder], check=True)
        install = ["pip", "install", "-q", "--compile-bytecode", "-p", folder / "bin" / "python", "-r", requirements]
        subprocess.run([sys.executable, "-m", "uv", *install], check=True)
        (folder / "done").touch()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1", **threads}


def values(
    name: str, setting: Mapping[str, spaces.Value], edits: Sequence[tuple[str, str, str]] = (), seeds: Sequence[int] = SEEDS
) -> list[float]:
    """The primary metric of an example for each seed, in a copy that is changed as told."""
    example = spaces.load(name)
    source = ROOT / "examples" / name / "repository"
    environment = variables(source)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        options = spaces.write(copy, example, setting)
        for file, old, new in edits:
            spaces.replace(copy / file, old, new)
        return [spaces.measure(example, copy, seed=seed, options=options, variables=environment) for seed in seeds]


def row(name: str) -> str:
    """A line of the table in examples/README.md."""
    example = spaces.load(name)
    baseline = values(name, {})
    cells = [f"{statistics.mean(baseline):.4g} ± {statistics.stdev(baseline):.2g}"]
    for setting, edits in ((example.good, ()), (example.good_with_structure, example.structure)):
        if not setting and not edits:
            cells.append("–")
            continue
        better = values(name, setting, edits)
        sign = 1 if example.direction == "max" else -1
        gains = [sign * (after - before) for before, after in zip(baseline, better, strict=True)]
        spread = statistics.stdev(gains)
        ratio = f", {statistics.mean(gains) / spread:.1f} sd" if spread else ""
        cells.append(f"{statistics.mean(better):.4g} ({statistics.mean(gains):+.3g} ± {spread:.2g}{ratio})")
    return f"| {name} | {example.direction} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    chosen = sys.argv[1:] or [name for name in spaces.names() if not name.endswith("-torch")]
    print("| example | better | as shipped | good values (paired gain) | structural edit (paired gain) |\n|---|---|---|---|---|")
    for name in chosen:
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
