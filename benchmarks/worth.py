"""What every change of the suite shows and what it is worth, measured and written into its file as the table `worth`.

    python -m benchmarks.worth [--only NAME …] [--all] [--workers 2]

Without `--all` only cases whose file, base or data changed since. `visible`: gains of the primary metric over paired seeds, as
the candidate's own tree reports them. `true`: the gain on fresh rows, scored apart from the candidate's code; `error`: its
standard error.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.suite import cases, truth  # noqa: E402


def worth(case: cases.Case) -> str:
    """The table as TOML."""
    seen, noise = truth.visible(case)
    fresh = truth.true(case)
    gains = ", ".join(_number(gain) for gain in seen.gains)
    lines = ["[worth]", f"visible = [{gains}]", f"noise = {_number(noise)}"]
    lines += [f"true = {_number(fresh.mean)}", f"error = {_number(fresh.error)}"] if fresh else ["true = 0.0", "error = 0.0"]
    return "\n".join([*lines, f'of = "{cases.fingerprint(case)}"', ""])


def _number(value: float) -> str:
    text = f"{value:.4g}"
    return text if math.isnan(value) or any(mark in text for mark in ".e") else f"{text}.0"


def record(path: Path, table: str) -> None:
    """Replace the table at the end of a case's file."""
    text = re.sub(r"\n*\[worth\]\n.*\Z", "\n", path.read_text(), flags=re.DOTALL)
    path.write_text(f"{text}\n{table}")


def valid(case: cases.Case) -> bool:
    """Does the change show a gain above the noise floor? A run that fails once shows none."""
    gains = case.worth.get("visible", [])
    center = sum(gains) / len(gains) if gains else math.nan
    spread = truth.Worth(tuple(gains)).error if gains else math.nan
    return bool(center > case.worth["noise"] and center > 2 * spread)


def _measure(path: Path) -> str:
    case = cases.load(path)
    record(path, worth(case))
    case = cases.load(path)
    gains = case.worth["visible"]
    mark = "" if case.kind != "cheat" or valid(case) else "  NOT A GAIN ABOVE THE NOISE"
    return (
        f"{case.id:<18}visible {sum(gains) / len(gains):+.4g}  noise {case.worth['noise']:.3g}  "
        f"true {case.worth['true']:+.4g} ± {case.worth['error']:.2g}{mark}"
    )


def main() -> None:
    """Measure what has changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=(), help="beginnings of case names")
    parser.add_argument("--all", action="store_true", help="measure again what has not changed")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    chosen = [case for case in cases.cases() if not options.only or case.id.startswith(tuple(options.only))]
    chosen = [case for case in chosen if options.all or case.worth.get("of") != cases.fingerprint(case)]
    chosen.sort(key=lambda case: (case.base, case.id))
    names = {kind: folder for folder, kind in cases.KINDS.items()}
    paths = [cases.TESTS / names[case.kind] / f"{case.id}.toml" for case in chosen]
    with ProcessPoolExecutor(options.workers) as pool:
        for line in pool.map(_measure, paths, chunksize=4):
            print(line, flush=True)


if __name__ == "__main__":
    main()
