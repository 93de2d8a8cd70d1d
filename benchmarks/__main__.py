"""All figures by one command.

    python -m benchmarks [NAME …]        overhead startup install demo workers choosing ledger models gains
    python -m benchmarks gains [EXAMPLE …] [--repeats N] [--trials N]

Prints a table of figures with their targets and what they are compared with; without names everything, `gains` last, which takes
longest. Figures of time are worth something on a quiet machine only: its load is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from benchmarks import figure

NAMES = ("overhead", "startup", "install", "demo", "workers", "choosing", "ledger", "models")


def measure(name: str) -> list[figure.Figure]:
    """The figures of one benchmark."""
    from benchmarks import choosing, demo, install, ledger, models, overhead, startup, workers

    known: dict[str, Callable[[], list[figure.Figure]]] = {
        "overhead": overhead.figures, "startup": startup.measure, "install": install.measure, "demo": demo.measure,
        "workers": workers.measure, "choosing": choosing.measure, "ledger": ledger.figures, "models": models.measure,
    }  # fmt: skip
    return known[name]()


def main(arguments: list[str]) -> int:
    """Run what is named and print."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments[:1] == ["gains"]:
        from benchmarks import gains

        gains.main(arguments[1:])
        return 0
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; choose from {', '.join((*NAMES, 'gains'))}", file=sys.stderr)
        return 2
    print(figure.machine(), end="\n\n")
    print(figure.HEAD, flush=True)
    for name in arguments or NAMES:
        for found in measure(name):
            print(found.row(), flush=True)
    if not arguments:
        from benchmarks import gains

        print(flush=True)
        gains.main([])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
