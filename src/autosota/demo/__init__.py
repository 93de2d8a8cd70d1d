"""The bundled paper and repository of `autosota demo`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any


def flags() -> dict[str, Any]:
    """What the demo adds to the flags given: its paper, which names its repository, and two workers where there are two cores.

    It goes on from whatever baseline it measures: five seeds of a noisy method miss the paper's mean now and then, and the result
    then says so by its label.
    """
    import os

    folder = Path(str(files("autosota.demo")))
    return {"paper": str(folder / "paper.pdf"), "workers": min(2, os.cpu_count() or 1), "from_here": True}
