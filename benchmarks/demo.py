"""The demo as a benchmark: wall time, and the largest memory of autosota's own process, its children not counted.

python -m benchmarks demo
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time

from benchmarks.figure import Figure

_PROGRAM = """
import json, resource, sys
from autosota.cli import main
code = 0
try:
    code = main(["demo", "--json", "--out", sys.argv[1]])
except SystemExit as error:
    code = error.code
print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}), file=sys.stderr)
"""
KIBI = 1024


def measure() -> list[Figure]:
    """One demo with its environment in the cache, if an earlier one put it there."""
    import autosota.cli

    assert callable(autosota.cli.main)
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _PROGRAM, f"{name}/run"], capture_output=True, text=True)
        seconds = time.perf_counter() - began
    result = json.loads(done.stdout)
    peak = json.loads(done.stderr.strip().splitlines()[-1])["peak"]
    evaluations = f"{result['runs']} evaluations of {result['evaluation_seconds']:.0f} s together; ends {result['grade']}"
    return [
        Figure(
            "core memory during a demo", peak / KIBI, "MiB", 100.0, compared="largest resident size of autosota's own process"
        ),
        Figure("`autosota demo`", seconds, "s", 300.0, compared=evaluations),
    ]
