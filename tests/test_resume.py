"""Killed at any moment, the same command continues: nothing finished is lost or repeated, and the result is the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from autosota.store import EXPERIMENTS, MEASUREMENTS, SECRET, Store
from tests import kit
from tests.agents.test_scheduler import JUDGE, TRAIN

PAPER = """\
# Tuning by hand

## Abstract

We report the accuracy of one model. Code: ./repository

## Results

Table 1: Results.

| Method | Accuracy |
|---|---|
| Ours | 0.68 |
"""

TASK = """\
[[metric]]
name = "accuracy"
direction = "max"
primary = true
[[metric]]
name = "cpu_seconds"  # of a fraction of a second each: the clock must not decide what is compared here
direction = "min"
margin = 100.0
"""


def _command(folder: Path, out: str) -> list[str]:
    command = f"{sys.executable} -m autosota.cli run {folder}/paper.md {folder}/repository --out {folder}/{out} --sandbox local"
    command += f" --protect judge.py --python {sys.executable} --trials 8 --seeds 3 --json"
    return [*command.split(), "--eval", "python train.py --seed {seed}"]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "AUTOSOTA_CACHE": str(folder / "cache"), "AUTOSOTA_STATE": str(folder / "state"), "TMPDIR": str(folder)}


def _start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _command(folder, out), env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _essence(folder: Path) -> dict[str, object]:
    """A run without its clock."""
    result = json.loads((folder / "08-result.json").read_text())
    for name in ("run", "seconds", "evaluation_seconds", "evaluation_cpu_seconds", "secondary"):
        del result[name]
    lines = [json.loads(line) for line in (folder / EXPERIMENTS).read_text().splitlines()]
    return {
        "result": result,
        "experiments": [(e["number"], e["parent"], e["idea"], e["setting"], e["status"], e["score"], e["commit"]) for e in lines],
        "patch": (folder / "best.patch").read_text() if (folder / "best.patch").exists() else None,
        "measured": sorted((m.commit, m.seed, m.purpose, m.values["accuracy"]) for m in Store(folder).measurements()),
    }


def _campaign(tmp_path: Path, kills: int, seed: int) -> None:
    kit.write(
        tmp_path,
        {"paper.md": PAPER, "repository/train.py": TRAIN, "repository/judge.py": JUDGE, "repository/autosota.toml": TASK},
    )
    began = time.monotonic()
    whole = _start(tmp_path, "whole")
    output, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, output
    length = time.monotonic() - began
    expected, dice, killed, rounds = _essence(tmp_path / "whole"), random.Random(seed), 0, 0
    while killed < kills:
        folder = tmp_path / f"cut{rounds}"
        folder.mkdir()
        shutil.copy(tmp_path / "whole" / SECRET, folder / SECRET)
        while True:
            process = _start(tmp_path, folder.name)
            try:
                process.communicate(timeout=dice.uniform(0.2, length * 0.5) if killed < kills else 300)
                assert process.returncode == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
                _check_ledger(folder)
        assert _essence(folder) == expected
        shutil.rmtree(folder)
        rounds += 1


def _check_ledger(folder: Path) -> None:
    """Every complete line is a finished evaluation, none twice; the chain holds."""
    if (folder / MEASUREMENTS).exists():
        keys = Counter((m.commit, m.seed, m.purpose, m.arm) for m in Store(folder).measurements())
        assert not keys or max(keys.values()) == 1


def test_a_run_killed_a_few_times_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    _campaign(tmp_path, kills=6, seed=1)


@pytest.mark.slow  # 200 kills of whole runs take several minutes
def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    _campaign(tmp_path, kills=200, seed=2)


def test_no_process_of_a_killed_run_survives_the_next_start(tmp_path: Path) -> None:
    marker = f"never-ends-{os.getpid()}"
    kit.write(tmp_path, {
        "paper.md": PAPER, "repository/judge.py": JUDGE, "repository/autosota.toml": TASK,
        "repository/train.py": f"import os, sys, time\nif not os.path.exists({str(tmp_path / 'calm')!r}):\n"
                               f"    open({str(tmp_path / marker)!r}, 'w').close()\n    time.sleep(600)\n" + TRAIN,
    })  # fmt: skip
    process = _start(tmp_path, "run")
    deadline = time.monotonic() + 60
    while not (tmp_path / marker).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    (tmp_path / "calm").touch()
    again = _start(tmp_path, "run")
    again.communicate(timeout=300)
    assert again.returncode == 0
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in "\n".join(line for line in running.splitlines() if "train.py" in line)
