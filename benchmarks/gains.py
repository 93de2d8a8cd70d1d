"""What a search gains on the examples: ours, plain Optuna on a space written by hand, and random search in our own space.

    python -m benchmarks gains [EXAMPLE …] [--repeats 3] [--trials 25] [--jobs 2] [--out FILE]

Three arms with the same number of evaluations of candidates:

- `autosota`: the whole run with its defaults, the claim confirmed or not.
- `optuna`: Optuna's TPE sampler on the space of `benchmarks/spaces/`, one evaluation per suggestion with one seed, as a person
  would set it up; its best is taken if it beats the shipped values on that seed.
- `random`: autosota with `--search random`: our space, our ideas, our confirmation.

What an arm hands over is measured again on the same fresh seeds as the shipped repository: the true gain, which no search has
seen. It counts as confirmed where autosota says so, for Optuna where the sequential test of a confirmation says so on these
seeds. Finished campaigns are kept in FILE and not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean, stdev
from threading import Lock
from typing import Any

from autosota import statistics
from benchmarks import headroom, spaces
from benchmarks.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
ARMS = ("autosota", "optuna", "random")
FRESH = range(5000, 5012)
"""Seeds of the true gain; neither the runs nor Optuna know them."""
FLAT = "noisy-wine"
"""The example without headroom."""
IMPORTS = ("numpy", "yaml", "sklearn.cluster", "sklearn.linear_model", "sklearn.kernel_approximation", "sklearn.pipeline",
           "sklearn.preprocessing", "sklearn.ensemble", "sklearn.metrics", "sklearn.datasets")  # fmt: skip


class Bench:
    """Measures trees of one example."""

    def __init__(self, name: str) -> None:
        self.example = spaces.load(name)
        self.source = ROOT / "examples" / name / "repository"
        self.runner = Runner(headroom.variables(self.source), IMPORTS)
        self.shipped = [self.value({}, b"", seed) for seed in FRESH]

    def value(self, setting: dict[str, Any], patch: bytes, seed: int) -> float:
        """The primary metric of the shipped repository with a setting of the hand-written space or a patch."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "repository"
            shutil.copytree(self.source, folder, ignore=shutil.ignore_patterns("__pycache__"))
            if patch:
                subprocess.run(["git", "apply", "-p1", "-"], cwd=folder, input=patch, check=True, capture_output=True)
            options = spaces.write(folder, self.example, setting)
            if self.example.seed:
                file, _, key = self.example.seed.partition(":")
                spaces.write_key(folder / file, key, seed)
            commands = [command.format(seed=seed, options=options) for command in self.example.commands]
            return spaces.read(self.runner.run(folder, commands), self.example.pattern)

    def gains(self, setting: dict[str, Any], patch: bytes) -> list[float]:
        """Paired gains over the shipped repository on the fresh seeds."""
        return headroom.paired(self.example, self.shipped, [self.value(setting, patch, seed) for seed in FRESH])


def campaign(arm: str, example: str, repeat: int, trials: int, bench: Bench) -> dict[str, Any]:
    """One campaign, as a line of the table's records."""
    if arm == "optuna":
        setting, spent = plain(bench, repeat, trials)
        gains = bench.gains(setting, b"") if setting else [0.0] * len(FRESH)
        looks = [statistics.decide(gains[:look]) for look in statistics.LOOKS]
        grade = "CONFIRMED" if setting and "confirmed" in looks else "UNCONFIRMED"
    else:
        grade, patch, spent = ours(arm, example, repeat, trials)
        gains = bench.gains({}, patch) if patch else [0.0] * len(FRESH)
    return {
        "arm": arm,
        "example": example,
        "repeat": repeat,
        "trials": trials,
        "grade": grade,
        "gain": fmean(gains),
        "spent": spent,
    }


def plain(bench: Bench, repeat: int, trials: int) -> tuple[dict[str, Any], int]:
    """Optuna's best setting, empty where it does not beat the shipped values; and the evaluations spent."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = 100 + repeat
    sign = 1.0 if bench.example.direction == "max" else -1.0

    def objective(trial: optuna.Trial) -> float:
        return sign * bench.value(spaces.suggest(trial, bench.example.space), b"", seed)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=repeat))
        study.optimize(objective, n_trials=trials, catch=(RuntimeError,))
    done = [trial for trial in study.trials if trial.value is not None]
    better = bool(done) and (study.best_value or 0.0) > sign * bench.value({}, b"", seed)
    return (dict(study.best_params) if better else {}), trials


def ours(arm: str, example: str, repeat: int, trials: int) -> tuple[str, bytes, int]:
    """Grade, patch of the best and evaluations of candidates in search of one autosota run."""
    import autosota

    paper = next((ROOT / "examples" / example).glob("paper.*"))
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / f"{example}-{repeat}"
        out.mkdir()
        (out / "secret").write_text(f"{repeat * 7919 + 12345:064x}")
        settings = {} if arm == "autosota" else {"search": "random"}
        result = autosota.run(str(paper), out=str(out), trials=trials, **settings)
        patch = (out / result.patch).read_bytes() if result.patch else b""
        lines = [json.loads(line) for line in (out / "07-experiments.jsonl").read_text(encoding="utf-8").splitlines()]
    spent = {(line["commit"], item["seed"]) for line in lines for item in line["measurements"]}
    return str(result.grade), patch, len(spent)


def collect(
    examples: list[str], repeats: int, trials: int, jobs: int, path: Path, arms: tuple[str, ...] = ARMS
) -> list[dict[str, Any]]:
    """All campaigns that are not in the file yet, added to it as they finish; all that belong to the question, from it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    known = {(r["arm"], r["example"], r["repeat"], r["trials"]) for r in records}
    lock = Lock()

    def work(example: str) -> None:
        todo = [(arm, repeat) for repeat in range(repeats) for arm in arms if (arm, example, repeat, trials) not in known]
        if not todo:
            return
        bench = Bench(example)
        for arm, repeat in todo:
            record = campaign(arm, example, repeat, trials, bench)
            with lock, path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
                records.append(record)
        bench.runner.close()

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, examples))
    return [
        r for r in records if r["example"] in examples and r["repeat"] < repeats and r["trials"] == trials and r["arm"] in arms
    ]


def table(records: list[dict[str, Any]]) -> str:
    """Markdown: true gains per arm, the share confirmed, and what ours is relative to Optuna's."""
    lines = [
        "| example | " + " | ".join(f"{arm}: gain (confirmed)" for arm in ARMS) + " | autosota/optuna |",
        "|---|---|---|---|---|",
    ]
    for example in dict.fromkeys(record["example"] for record in records):
        cells, means = [], {}
        for arm in ARMS:
            rows = [r for r in records if r["example"] == example and r["arm"] == arm]
            if not rows:
                cells.append("–")
                continue
            gains = [row["gain"] for row in rows]
            means[arm] = fmean(gains)
            share = sum(row["grade"] in ("CONFIRMED", "DISCLOSE") for row in rows)
            spread = f" ± {stdev(gains):.2g}" if len(gains) > 1 else ""
            cells.append(f"{means[arm]:.4g}{spread} ({share}/{len(rows)})")
        ratio = f"{means['autosota'] / means['optuna']:.2f}" if means.get("optuna", 0.0) > 0 and "autosota" in means else "–"
        lines.append(f"| {example} | " + " | ".join(cells) + f" | {'–' if example == FLAT else ratio} |")
    spent = {arm: [r["spent"] for r in records if r["arm"] == arm] for arm in ARMS}
    lines.append("")
    lines.append("evaluations of candidates spent: " + ", ".join(f"{arm} {fmean(n):.1f}" for arm, n in spent.items() if n))
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gains", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("examples", nargs="*")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "benchmarks" / "gains.jsonl")
    options = parser.parse_args(arguments)
    examples = options.examples or [name for name in spaces.names() if not name.endswith("-torch")]
    print(table(collect(examples, options.repeats, options.trials, options.jobs, options.out, tuple(options.arms))))


if __name__ == "__main__":
    main(sys.argv[1:])
