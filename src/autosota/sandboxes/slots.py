"""Numbered places in the scratch folder, each used by one sandbox at a time.

Numbers are reused, lowest first, so that sandboxes opened one after another see the same paths. A slot is held by a file lock,
which ends with its holder: what a killed autosota left in a slot is found and ended by whoever takes it next.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from pathlib import Path

from autosota.errors import MachineError
from autosota.sandboxes import files, processes
from autosota.sandboxes.variables import MARKER

_LEDGER = "processes.json"


class Slot:
    """A private folder. Use as a context manager, or call `release`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self.marker = secrets.token_hex(16)
        self._sessions: list[tuple[int, int]] = []
        self._record()

    def note_session(self, leader: int) -> None:
        """Remember the session led by process `leader` until the slot is released."""
        if (process := processes.look(leader)) is not None:
            self._sessions.append((leader, process.started))
            del self._sessions[:-4]
            self._record()

    def end_processes(self) -> int:
        """SIGKILL whatever was started with this slot's marker or in its sessions; how many there were."""
        return processes.end_marked(MARKER, self.marker, tuple(self._sessions))

    def _record(self) -> None:
        draft = self.folder / f"{_LEDGER}.draft"
        draft.write_text(json.dumps({"marker": self.marker, "sessions": self._sessions}), encoding="ascii")
        draft.rename(self.folder / _LEDGER)

    def release(self) -> None:
        """Remove everything in it and give it back."""
        try:
            _empty(self.folder)
        finally:
            os.close(self._lock)


def take(scratch: Path, kind: str) -> Slot:
    """The lowest free slot of a kind below `scratch`, empty. Raises MachineError if the folder cannot be used."""
    try:
        (scratch / kind).mkdir(parents=True, exist_ok=True)
        for number in range(10_000):
            folder = scratch / kind / str(number)
            folder.mkdir(exist_ok=True, mode=0o755)
            if (lock := _try_lock(folder)) is not None:
                try:
                    _clean(folder)
                    return Slot(folder, lock)
                except BaseException:
                    os.close(lock)
                    raise
    except OSError as error:
        raise MachineError(
            f"cannot use the scratch folder {scratch}: {error.strerror or error}", "free space there or choose another place"
        ) from None
    raise MachineError(f"all slots in {scratch} are taken", "end other runs that use it")


def sweep(scratch: Path) -> int:
    """End processes and remove files that killed runs left in `scratch`; how many processes there were."""
    ended = 0
    for ledger in sorted(scratch.glob(f"*/*/{_LEDGER}")):
        if (lock := _try_lock(ledger.parent)) is not None:
            try:
                ended += _clean(ledger.parent)
            except OSError:
                continue
            finally:
                os.close(lock)
    return ended


def _try_lock(folder: Path) -> int | None:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _clean(folder: Path) -> int:
    ended = 0
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads((folder / _LEDGER).read_text(encoding="ascii"))
        sessions = tuple((int(leader), int(started)) for leader, started in noted["sessions"])
        ended = processes.end_marked(MARKER, str(noted["marker"]), sessions)
    _empty(folder)
    return ended


def _empty(folder: Path) -> None:
    """The ledger goes last: as long as there is anything else, a killed clean-up is taken up again."""
    for name in sorted(os.listdir(folder), key=lambda name: name == _LEDGER):
        if name != "lock":
            files.remove(folder / name)
