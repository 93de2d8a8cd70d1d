"""One run of a command, before and after: its seed, when it may be ended early, what its end means."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from autosota import metrics
from autosota.ports import Execution
from autosota.records import Environment, MetricSpec

Hopeless = Callable[[Sequence[float]], bool]
"""Shown the declared progress number so far; True ends the run."""
HOPELESS = "ended early: its progress was hopeless"
_SILENCE = 15.0
"""Seconds after which a command that has delivered its metrics and does not end is ended."""
_TAIL = 2000


def seeded_line(line: str, seed: int, environment: Environment) -> str:
    """The command with its seed: at {seed}, in place of the option's value, or as an option right after the script's name."""
    place = environment.commands.seed
    if place.kind == "option" and place.option and "{seed}" not in line:
        line, count = re.subn(rf"(?<!\S)({re.escape(place.option)})(=|\s+)\S+", r"\1\2{seed}", line)
        if not count:
            script = re.search(r"(\S+\.py|-m\s+[\w.]+)(?=\s|$)", line)
            at = script.end() if script else len(line)
            line = f"{line[:at]} {place.option} {{seed}}{line[at:]}"
    return line.replace("{seed}", str(seed))


def tail(execution: Execution) -> str:
    """The last words of a run, for people and for Fix."""
    return (execution.stdout[-_TAIL // 2 :] + "\n" + execution.stderr[-_TAIL:]).strip()[-_TAIL:]


def ended(execution: Execution) -> str | None:
    """Why a command is no success, in one line; None where it is one."""
    reasons = {
        "timeout": f"ended at the time limit after {execution.seconds:.0f} s",
        "cpu": f"ended at the CPU time limit after {execution.cpu_seconds:.0f} CPU s",
        "memory": "ended at the memory limit",
        "processes": "ended at the limit of processes",
        "output": "ended for printing without end",
        "disk": "ended at the disk limit",
        "stopped": "stopped from outside",
        "error": "the sandbox failed: " + (execution.notes[-1] if execution.notes else "no reason given"),
    }
    if HOPELESS in execution.notes:
        return HOPELESS
    if execution.ended in reasons:
        return reasons[execution.ended]
    if execution.exit_code:
        last = [line for line in execution.stderr.strip().splitlines() if line.strip()]
        return f"exit code {execution.exit_code}" + (f": {last[-1].strip()[:300]}" if last else "")
    return None


class Watch:
    """Looks at a silent command's output: complete metrics end it, and so does hopeless progress."""

    def __init__(
        self, metrics: Sequence[MetricSpec], hopeless: Hopeless | None, progress: Callable[[str], tuple[float, ...]]
    ) -> None:
        self.gave_up = False
        self.quiet = 0.2 if hopeless else _SILENCE
        self._metrics, self._hopeless, self._progress = metrics, hopeless, progress
        self._seen, self._since = "", time.monotonic()

    def __call__(self, stdout: str) -> bool:
        if stdout != self._seen:
            self._seen, self._since = stdout, time.monotonic() - self.quiet
        if self._hopeless is not None and self._hopeless(self._progress(stdout)):
            self.gave_up = True
            return True
        silent = time.monotonic() - self._since >= _SILENCE
        return silent and bool(self._metrics) and metrics.read(self._metrics, stdout=stdout).failure is None
