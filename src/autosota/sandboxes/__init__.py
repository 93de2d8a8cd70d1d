"""Where untrusted commands run: executors behind the port of that name, best first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autosota.errors import MachineError, UsageError
from autosota.ports import Executor
from autosota.sandboxes.bubblewrap import BubblewrapExecutor
from autosota.sandboxes.landlock import LandlockExecutor
from autosota.sandboxes.local import LocalExecutor

_MAKERS: dict[str, Callable[[Path], Executor]] = {
    "bubblewrap": BubblewrapExecutor,
    "landlock": LandlockExecutor,
    "local": LocalExecutor,
}
"""Best first."""


def executors(scratch: Path) -> list[Executor]:
    """Every executor that really starts here, best first; each was probed by running a command."""
    found = []
    for make in _MAKERS.values():
        try:
            found.append(make(scratch))
        except MachineError:
            continue
    return found


def open_executor(name: str | None, scratch: Path) -> Executor:
    """The executor of that name, or the best where it is None. Ends processes that killed runs left in `scratch`.

    Raises UsageError for an unknown name and MachineError for one that does not start here, each with a hint.
    """
    if name is not None and name not in _MAKERS:
        raise UsageError(f"unknown sandbox: {name!r}", f"choose one of {', '.join(_MAKERS)}")
    if name is not None:
        return _MAKERS[name](scratch)
    found = executors(scratch)
    if not found:
        raise MachineError("no sandbox starts on this machine", "`autosota doctor` says what is missing")
    return found[0]
