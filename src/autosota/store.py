"""The run directory (architecture, section 9): whole files are drafted and renamed, lists are appended and flushed.

The measurement ledger is hash-chained: each line holds the sha256 of the line before. A torn last line, left by a kill or a
full disk, is cut before the next append; a broken chain is an error that names the line.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from autosota.errors import StageError, UsageError
from autosota.records import (
    Analysis,
    Baseline,
    Change,
    Environment,
    Experiment,
    Idea,
    Measurement,
    Purpose,
    Record,
    Result,
    Rubric,
    Task,
    Verdict,
)

R = TypeVar("R", bound=Record)

FILES: dict[type[Record], str] = {
    Task: "01-task.json",
    Rubric: "02-rubric.json",
    Environment: "03-environment.json",
    Baseline: "04-baseline.json",
    Analysis: "05-analysis.json",
    Result: "08-result.json",
}
CONFIG, IDEAS, MEASUREMENTS, EXPERIMENTS = "run.toml", "06-ideas.jsonl", "measurements.jsonl", "07-experiments.jsonl"
PROTOCOL, PATCH, NOTES, USAGE, SECRET = "protocol.toml", "best.patch", "notes.md", "usage.jsonl", "secret"
ATTEMPTS, ITEMS, PREDICTIONS, WITHHELD = "attempts.jsonl", "items", "predictions", "withheld.key"
HISTORY, VAULT, OPTIMIZED, RESOURCES, PROMPTS = "history.git", "vault", "optimized", "resources", "prompts"
PROBED = "probed"
_KEPT = 64 * 2**20
FIRST = "0" * 64
"""What the first ledger line holds as the hash of the line before."""


class IdeaLine(Record):
    """A line of 06-ideas.jsonl."""

    idea: Idea
    verdict: Verdict | None = None


class Store:
    """One run's records. Safe to append to from several threads of one process; `lock` keeps other processes out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._ledger: list[Measurement] | None = None
        self._index: dict[tuple[str, int, str, str], Measurement] = {}
        self._last = FIRST
        self._hold: int | None = None

    # ── whole files ───────────────────────────────────────────────────────────────────────────────────────────────────

    def task(self) -> Task | None:
        return self._load(Task)

    def rubric(self) -> Rubric | None:
        return self._load(Rubric)

    def environment(self) -> Environment | None:
        return self._load(Environment)

    def baseline(self) -> Baseline | None:
        return self._load(Baseline)

    def analysis(self) -> Analysis | None:
        return self._load(Analysis)

    def result(self) -> Result | None:
        return self._load(Result)

    def config(self) -> dict[str, Any]:
        """run.toml, or an empty table."""
        try:
            return tomllib.loads((self.folder / CONFIG).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.folder / CONFIG} cannot be read: {error}", "start a new run with another --out") from None

    def save(self, record: Record) -> None:
        """Write a stage's record under its name."""
        self.write(FILES[type(record)], record.model_dump_json(indent=2) + "\n")

    def write(self, name: str, text: str) -> Path:
        """Write a whole text file: drafted, flushed, renamed."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return path

    def keep(self, folder: str, change: Change) -> None:
        """Write one file below a private folder of the run (the vault), whole or not at all; safe from several threads.

        Raises StageError for a path that would lie elsewhere.
        """
        path = self.folder / folder / change.path
        if ".." in path.parts or not path.is_relative_to(self.folder / folder):
            raise StageError(f"a path outside the {folder}: {change.path!r}", "paths are relative to the repository's root")
        with self._lock:
            (self.folder / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            draft.write_bytes(change.content or b"")
            draft.replace(path)

    def keep_predictions(self, commit: str, seed: int, arm: str, outputs: Mapping[str, bytes]) -> None:
        """Keep what a confirmation run predicted, so that it can be scored again; more than 64 MB of one run is not kept."""
        if sum(map(len, outputs.values())) <= _KEPT:
            for name, content in outputs.items():
                self.keep(PREDICTIONS, Change(path=f"{_run_name(commit, seed, arm)}/{name}", content=content))

    def predictions(self, line: Measurement) -> dict[str, bytes]:
        """What a confirmation run predicted: output name → content; empty where nothing was kept."""
        folder = self.folder / PREDICTIONS / _run_name(line.commit, line.seed, line.arm)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def keep_probed(self, line: Measurement, files: Mapping[str, bytes]) -> None:
        """Keep the files that a probe's run left behind, before its line is appended: a finished probe is not run again."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("names", json.dumps(list(files)))
            for number, content in enumerate(files.values()):
                archive.writestr(str(number), content)
        self.keep(PROBED, Change(path=_probed_name(line), content=stream.getvalue()))

    def probed(self, line: Measurement) -> dict[str, bytes] | None:
        """The files of a probe's run; None where they were not kept or cannot be read."""
        try:
            with zipfile.ZipFile(self.folder / PROBED / _probed_name(line)) as archive:
                names = json.loads(archive.read("names"))
                return {name: archive.read(str(number)) for number, name in enumerate(names)}
        except (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError):
            return None

    def _load(self, kind: type[R]) -> R | None:
        path = self.folder / FILES[kind]
        try:
            return kind.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            first = str(error).splitlines()[0]
            raise StageError(f"{path} cannot be read: {first}", "mend or delete the file: the stage then runs again") from None

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def ideas(self) -> list[tuple[Idea, Verdict | None]]:
        """Every idea with its latest verdict, in the order they came."""
        found: dict[str, IdeaLine] = {}
        for line in self._lines(IDEAS):
            entry = self._parse(IdeaLine, IDEAS, line)
            found[entry.idea.id] = entry
        return [(entry.idea, entry.verdict) for entry in found.values()]

    def experiments(self) -> list[Experiment]:
        return [self._parse(Experiment, EXPERIMENTS, line) for line in self._lines(EXPERIMENTS)]

    def measurements(self) -> list[Measurement]:
        """The ledger, its chain checked. Raises StageError where it is broken."""
        with self._lock:
            return list(self._read_ledger())

    def head(self) -> str:
        """sha256 of the ledger's last line: what the next one will name."""
        with self._lock:
            self._read_ledger()
            return self._last

    def append_idea(self, idea: Idea, verdict: Verdict | None) -> None:
        self._append(IDEAS, IdeaLine(idea=idea, verdict=verdict).model_dump_json())

    def append_experiment(self, experiment: Experiment) -> None:
        self._append(EXPERIMENTS, experiment.model_dump_json())

    def append_measurement(self, measurement: Measurement) -> Measurement:
        """Chain and append; the line is on disk when this returns. Returns the record as written."""
        with self._lock:
            self._read_ledger()
            chained = measurement.model_copy(update={"previous": self._last})
            line = chained.model_dump_json()
            self._append_locked(MEASUREMENTS, line)
            self._last = digest(line)
            self._read_ledger().append(chained)
            self._index[chained.commit, chained.seed, chained.purpose, chained.arm] = chained
            return chained

    def finished(self, commit: str, seed: int, purpose: Purpose, arm: str = "") -> Measurement | None:
        """The finished measurement of this content, seed, purpose and arm, if there is one."""
        with self._lock:
            self._read_ledger()
            return self._index.get((commit, seed, purpose, arm))

    def attempts(self) -> list[str]:
        """The candidates that confirmations were begun for, in their order."""
        return [str(json.loads(line)["commit"]) for line in self._lines(ATTEMPTS)]

    def attempt(self, commit: str) -> int:
        """The number of this candidate's confirmation attempt; a new one takes the next, on record before it is measured."""
        taken = self.attempts()
        if commit not in taken:
            taken.append(commit)
            self._append(ATTEMPTS, json.dumps({"attempt": len(taken), "commit": commit}))
        return taken.index(commit) + 1

    def _read_ledger(self) -> list[Measurement]:
        if self._ledger is None:
            entries, last = [], FIRST
            for number, line in enumerate(self._lines(MEASUREMENTS), 1):
                entry = self._parse(Measurement, MEASUREMENTS, line)
                if entry.previous != last:
                    raise StageError(
                        f"{self.folder / MEASUREMENTS}: line {number} does not follow from the line before it",
                        "the ledger was edited; restore it or start a new run with another --out",
                    )
                last = digest(line)
                entries.append(entry)
            self._ledger, self._last = entries, last
            self._index = {(entry.commit, entry.seed, entry.purpose, entry.arm): entry for entry in entries}
        return self._ledger

    def lines(self, name: str) -> list[str]:
        """The whole lines of a list file; none where there is no file."""
        return list(self._lines(name))

    def append_line(self, name: str, line: str) -> None:
        """Append to a list file; the line is on disk when this returns. Safe from several threads."""
        self._append(name, line)

    def _append(self, name: str, line: str) -> None:
        with self._lock:
            self._append_locked(name, line)

    def _append_locked(self, name: str, line: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line.encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self, name: str) -> Iterator[str]:
        try:
            data = (self.folder / name).read_bytes()
        except FileNotFoundError:
            return
        for line in data.split(b"\n")[:-1]:
            if line.strip():
                yield line.decode("utf-8", "replace")

    def _parse(self, kind: type[R], name: str, line: str) -> R:
        try:
            return kind.model_validate_json(line)
        except ValidationError as error:
            first = str(error).splitlines()[0]
            raise StageError(f"{self.folder / name}: a line cannot be read: {first}", "restore the file from a copy") from None

    # ── one process at a time ─────────────────────────────────────────────────────────────────────────────────────────

    def lock(self) -> None:
        """Keep other processes out until this one ends. Raises UsageError if the run is under way elsewhere."""
        import fcntl

        self.folder.mkdir(parents=True, exist_ok=True)
        self._hold = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.unlock()
            raise UsageError(
                f"{self.folder} is being worked on by another process", "wait for it, or use another --out"
            ) from None

    def unlock(self) -> None:
        """Let others in again."""
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None

    def busy(self) -> bool:
        """Is another process working on this run?"""
        import fcntl

        try:
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def withheld_key(self) -> bytes:
        """What decides which rows are withheld; kept, so that a verification with seeds of its own withholds the same rows."""
        path = self.folder / WITHHELD
        if not path.exists():
            self.write(WITHHELD, digest(f"withheld|{self.secret().hex()}") + "\n").chmod(0o600)
        return bytes.fromhex(path.read_text().strip())

    def secret(self) -> bytes:
        """32 random bytes that seeds are drawn from, made once, readable by the owner only; stored before first use."""
        path = self.folder / SECRET
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(".secret.draft")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(os.urandom(32).hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        return bytes.fromhex(path.read_text().strip())


def _run_name(commit: str, seed: int, arm: str) -> str:
    return "-".join(filter(None, (commit[:16], str(seed), arm)))


def _probed_name(line: Measurement) -> str:
    # A digest, for arms are named after files and columns, and those may be named anything.
    return digest(json.dumps([line.commit, line.seed, line.purpose, line.arm])) + ".zip"


def digest(text: str) -> str:
    """sha256 of a text, in hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def to_toml(table: dict[str, Any]) -> str:
    """A nested table of plain values as TOML; None is left out."""
    import tomlkit

    return tomlkit.dumps(plain(table))


def plain(value: Any) -> Any:
    """A nested value without what is None: as it comes back from a TOML file."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [plain(item) for item in value if item is not None]
    return value


def read_json(path: Path) -> Any:
    """A JSON file of ours. Raises StageError when it is not."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StageError(f"{path} cannot be read: {error}", "restore the file from a copy") from None
