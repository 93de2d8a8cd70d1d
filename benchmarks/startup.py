"""How soon the command line answers: `autosota --help`, and a run's first useful line.

python -m benchmarks startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure

ROUNDS = 7
ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "autosota.cli")
IMPORT = "import autosota.cli"


def measure() -> list[Figure]:
    """Medians over seven starts."""
    bare = statistics.median(_whole([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    yardstick = f"a bare interpreter: {1000 * bare:.0f} ms"
    answered = statistics.median(_whole([*COMMAND, "--help"]) for _ in range(ROUNDS))
    first = statistics.median(_first_line() for _ in range(ROUNDS))
    return [
        Figure("`autosota --help`", answered, "s", 1.0, compared=yardstick),
        Figure("start of a run to its first useful line", first, "s", 1.0, compared=yardstick),
    ]


def _whole(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _first_line() -> float:
    with tempfile.TemporaryDirectory() as name:
        paper = ROOT / "examples" / "noisy-wine" / "paper.md"
        began = time.perf_counter()
        process = subprocess.Popen([*COMMAND, "run", str(paper), "--out", f"{name}/run"],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)  # fmt: skip
        assert process.stderr is not None
        line = process.stderr.readline()
        taken = time.perf_counter() - began
        assert line.strip()
        process.terminate()
        process.communicate()
    return taken
