"""What several tests build on: small repositories for this interpreter alone, and the command line as users start it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autosota.records import Commands, Environment, MetricSpec, Recipe, SeedPlace, Zones

ACCURACY = MetricSpec(name="accuracy", direction="max", primary=True)


def recipe() -> Recipe:
    """This interpreter's own environment."""
    return Recipe(digest="own", python=sys.executable, prefix=sys.prefix, paths=tuple({sys.base_prefix, sys.exec_prefix}))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository on disk."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def environment(
    commit: str, *, protected: tuple[str, ...] = (), seed: SeedPlace | None = None, **commands: object
) -> Environment:
    """An environment of this interpreter for one command, or predict and score."""
    place = seed or SeedPlace(kind="placeholder")
    return Environment(
        commit=commit,
        recipe=recipe(),
        commands=Commands.model_validate({"seed": place, **commands}),
        zones=Zones(protected=protected),
    )


# ── the command line ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.stdout)

    def failed(self, code: int, *words: str) -> dict[str, str]:
        """Assert a failure of the contract's form that says `words`; the error object."""
        assert self.code == code, (self.code, self.stdout, self.stderr)
        assert "Traceback" not in self.stderr, self.stderr
        error: dict[str, str] = self.data["error"]
        assert set(self.data) == {"error"}
        assert set(error) == {"kind", "message", "hint"}
        assert error["message"]
        assert error["hint"]
        assert f"autosota: {error['message']}" in self.stderr
        assert f"hint: {error['hint']}" in self.stderr
        for word in words:
            assert word in f"{error['message']} / {error['hint']}", (word, error)
        return error

    def finished(self) -> Any:
        """Assert an end without an error; the object on stdout."""
        assert self.code == 0, (self.code, self.stdout, self.stderr)
        assert "Traceback" not in self.stderr, self.stderr
        assert "error" not in self.data
        return self.data


def _hear_signals() -> None:
    """A test run under `nohup` ignores them, and what it starts would inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass
class CommandLine:
    """Starts `autosota` in processes of its own, with cache, state and scratch below `folder`."""

    folder: Path
    marker: str = field(default_factory=lambda: f"marker_{secrets.token_hex(8)}")
    """Occurs in the command line of what an evaluation starts, if the test puts it there."""

    @property
    def variables(self) -> dict[str, str]:
        """The environment commands get."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        own = {name: str(self.folder / name.lower()) for name in ("AUTOSOTA_CACHE", "AUTOSOTA_STATE")}
        return {**os.environ, **own, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}

    def start(self, *arguments: object, prefix: Sequence[str] = (), **options: Any) -> subprocess.Popen[bytes]:
        """A command under way, leading a process group of its own."""
        words = [*prefix, sys.executable, "-m", "autosota.cli", *map(str, arguments)]
        chosen = {"env": self.variables, "cwd": self.folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                  "stderr": subprocess.PIPE, "start_new_session": True, "preexec_fn": _hear_signals, **options}  # fmt: skip
        return subprocess.Popen(words, **chosen)

    def run(self, *arguments: object, prefix: Sequence[str] = (), **options: Any) -> Ended:
        """A command to its end, and nothing that it started is left."""
        process = self.start(*arguments, prefix=prefix, **options)
        return self.end(process)

    def end(self, process: subprocess.Popen[bytes], seconds: float = 120.0) -> Ended:
        """Wait for a command; nothing that it started is left."""
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert not self.left(), self.left()
        return Ended(process.returncode, (stdout or b"").decode(), (stderr or b"").decode(errors="replace"))

    def measure(self, repository: Path, *arguments: object, command: str = "replicate", **options: Any) -> Ended:
        """`replicate`, or another command, on a repository with this interpreter; the repository is as it was."""
        before = contents(repository)
        ended = self.run(
            command, repository, "--python", sys.executable, "--seeds", 2, "--out", self.folder / "out", "--json", *arguments,
            **options,
        )  # fmt: skip
        assert contents(repository) == before
        return ended

    def left(self) -> list[str]:
        """Command lines of processes that carry the marker; the kernel gets a moment to finish off what was killed."""
        deadline = time.monotonic() + 5.0
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _marked(self) -> list[str]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if self.marker in line and "autosota.cli" not in line:
                        found.append(line)
        return found

    def ledger(self) -> list[dict[str, Any]]:
        """What is recorded as measured."""
        path = self.folder / "out" / "measurements.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Everything below a folder: path → mode, and digest or target."""
    found = {}
    for place, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            status = os.lstat(path)
            text = os.readlink(path) if os.path.islink(path) else b""
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    text = hashlib.file_digest(file, "sha256").digest()
            found[repr(path)] = (status.st_mode, text.hex())
    return found
