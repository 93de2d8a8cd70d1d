"""Live progress on stderr: a few moving lines on a terminal, one plain line per event in a pipe, nothing when quiet.

    with Progress.open(sys.stderr) as progress:
        progress.budget(evaluations=60, seconds=7200)
        progress.stage("environment", "building it from requirements.txt")
        progress.baseline(metric, mean=0.906, noise=0.005, runs=5)
        progress.experiment_started(1, "Tune the optimizer")
        progress.experiment(experiment)          # the best so far follows from these
        progress.note("stopped: nothing left to try")

Safe to call from several threads. Whatever happens to the terminal (closed pipe, strange encoding, no size), no method raises.
Text that comes from outside is put on one line, without control characters, and cut.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

from autosota.formats import clip, count, decimals, duration, finite, number, signed

if TYPE_CHECKING:
    from rich.console import Group

    from autosota.records import Experiment, MetricSpec, Result

_STYLES = {"stage": "bold", "good": "green", "bad": "red", "quiet": "dim"}
_STATUSES = {
    "improved": "improved",
    "not_improved": "not improved",
    "failed": "failed",
    "rejected": "rejected",
    "stopped": "stopped early",
}


class Display(Protocol):
    """Where progress is shown."""

    def line(self, text: str, tone: str = "") -> None:
        """A line that stays. `tone`: "", "stage", "good", "bad", "quiet"."""
        ...

    def close(self) -> None: ...


class Progress:
    """What a run is doing now. Made by `open`; every method may be called from any thread and never raises."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._display: Display = Silent()
        self._started = time.monotonic()
        self._metric: MetricSpec | None = None
        self._mean: float | None = None
        self._noise: float | None = None
        self._places: int | None = None
        self._best: tuple[int, float] | None = None
        self._evaluations = 0
        self._experiments = 0
        self._allowed: int | None = None
        self._deadline: float | None = None
        self._stage = ""
        self._detail = ""
        self._running: dict[int, tuple[str, float]] = {}

    @classmethod
    @contextmanager
    def open(cls, stream: IO[str] | None = None, *, quiet: bool = False) -> Iterator[Progress]:
        """Progress on `stream` (default stderr): live on a terminal that is not "dumb", else plain lines; none if quiet."""
        progress = cls()
        target = SafeStream(stream if stream is not None else sys.stderr)
        if not quiet:
            live = target.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
            progress._display = Live(target, progress) if live else Plain(target)
        try:
            yield progress
        finally:
            progress._display.close()

    # ── what happens ──────────────────────────────────────────────────────────────────────────────────────────────────

    def budget(self, *, evaluations: int | None = None, seconds: float | None = None) -> None:
        """What the run may still spend from now on: evaluations of candidates, and seconds of wall time."""
        with self._lock:
            self._allowed = evaluations
            self._deadline = time.monotonic() + seconds if seconds is not None else None

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins."""
        with self._lock:
            self._stage, self._detail = clip(name, 40), clip(detail, 200)
            self._running.clear()
            text = f"{self._stage}: {self._detail}" if self._detail else self._stage
        self._display.line(text, "stage")

    def note(self, text: str) -> None:
        """Something worth a line."""
        if text:
            self._display.line(clip(text, 400), "quiet")

    def baseline(self, metric: MetricSpec, *, mean: float | None, noise: float | None = None, runs: int = 0) -> None:
        """The baseline is known: from now on gains are told in its metric and in units of its noise."""
        with self._lock:
            self._metric, self._mean, self._noise = metric, finite(mean), finite(noise)
            self._places = decimals([self._mean], self._noise)
            text = f"baseline: {clip(metric.name, 60)} {number(self._mean, self._places)}"
            if self._noise is not None:
                text += f" ± {number(self._noise, self._places)}"
            if runs:
                text += f" over {count(runs, 'seed')}"
            if metric.reported is not None:
                text += f", paper {number(metric.reported)}"
        self._display.line(text)

    def evaluated(self, evaluations: int = 1) -> None:
        """Evaluations finished outside experiments (baseline, confirmation): they count, but not against the search's budget."""
        with self._lock:
            self._evaluations += evaluations

    def experiment_started(self, number: int, title: str) -> None:
        """A worker has begun experiment `number`."""
        with self._lock:
            self._running[number] = (clip(title, 120), time.monotonic())

    def experiment(self, experiment: Experiment) -> None:
        """An experiment has ended and is recorded."""
        with self._lock:
            self._running.pop(experiment.number, None)
            self._experiments += 1
            self._evaluations += len(experiment.measurements)
            if self._allowed is not None:
                self._allowed = max(0, self._allowed - len(experiment.measurements))
            text = self._ended(experiment)
        self._display.line(text, _tone(experiment.status))

    def best(self, experiment: int, score: float) -> None:
        """The best so far, where it does not follow from `experiment` (a resumed run)."""
        with self._lock:
            if (known := finite(score)) is not None:
                self._best = (experiment, known)

    def result(self, result: Result) -> None:
        """The run is over."""
        with self._lock:
            self._running.clear()
            text = f"{result.grade or 'CLEAN'} ({result.assurance})"
            if result.gain is not None:
                absolute, low, high = (
                    signed(value, self._places) for value in (result.gain.absolute, result.gain.low, result.gain.high)
                )
                text += f": gain {absolute}, 95 % interval {low} to {high}"
        self._display.line(text, "good" if result.grade in ("CONFIRMED", "DISCLOSE") else "")

    # ── in words ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ended(self, experiment: Experiment) -> str:
        score = finite(experiment.score)
        text = f"{experiment.number:>3} {_STATUSES[experiment.status]:<13} {clip(experiment.title, 80)}"
        if score is not None:
            text += f": {number(score, self._places)}"
            if self._mean is not None and self._metric is not None:
                gain = self._metric.gain(self._mean, score)
                text += f" ({self._gain(gain)} over the baseline)"
        if experiment.status in ("failed", "rejected"):
            violations = experiment.verdict.violations if experiment.verdict else ()
            reason = violations[0].evidence if violations and experiment.status == "rejected" else experiment.note
            text += f": {clip(reason, 160)}" if reason else ""
        if experiment.status == "improved" and score is not None and self._is_best(score):
            self._best = (experiment.number, score)
            text += ", best so far"
        return text

    def _is_best(self, score: float) -> bool:
        if self._best is None or self._metric is None:
            return True
        return self._metric.gain(self._best[1], score) > 0

    def _gain(self, gain: float) -> str:
        return signed(gain, self._places) + (f", {signed(gain / self._noise, 1)} × noise" if self._noise else "")

    def status(self, width: int) -> list[str]:
        """The moving lines, each at most `width` characters: stage with what is left, best so far, what is running."""
        with self._lock:
            now = time.monotonic()
            parts = [self._stage or "starting", duration(now - self._started)]
            if self._experiments:
                parts.append(count(self._experiments, "experiment"))
            if self._evaluations:
                parts.append(count(self._evaluations, "evaluation"))
            if self._allowed is not None:
                parts.append(f"{self._allowed} left")
            if self._deadline is not None:
                parts.append(f"{duration(max(0.0, self._deadline - now))} left")
            lines = [" · ".join(parts)]
            if self._best is not None:
                text = f"best {number(self._best[1], self._places)}"
                if self._mean is not None and self._metric is not None:
                    text += f" ({self._gain(self._metric.gain(self._mean, self._best[1]))})"
                lines.append(f"{text}, experiment {self._best[0]}")
            for key, (title, since) in list(self._running.items())[:8]:
                lines.append(f"▸ {key} {title}, {duration(now - since)}")
            if len(self._running) > 8:
                lines.append(f"▸ and {len(self._running) - 8} more")
            return [clip(line, max(width, 12)) for line in lines]


def _tone(status: str) -> str:
    return {"improved": "good", "failed": "bad", "rejected": "bad"}.get(status, "")


class SafeStream:
    """A text stream that goes silent instead of raising: after a closed pipe, and for characters it cannot encode."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._open = True
        self.encoding = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write what can be written; returns the length of the text in any case."""
        if self._open:
            try:
                self._stream.write(text.encode(self.encoding, "replace").decode(self.encoding))
            except (OSError, ValueError, LookupError):
                self._open = False
        return len(text)

    def flush(self) -> None:
        if self._open:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._open = False

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except (OSError, ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        """The descriptor below; OSError where there is none, as for any stream."""
        return self._stream.fileno()


class Silent:
    """Shows nothing."""

    def line(self, text: str, tone: str = "") -> None: ...

    def close(self) -> None: ...


class Plain:
    """One line per event, no control characters; for pipes, logs and dumb terminals."""

    def __init__(self, stream: SafeStream) -> None:
        self._stream = stream

    def line(self, text: str, tone: str = "") -> None:
        mark = "== " if tone == "stage" else "   "
        self._stream.write(f"{mark}{text}\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class Live:
    """Lines that stay above lines that move, for a terminal. NO_COLOR is respected.

    The drawing thread holds the console's lock and then asks `Progress.status`, so `line` must be called without Progress's lock.
    """

    def __init__(self, stream: SafeStream, progress: Progress) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._progress = progress
        self._console = Console(file=stream, highlight=False, emoji=False, markup=False, force_terminal=True)  # type: ignore[arg-type]
        self._live = RichLive(
            console=self._console,
            get_renderable=self._moving,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _moving(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        lines = self._progress.status(max(20, self._console.width - 2))
        styled = [Text(line, style="bold cyan" if index == 0 else "", no_wrap=True) for index, line in enumerate(lines)]
        return Group(*styled)

    def line(self, text: str, tone: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(text, style=_STYLES.get(tone, "")), soft_wrap=False)

    def close(self) -> None:
        self._live.stop()
