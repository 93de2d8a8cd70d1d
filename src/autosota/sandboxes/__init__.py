"""Where untrusted commands run: executors behind the port of that name, best first.

bubblewrap shows the tree through overlays in its own namespaces; landlock takes rights away from a process on a copy; local
isolates nothing; docker asks a container engine, and is used only when named. All hold commands to the same limits
(`limits.py`) and leave no process behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autosota.errors import MachineError, UsageError
from autosota.ports import Executor
from autosota.sandboxes.bubblewrap import BubblewrapExecutor
from autosota.sandboxes.docker import DockerExecutor
from autosota.sandboxes.landlock import LandlockExecutor
from autosota.sandboxes.limits import interrupt, resume
from autosota.sandboxes.local import LocalExecutor

__all__ = ["Capability", "capabilities", "executors", "interrupt", "open_executor", "resume"]
_Maker = type[BubblewrapExecutor] | type[LandlockExecutor] | type[LocalExecutor] | type[DockerExecutor]
_MAKERS: Mapping[str, _Maker] = {"bubblewrap": BubblewrapExecutor, "landlock": LandlockExecutor, "local": LocalExecutor}
"""Best first."""
_NAMED: Mapping[str, _Maker] = {"docker": DockerExecutor}
"""Never chosen by themselves."""
_ALWAYS_HARD = ("time", "cpu", "output")
_HARD_IN_GROUPS = ("memory", "processes")
_SOFT = ("disk",)


@dataclass(frozen=True)
class Capability:
    """What one executor can do on this machine."""

    name: str
    available: bool
    isolated: bool
    hard: tuple[str, ...]
    """Limits that no command can outrun: the kernel holds them, or what is counted cannot be hidden."""
    soft: tuple[str, ...]
    """Limits held by looking every fifth of a second: a command can be over them for that long."""
    reason: str
    """How it runs here; for one that is not available why not."""
    hint: str
    """How to get it, or how to make its soft limits hard; empty if there is nothing to gain."""


def executors(scratch: Path) -> list[Executor]:
    """Every executor that really starts here, best first; each was probed by running a command."""
    found: list[Executor] = []
    for make in _MAKERS.values():
        try:
            found.append(make(scratch))
        except MachineError:
            continue
    return found


def open_executor(name: str | None, scratch: Path) -> Executor:
    """The executor of that name, or the best where it is None. Ends processes that killed runs left in `scratch`.
    `docker:IMAGE` names the image whose system is shown instead of this machine's.

    Raises UsageError for an unknown name and MachineError for one that does not start here, each with a hint.
    """
    if name is not None:
        kind, _, image = name.partition(":")
        known = {**_MAKERS, **_NAMED}
        if kind not in known or (image and kind != "docker"):
            raise UsageError(f"unknown sandbox: {name!r}", f"choose one of {', '.join(known)}, docker:IMAGE")
        return DockerExecutor(scratch, image=image or None) if kind == "docker" else known[kind](scratch)
    for make in _MAKERS.values():
        try:
            return make(scratch)
        except MachineError:
            continue
    raise MachineError("no sandbox starts on this machine", "`autosota doctor` says what is missing")


def capabilities(scratch: Path) -> list[Capability]:
    """What each executor can do here, or why it cannot, best first."""
    return [_capability(name, make, scratch) for name, make in {**_MAKERS, **_NAMED}.items()]


def _capability(name: str, make: _Maker, scratch: Path) -> Capability:
    try:
        executor = make(scratch)
    except MachineError as error:
        return Capability(name, False, make.isolated, (), (), error.message, error.hint)
    hard = _ALWAYS_HARD + (_HARD_IN_GROUPS if executor.groups else ())
    soft = _SOFT + (() if executor.groups else _HARD_IN_GROUPS)
    hint = "" if executor.groups else "limits on memory and processes become hard where control groups can be made"
    return Capability(name, True, executor.isolated, hard, soft, executor.description, hint)
