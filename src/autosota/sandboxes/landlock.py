from pathlib import Path

from autosota.errors import MachineError


class LandlockExecutor:
    def __init__(self, scratch: Path, groups: bool = True) -> None:
        raise MachineError("todo")
