"""Interrupted in the middle: an end at once, exit code 130, nothing running, and the same command goes on."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine

CODE = """
import os, subprocess, sys, time
RATE = 0.25
gate = os.environ.get("GATE", "")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{marker}"], start_new_session=True)
open("begun", "w").close()
if int(os.environ["AUTOSOTA_SEED"]) % 4 == 1 and os.environ["AUTOSOTA_SEED"] != "20260101" and os.path.exists("slow"):
    time.sleep(600)
print("accuracy:", 1 - RATE)
"""
"""Fast in the baseline; on the seeds of the search it takes ten minutes as long as there is a file `slow`."""


def start(autosota: CommandLine, folder: Path, *more: object) -> subprocess.Popen[bytes]:
    """A run that will hang in its search."""
    return autosota.start(
        "run", folder, "--python", sys.executable, "--seeds", 2, "--trials", 2, "--out", autosota.folder / "out", "--json",
        "--eval", f"python evaluate_{autosota.marker}.py", "--metric", "accuracy:max", *more,
    )  # fmt: skip


def wait_for_search(autosota: CommandLine, process: subprocess.Popen[bytes]) -> None:
    """Until the baseline is in the ledger and the hanging evaluation runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        done = autosota.folder / "out" / "protocol.toml"
        if done.exists() and len(autosota.ledger()) >= 2 and autosota._marked():
            return
        time.sleep(0.02)
    raise AssertionError(process.communicate(timeout=5))


@pytest.mark.parametrize(
    "number, sandbox, workers",
    [
        (signal.SIGINT, "bubblewrap", 1),
        (signal.SIGTERM, "bubblewrap", 2),
        (signal.SIGINT, "local", 2),
        (signal.SIGTERM, "landlock", 1),
        (signal.SIGHUP, "local", 1),
    ],
)
def test_interrupted_and_resumed(autosota: CommandLine, number: int, sandbox: str, workers: int) -> None:
    script = f"evaluate_{autosota.marker}.py"
    folder = kit.write(autosota.folder / "repository", {script: CODE.replace("{marker}", autosota.marker), "slow": ""})
    flags = ("--sandbox", sandbox, "--workers", workers)
    process = start(autosota, folder, *flags)
    wait_for_search(autosota, process)
    os.kill(process.pid, number)
    ended = autosota.end(process, seconds=30)
    error = ended.failed(130, "interrupted")
    assert error["kind"] == "interrupted"
    before = autosota.ledger()
    assert [line["purpose"] for line in before] == ["noise", "noise"]
    assert (autosota.folder / "out" / "report.md").exists()
    assert list((autosota.folder / "scratch").glob("autosota-*/*")) == []


def test_resumed_after_an_interruption(autosota: CommandLine) -> None:
    """What finished is not measured again."""
    code = CODE.replace("{marker}", autosota.marker).replace("time.sleep(600)\nprint", "time.sleep(1.5)\nprint")
    script = f"evaluate_{autosota.marker}.py"
    folder = kit.write(autosota.folder / "repository", {script: code, "slow": ""})
    process = start(autosota, folder)
    wait_for_search(autosota, process)
    process.send_signal(signal.SIGTERM)
    autosota.end(process, seconds=30).failed(130)
    before = autosota.ledger()
    autosota.end(start(autosota, folder)).finished()
    after = autosota.ledger()
    assert after[: len(before)] == before
    keys = [(line["commit"], line["seed"], line["purpose"], line["arm"]) for line in after]
    assert len(set(keys)) == len(keys)


def test_signal_before_anything_happened(autosota: CommandLine) -> None:
    """In the first moments, too, there is no traceback."""
    folder = kit.write(autosota.folder / "repository", {"evaluate.py": "import time\ntime.sleep(600)\n"})
    process = autosota.start("run", folder, "--python", sys.executable, "--out", autosota.folder / "out", "--json")
    deadline = time.monotonic() + 60
    while not (autosota.folder / "out" / "run.toml").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    autosota.end(process, seconds=30).failed(130, "interrupted")


def test_out_in_use(autosota: CommandLine) -> None:
    folder = kit.write(autosota.folder / "repository", {"evaluate.py": "print('accuracy: 0.5')\n"})
    autosota.measure(folder).finished()
    hold = os.open(autosota.folder / "out" / ".lock", os.O_RDWR)
    try:
        fcntl.flock(hold, fcntl.LOCK_EX)
        autosota.measure(folder).failed(2, "another process", "--out")
    finally:
        os.close(hold)
