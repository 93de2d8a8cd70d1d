"""What a sandbox shows of the machine."""

from __future__ import annotations

from pathlib import Path

from autosota.sandboxes import view


def test_accelerators_are_the_devices_that_are_there(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "null", "sda", "kfd"):
        (tmp_path / name).touch()
    (tmp_path / "dri").mkdir()
    found = [Path(name).name for name in view.accelerators(tmp_path)]
    assert found == ["dri", "kfd", "nvidia-uvm", "nvidia0", "nvidiactl"]
