"""How much room for improvement the example papers have.

    python benchmarks/headroom.py [EXAMPLE …]
    python benchmarks/headroom.py --flat
    python benchmarks/headroom.py --record [EXAMPLE …]

For each example: the repository as shipped, with the good values of its hand-written space, and with a structural edit (and
values that are good with it), each measured with the same eight seeds in an environment built from the repository's
requirements. Differences are paired by seed and positive when better. Without arguments all examples but those that need
PyTorch. `--flat` varies every setting of the one example that has no headroom. `--record` measures the repositories
as shipped with the seeds of the papers and writes `examples/measured.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import spaces  # noqa: E402

SEEDS = range(1000, 1008)
FLAT = {
    "noise_level": (0.75, 1.2, 1.4, 1.6, 1.8, 2.5),
    "prior_exponent": (0.0, 0.5, 1.5),
    "temperature": (0.7, 1.5),
    "neighbors": (1, 5, 20, 60, 120),
}
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
    example: spaces.Example,
    setting: Mapping[str, spaces.Value],
    edits: Sequence[tuple[str, str, str]] = (),
    seeds: Sequence[int] = SEEDS,
) -> list[float]:
    """The primary metric of an example for each seed, in a copy that is changed as told."""
    source = ROOT / "examples" / example.name / "repository"
    environment = variables(source)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        options = spaces.write(copy, example, setting)
        for file, old, new in edits:
            spaces.replace(copy / file, old, new)
        printed = [spaces.run(example, copy, seed=seed, options=options, variables=environment) for seed in seeds]
        return [spaces.read(text, example.pattern) for text in printed]


def paired(example: spaces.Example, before: Sequence[float], after: Sequence[float]) -> list[float]:
    """Gains seed by seed, positive when better."""
    sign = 1 if example.direction == "max" else -1
    return [sign * (new - old) for old, new in zip(before, after, strict=True)]


def flat() -> None:
    """Every setting of the example without headroom, off its shipped value in both directions: accuracy and log loss."""
    accuracy = spaces.load("noisy-wine")
    loss = replace(accuracy, pattern=r"Log loss: ([\d.]+)", direction="min")
    shipped = {example.direction: values(example, {}) for example in (accuracy, loss)}
    print("| setting | accuracy, points (paired gain) | log loss (paired gain) |\n|---|---|---|")
    for name, numbers in FLAT.items():
        for number in numbers:
            cells = []
            for example in (accuracy, loss):
                gains = paired(example, shipped[example.direction], values(example, {name: number}))
                cells.append(f"{statistics.mean(gains):+.3f} ± {statistics.stdev(gains):.3f}")
            print(f"| {name} = {number} | " + " | ".join(cells) + " |", flush=True)


def record(names: Sequence[str]) -> None:
    """Measure the examples as shipped with the seeds of their papers, into examples/measured.json."""
    path = ROOT / "examples" / "measured.json"
    measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in names:
        example = spaces.load(name)
        patterns = [example.pattern, *([example.second] if example.second else [])]
        measured[name] = [values(replace(example, pattern=pattern), {}, seeds=range(10)) for pattern in patterns]
        path.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def row(name: str) -> str:
    """A line of the table in examples/README.md."""
    example = spaces.load(name)
    baseline = values(example, {})
    cells = [f"{statistics.mean(baseline):.4g} ± {statistics.stdev(baseline):.2g}"]
    for setting, edits in ((example.good, ()), (example.good_with_structure, example.structure)):
        if not setting and not edits:
            cells.append("–")
            continue
        better = values(example, setting, edits)
        gains = paired(example, baseline, better)
        spread = statistics.stdev(gains)
        ratio = f", {statistics.mean(gains) / spread:.1f} sd" if spread else ""
        cells.append(f"{statistics.mean(better):.4g} ({statistics.mean(gains):+.3g} ± {spread:.2g}{ratio})")
    return f"| {name} | {example.direction} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    if sys.argv[1:] == ["--flat"]:
        return flat()
    recording = sys.argv[1:2] == ["--record"]
    chosen = sys.argv[1 + recording :] or [name for name in spaces.names() if not name.endswith("-torch")]
    if recording:
        return record(chosen)
    print("| example | better | as shipped | good values (paired gain) | structural edit (paired gain) |\n|---|---|---|---|---|")
    for name in chosen:
        print(row(name), flush=True)
    return None


if __name__ == "__main__":
    main()
