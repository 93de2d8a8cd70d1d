"""Evaluations that print nonsense, never end, fork, fill the disk or fight back: a message, a ledger, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine, Ended

TASK = '[evaluation]\ntimeout = "{seconds}s"\n[budget]\nprocesses = 40\ndisk = "20MB"\nmemory = "300MB"\n'
CHILD = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{marker}']{more})\n"


def measured(autosota: CommandLine, code: str, *flags: object, seconds: float = 60, command: str = "replicate") -> Ended:
    """`replicate` on a repository of one script."""
    script = f"evaluate_{autosota.marker}.py"
    files = {script: code.replace("{marker}", autosota.marker), "autosota.toml": TASK.format(seconds=seconds)}
    folder = kit.write(autosota.folder / "repository", files)
    return autosota.measure(folder, "--eval", f"python {script}", "--metric", "accuracy:max", *flags, command=command)


@pytest.mark.parametrize(
    "code, exit_code, words",
    [
        ("pass", 1, "printed no number with a name"),
        ("print('accuracy: 0.5')\nprint('accuracy: 0.7')", 2, "section"),
        ("print('accuracy: nan')", 1, "NaN"),
        ("print('accuracy:', -float('inf'))", 1, "infinite"),
        ("print('accuracy: high')", 1, "accuracy"),
        ("print('loss: 0.5')", 2, "`loss`"),
        ("raise SystemExit(3)", 1, "exit code 3"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os\nos.abort()", 1, "Aborted"),
        ("import sys\nsys.exit('no data here')", 1, "no data here"),
        ("def f(:", 1, "SyntaxError"),
    ],
)
def test_no_usable_metric(autosota: CommandLine, code: str, exit_code: int, words: str) -> None:
    measured(autosota, code).failed(exit_code, words)


@pytest.mark.parametrize(
    "code, value",
    [
        ("print('accuracy: 1')", 1.0),
        ("print('accuracy: 0.5')\nraise SystemExit(7)", 0.5),
        ("print('accuracy: 0.5', flush=True)\nimport os\nos.kill(os.getpid(), 9)", 0.5),
        ("import sys\nsys.stdout.buffer.write(b'\\xff\\xfe\\x00\\nAccuracy = 0.5\\n')", 0.5),
        ("print('\\x1b[32maccuracy: 0.5\\x1b[0m')", 0.5),
        ("import shutil, os\nshutil.rmtree(os.getcwd(), ignore_errors=True)\nprint('accuracy: 0.5')", 0.5),
        ("import sys\nassert sys.stdin.read() == ''\nprint('accuracy: 0.5')", 0.5),
    ],
)
def test_odd_but_usable(autosota: CommandLine, code: str, value: float) -> None:
    data = measured(autosota, code).finished()
    assert data["metrics"][0]["mean"] == value
    assert [line["values"] for line in autosota.ledger()] == [{"accuracy": value}] * 2


@pytest.mark.parametrize("more", ["", ", start_new_session=True"])
def test_children_left_running(autosota: CommandLine, more: str) -> None:
    assert measured(autosota, CHILD.replace("{more}", more) + "print('accuracy: 0.5')").finished()["metrics"][0]["mean"] == 0.5


def test_daemon_by_two_forks(autosota: CommandLine) -> None:
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1); os.close(2)
        time.sleep(600)
    os._exit(0)
print("accuracy: 0.5")
"""
    measured(autosota, code).finished()


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock", "local"])
def test_never_ends(autosota: CommandLine, sandbox: str) -> None:
    code = CHILD.replace("{more}", "") + "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    measured(autosota, code, "--sandbox", sandbox, seconds=2).failed(1, "time limit", "timeout")


def test_never_ends_after_its_metric(autosota: CommandLine) -> None:
    """It has delivered, but it keeps talking: at the time limit that is a failure, not a number."""
    code = (
        "import time\nprint('accuracy: 0.5', flush=True)\nwhile True:\n    print('still here', flush=True)\n    time.sleep(0.1)"
    )
    measured(autosota, code, seconds=2).failed(1, "time limit")


@pytest.mark.slow  # the quiet time after complete metrics has to pass three times
def test_silent_after_its_metric(autosota: CommandLine) -> None:
    code = "import time\nprint('accuracy: 0.5', flush=True)\ntime.sleep(600)"
    assert measured(autosota, code, seconds=300).finished()["metrics"][0]["mean"] == 0.5


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock", "local"])
def test_forks_endlessly(autosota: CommandLine, sandbox: str) -> None:
    code = """
import os, time
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.05)
"""
    measured(autosota, code, "--sandbox", sandbox, seconds=4).failed(1, "limit")


def test_fills_the_disk(autosota: CommandLine) -> None:
    code = """
import time
with open("big", "wb") as file:
    for _ in range(400):
        file.write(bytes(10**6)); file.flush(); time.sleep(0.02)
print("accuracy: 0.5")
"""
    measured(autosota, code).failed(1, "disk")


def test_fills_the_memory(autosota: CommandLine) -> None:
    code = """
import time
heap = []
for _ in range(200):
    heap.append(bytearray(10**7)); time.sleep(0.02)
print("accuracy: 0.5")
"""
    measured(autosota, code).failed(1, "emory")


def test_a_gigabyte_of_words(autosota: CommandLine) -> None:
    """The beginning and the end are read, the rest is dropped as it comes."""
    code = """
import sys
lines = (b"x" * 999 + bytes([10])) * 1000
for _ in range(1000):
    sys.stdout.buffer.write(lines)
print("accuracy: 0.5")
"""
    ended = measured(autosota, code, "--seeds", 2)
    if ended.code == 0:
        assert ended.data["metrics"][0]["mean"] == 0.5
    else:
        ended.failed(1, "printing without end")


def test_fails_on_some_seeds(autosota: CommandLine) -> None:
    code = """
import os
if int(os.environ["AUTOSOTA_SEED"]) // 4 % 3 == 0:
    raise SystemExit("bad luck")
print("accuracy: 0.5")
"""
    data = measured(autosota, code, "--seeds", 8).finished()
    lines = autosota.ledger()
    assert len(lines) == 8
    failed = [line for line in lines if line["failure"]]
    assert all(line["seed"] // 4 % 3 == 0 and "bad luck" in line["failure"] for line in failed)
    assert data["metrics"][0]["mean"] == 0.5


def test_candidates_that_break(autosota: CommandLine) -> None:
    """Every change of the only setting crashes: experiments fail, the run ends with a result."""
    code = """
RATE = 0.25
if RATE != 0.25:
    raise SystemExit("no other rate is possible")
print("accuracy:", 1 - RATE)
"""
    data = measured(autosota, code, "--trials", 3, command="run").finished()
    assert data["grade"] == "UNCONFIRMED"
    assert data["experiments"]["improved"] == 0


def test_work_folder_is_taken_away(autosota: CommandLine, tmp_path: Path) -> None:
    """Removing every file and right that can be removed hurts nobody outside the sandbox."""
    code = """
import os, subprocess
subprocess.run("chmod -R 000 . ; rm -rf .* * /tmp/* /outputs $HOME", shell=True, capture_output=True)
print("accuracy: 0.5")
"""
    measured(autosota, code).finished()
    assert list((tmp_path / "scratch").glob("autosota-*/*")) == []
