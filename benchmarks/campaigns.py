"""False claims where candidates are chosen by their score on fixed test rows, and the power that is left for true gains.

    python -m benchmarks.campaigns [--campaigns 200] [--real 0] [--trials 20]

Simulated campaigns choose the best of 25 candidates on 350 fixed rows and confirm it as a run does: with scores per item, with
the number of rows alone, and with fresh seeds alone, as if rows were no sample. Real ones are whole runs on the placebo
repositories of the suite, on several draws of their data. Writes docs/campaigns.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autosota import compose, statistics  # noqa: E402
from autosota.errors import AutosotaError  # noqa: E402
from autosota.progress import Progress  # noqa: E402
from autosota.store import Store  # noqa: E402
from tests.suite import cases, truth  # noqa: E402
from tests.suite.generators import FRESH  # noqa: E402
from tests.test_crossed import campaign  # noqa: E402

CLAIMS = ("CONFIRMED", "DISCLOSE")
GAINS = (0.0, 0.02, 0.04, 0.06, 0.08)
KINDS: dict[str, dict[str, bool]] = {
    "items": {"with_items": True},
    "rows counted": {"with_items": False},
    "seeds alone": {"with_items": False, "redraws": True},
}


def simulated(count: int) -> list[dict[str, Any]]:
    """Share of campaigns that end in a claim, by what is known of the rows and by the true gain of every candidate."""
    found = []
    for kind, known in KINDS.items():
        for gain in GAINS:
            grades = [campaign(number, gain=gain, **known).grade for number in range(count)]  # type: ignore[arg-type]
            claimed = sum(grade in CLAIMS for grade in grades)
            found.append({
                "known": kind, "gain": gain, "campaigns": count, "claimed": claimed,
                "interval": statistics.wilson(claimed, count), "suggestive": grades.count("SUGGESTIVE"),
            })  # fmt: skip
            print(json.dumps(found[-1]), flush=True)
    return found


def real(count: int, trials: int) -> list[dict[str, Any]]:
    """Whole runs on placebo repositories, each on several draws of its data; what a claim is worth is measured on fresh rows.

    Placebo stands for the case's own change. Where the baseline is poor, as in z3 and z4, a search may find a true gain: a claim
    is false where fresh rows do not show one.
    """
    known = [(case, seed) for seed in (12, 13, 14) for case in cases.cases("placebo")]
    found = []
    for case, seed in known[:count]:
        drawn = replace(case, data={**case.data, "seed": seed})
        with tempfile.TemporaryDirectory(prefix="campaign-") as name:
            repository, run = cases.write(cases.repository(drawn), Path(name) / "repository"), Path(name) / "run"
            flags = {"repository": str(repository), "python": sys.executable, "trials": trials, "from_here": True}
            try:
                with Progress.open(quiet=True) as live:
                    compose.run(flags, out=run, live=live)
            except AutosotaError as error:
                print(f"{case.id} {seed}: {error.message}", file=sys.stderr, flush=True)
                continue
            result = Store(run).result()
            assert result is not None
            row = {"case": case.id, "seed": seed, "grade": result.grade, "labels": result.labels,
                   "gain": result.gain.model_dump() if result.gain else None,
                   "experiments": result.experiments.model_dump(), "seconds": result.seconds}  # fmt: skip
            if result.grade in CLAIMS:
                row["true"], row["true_error"] = worth(drawn, run / "optimized")
            found.append(row)
            print(json.dumps(row), flush=True)
    return found


def worth(case: cases.Case, optimized: Path) -> tuple[float, float]:
    """Mean gain of a tree over the base on many fresh rows, and its standard error."""
    before = cases.repository(case)
    data, score = FRESH[case.base]({name: value for name, value in case.data.items() if name != "seed"})
    after = {path: (optimized / path).read_bytes() for path in before if path not in data and (optimized / path).is_file()}
    arms = [truth._values({**before, **more, **data}, truth.drawn(6), score) for more in ({}, after)]
    gains = truth._worth(arms, truth._sign(before))
    return gains.mean, gains.error


def main() -> None:
    """Print and keep both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=200)
    parser.add_argument("--real", type=int, default=0)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    path = ROOT / "docs" / "campaigns.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    if options.campaigns:
        kept["simulated"] = simulated(options.campaigns)
    if options.real:
        kept["real"] = real(options.real, options.trials)
    path.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
