"""What a killed autosota leaves behind is ended and removed by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autosota.errors import MachineError, UsageError
from autosota.sandboxes import capabilities, executors, open_executor, processes, slots

SCRIPT = """
import sys
from pathlib import Path
from autosota.ports import Command, Tree
from autosota.records import Recipe
from autosota.sandboxes import open_executor
name, scratch, base, line = sys.argv[1:]
with open_executor(name, Path(scratch)).open(Tree(Path(base)), recipe=Recipe(digest="", python="", prefix="")) as sandbox:
    sandbox.run(Command(line))
"""


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while (process := processes.look(pid)) is not None and process.state not in "ZX":
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def with_command_line(marker: str) -> list[processes.Process]:
    found = []
    for process in processes.everything():
        try:
            if marker.encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0"):
                found.append(process)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("name", ["bubblewrap", "landlock", "local", pytest.param("docker", marks=pytest.mark.live)])
@pytest.mark.parametrize("with_launcher", [False, True])
def test_processes_of_a_killed_run_end(name: str, with_launcher: bool, tmp_path: Path) -> None:
    try:
        open_executor(name, tmp_path / "probe")
    except MachineError as error:
        pytest.skip(error.message)
    scratch, base = tmp_path / "scratch", tmp_path / "base"
    base.mkdir()
    marker = f"4{os.getpid()}{time.time_ns() % 10**8}"
    line = f"echo left > left; trap '' TERM HUP; setsid sleep {marker} & sleep {marker}"
    host = subprocess.Popen([sys.executable, "-c", SCRIPT, name, scratch, base, line])
    deadline = time.monotonic() + 30
    while len(found := with_command_line(marker)) < 2:
        assert host.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    children = [process.pid for process in processes.everything() if process.parent == host.pid]
    host.send_signal(signal.SIGKILL)
    if with_launcher:
        for child in children:
            os.kill(child, signal.SIGKILL)
    host.wait()
    executor = open_executor(name, scratch)
    for process in found:
        wait_until_gone(process.pid)
    assert not list(scratch.glob(f"{executor.name}/*/workspace"))
    assert not list(scratch.glob(f"{executor.name}/*/upper"))


def test_slots_are_reused_lowest_first(tmp_path: Path) -> None:
    first, second = slots.take(tmp_path, "kind"), slots.take(tmp_path, "kind")
    assert [slot.folder.name for slot in (first, second)] == ["0", "1"]
    (first.folder / "file").write_text("x")
    first.release()
    again = slots.take(tmp_path, "kind")
    assert again.folder == first.folder
    assert not (again.folder / "file").exists()
    again.release()
    second.release()


def test_a_sweep_leaves_slots_in_use_alone(tmp_path: Path) -> None:
    slot = slots.take(tmp_path, "kind")
    (slot.folder / "file").write_text("x")
    sleeper = subprocess.Popen(["sleep", "60"], env={"AUTOSOTA_RUN": slot.marker})
    try:
        assert slots.sweep(tmp_path) == 0
        assert (slot.folder / "file").exists()
        assert sleeper.poll() is None
        assert slot.end_processes() == 1
        assert sleeper.wait(30) == -signal.SIGKILL
    finally:
        sleeper.kill()
        slot.release()


def test_processes_with_another_marker_are_not_ended() -> None:
    sleeper = subprocess.Popen(["sleep", "60"], env={"AUTOSOTA_RUN": "theirs"})
    try:
        assert processes.end_marked("AUTOSOTA_RUN", "mine", ((sleeper.pid, 1 << 60),)) == 0
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_an_unusable_scratch_folder_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError):
        slots.take(tmp_path / "file", "kind")


def test_the_best_comes_first_and_names_choose(tmp_path: Path) -> None:
    names = [executor.name for executor in executors(tmp_path)]
    chosen_by_name_only = {"docker"}
    able = [capability.name for capability in capabilities(tmp_path) if capability.available]
    assert names == [name for name in able if name not in chosen_by_name_only]
    assert names[-1] == "local"
    assert open_executor(None, tmp_path).name == names[0]
    assert open_executor("local", tmp_path).name == "local"
    with pytest.raises(UsageError) as raised:
        open_executor("virtual", tmp_path)
    assert "local" in raised.value.hint
