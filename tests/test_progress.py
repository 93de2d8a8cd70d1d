"""Progress: plain in a pipe, live on a terminal, silent when quiet, and never the reason why a run fails."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autosota.progress import Live, Plain, Progress, SafeStream
from autosota.records import Experiment, MetricSpec, Result, Verdict, Violation
from tests.report import example_run

METRIC = MetricSpec(name="accuracy", direction="max", primary=True, reported=0.912)


def entry(number: int, status: str, score: float | None, **more: object) -> Experiment:
    values = {"number": number, "parent": 0, "idea": "i", "title": "Tune the optimizer", "level": "PARAM", "step": 1,
              "status": status, "commit": None, "score": score, "measurements": [
                  {"seed": 1, "values": {}, "seconds": 1.0, "cpu_seconds": 1.0, "exit_code": 0}] * 2, **more}  # fmt: skip
    return Experiment.model_validate(values)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    found = example_run.write(tmp_path_factory.mktemp("run")).result()
    assert found is not None
    return found


def story(progress: Progress, result: Result) -> None:
    """A short run."""
    progress.budget(evaluations=60, seconds=7200)
    progress.stage("environment", "building it from requirements.txt")
    progress.stage("baseline")
    progress.evaluated(5)
    progress.baseline(METRIC, mean=0.906, noise=0.005, runs=5)
    progress.stage("search")
    progress.experiment_started(1, "Tune \x1b[31mthe optimizer\nnow")
    progress.experiment(entry(1, "improved", 0.921))
    progress.experiment_started(2, "x" * 500)
    progress.experiment(entry(2, "not_improved", 0.93))
    violation = Violation(red_line="R2", rule="protected-changed", action="reject", evidence="evaluate.py was changed")
    progress.experiment(entry(3, "rejected", None, verdict=Verdict.of((violation,))))
    progress.experiment(entry(4, "failed", None, note="exit code 1"))
    progress.experiment(entry(5, "improved", 0.915))
    progress.note("stopped: nothing left to try")
    progress.result(result)


def test_a_pipe_gets_one_plain_line_per_event(result: Result) -> None:
    stream = io.StringIO()
    with Progress.open(stream) as progress:
        story(progress, result)
    lines = stream.getvalue().splitlines()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", stream.getvalue())
    assert lines[0] == "== environment: building it from requirements.txt"
    assert lines[2] == "   baseline: accuracy 0.9060 ± 0.0050 over 5 seeds, paper 0.912"
    assert lines[4] == "     1 improved      Tune the optimizer: 0.9210 (+0.0150, +3.0 × noise over the baseline), best so far"
    assert lines[6].endswith("rejected      Tune the optimizer: evaluate.py was changed")
    assert lines[7].endswith("failed        Tune the optimizer: exit code 1")
    assert "best so far" not in lines[8]
    assert lines[-1].startswith("   CONFIRMED (guarded): gain +0.0260, 95 % interval")
    assert len(lines) == 11


def test_quiet_says_nothing(result: Result) -> None:
    stream = io.StringIO()
    with Progress.open(stream, quiet=True) as progress:
        story(progress, result)
    assert stream.getvalue() == ""


def test_the_moving_lines_tell_stage_budget_best_and_workers(result: Result) -> None:
    with Progress.open(io.StringIO()) as progress:
        story(progress, result)
        progress.experiment_started(6, "Average the weights")
        lines = progress.status(100)
    assert (
        lines[0].startswith("search · ")
        and "5 experiments" in lines[0]
        and "15 evaluations" in lines[0]
        and "50 left" in lines[0]
    )
    assert "2 h 00 min left" in lines[0] or "1 h 59 min left" in lines[0]
    assert lines[1] == "best 0.9210 (+0.0150, +3.0 × noise), experiment 1"
    assert lines[2].startswith("▸ 6 Average the weights, ")


@pytest.mark.parametrize("width", [0, 12, 40])
def test_moving_lines_fit_a_narrow_terminal(result: Result, width: int) -> None:
    with Progress.open(io.StringIO()) as progress:
        story(progress, result)
        for number in range(7, 30):
            progress.experiment_started(number, "a long title " * 10)
        lines = progress.status(width)
    assert all(len(line) <= max(width, 12) for line in lines) and len(lines) <= 11


class Broken(io.StringIO):
    """A terminal that has gone away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise ValueError("I/O operation on closed file")

    def isatty(self) -> bool:
        raise OSError


def test_a_closed_pipe_never_raises(result: Result) -> None:
    with Progress.open(Broken()) as progress:
        story(progress, result)
    closed = io.StringIO()
    closed.close()
    with Progress.open(closed) as progress:
        progress.note("nobody reads this")


def test_an_encoding_without_the_characters_replaces_them() -> None:
    raw = io.BytesIO()
    with Progress.open(io.TextIOWrapper(raw, encoding="ascii")) as progress:
        progress.note("± 0.005 × noise")
        assert raw.getvalue() == b"   ? 0.005 ? noise\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, display in (("dumb", Plain), ("xterm-256color", Live)):
        monkeypatch.setenv("TERM", name)
        with Progress.open(Terminal()) as progress:
            assert isinstance(progress._display, display)


def test_a_terminal_shows_moving_lines_and_colors_only_where_wanted(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    seen = []
    for variable in (None, "1"):
        if variable:
            monkeypatch.setenv("NO_COLOR", variable)
        stream = Terminal()
        with Progress.open(stream) as progress:
            story(progress, result)
        seen.append(stream.getvalue())
    assert "search · " in seen[0] and "\x1b[32m" in seen[0]
    assert not re.search(r"\x1b\[[\d;]*3[1-7]m", seen[1])
    assert "\x1b[31mthe optimizer" not in seen[0]
    assert seen[0].rstrip().endswith("\x1b[?25h") or seen[0].count("\x1b[?25h") == seen[0].count("\x1b[?25l")


def test_many_threads_report_at_once_without_a_deadlock_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()

    def work(start: int) -> None:
        for number in range(start, start + 50):
            progress.experiment_started(number, "idea")
            progress.experiment(entry(number, "improved", number / 1000))

    with Progress.open(stream) as progress:
        progress.baseline(METRIC, mean=0.1, noise=0.01)
        threads = [threading.Thread(target=work, args=(start,), daemon=True) for start in range(0, 400, 50)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in threads)
        assert progress.status(100)[1].endswith("experiment 399")
    assert stream.getvalue().count("improved") == 400


def test_a_run_survives_that_its_terminal_goes_away(tmp_path: Path) -> None:
    """A real pseudo-terminal, closed while the moving lines are drawn."""
    script = (
        "import sys, time\nfrom autosota.progress import Progress\n"
        "with Progress.open(sys.stderr) as progress:\n"
        "    progress.stage('search')\n    open(sys.argv[1], 'w').close()\n"
        "    while not __import__('os').path.exists(sys.argv[1] + '.gone'): time.sleep(0.02)\n"
        "    for number in range(20):\n        progress.note('still here')\n        time.sleep(0.02)\n"
        "open(sys.argv[1] + '.done', 'w').close()\n"
    )
    ready = tmp_path / "ready"
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(ready)],
        stderr=theirs,
        stdout=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.close(ours)
        Path(f"{ready}.gone").touch()
        assert process.wait(30) == 0
    assert Path(f"{ready}.done").exists()


def test_safe_stream_counts_what_it_was_given() -> None:
    stream = SafeStream(io.StringIO())
    assert stream.write("abc") == 3 and not stream.isatty()
