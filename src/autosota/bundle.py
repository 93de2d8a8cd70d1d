"""The verification bundle: what a third party needs to re-check a claim without trusting who made it.

One file, `bundle.zip`, in the run directory. It holds the records of the run under their own names, the baseline and the best
tree as a git bundle, the predictions and rows of the confirmation, and an in-toto statement (v1) that names every one of them
by sha256; signed as a DSSE envelope where the library is there and the code measured could not reach the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autosota import __version__, signing, store
from autosota.errors import MachineError, StageError, UsageError
from autosota.records import Baseline, Case, Environment, Result, Rubric, Task
from autosota.rows import ZIP_ERRORS
from autosota.store import Store
from autosota.workspace import Workspace

FILE = "bundle.zip"
STATEMENT, ENVELOPE, KEY, TREES, LOCK = "statement.json", "statement.dsse.json", "key.json", "history.bundle", "environment.lock"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE = "urn:autosota:claim:1"
RECORDS = (
    store.CONFIG, store.FILES[Task], store.FILES[Rubric], store.FILES[Environment], store.FILES[Baseline], store.FILES[Result],
    store.PROTOCOL, store.MEASUREMENTS, store.ATTEMPTS, store.PATCH, store.WITHHELD,
)  # fmt: skip
"""Files of the run directory that travel under their own names."""
_LARGEST = 512 * 2**20
"""Trees larger than this are left out: they are then named by their commits alone."""
_MOST_FILES, _MOST_BYTES = 20_000, 8 * 2**30


def write(records: Store, case: Case, workspace: Workspace, result: Result, state: Path) -> tuple[Path, str]:
    """Write the bundle of a run that made fresh runs; its path, and one sentence on who signed it.

    `state`: the folder of the signing key.
    """
    content = dict(_content(records, case, workspace))
    payload = json.dumps(statement(content, records, result), indent=1, sort_keys=True).encode()
    content[STATEMENT] = payload
    words = "not signed: the code measured ran without isolation and could have read the key"
    if case.baseline is not None and result.assurance != "observed":
        try:
            content[ENVELOPE] = _json(signing.sign(payload, PAYLOAD_TYPE, state))
            key = signing.public_key(state)
            content[KEY] = _json(key)
            words = f"signed with key {str(key['keyid'])[:16]}"
        except MachineError as error:
            words = f"not signed: {error.message} ({error.hint})"
    path = records.folder / FILE
    draft = path.with_name(f".{FILE}.draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(content.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    draft.replace(path)
    return path, words


def statement(content: Mapping[str, bytes], records: Store, result: Result) -> dict[str, Any]:
    """The in-toto statement: subjects are what the claim is about, materials what it was made from."""
    named = {name: {"name": name, "digest": {"sha256": hashlib.sha256(data).hexdigest()}} for name, data in content.items()}
    subjects = [name for name in named if name in (store.PATCH, store.FILES[Result]) or name.startswith(_made())]
    ledger = records.measurements()
    fresh = [line for line in ledger if line.purpose == "confirm"]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [named[name] for name in sorted(subjects)],
        "predicateType": PREDICATE,
        "predicate": {
            "autosota": __version__, "run": result.run, "command": result.command,
            "grade": result.grade, "assurance": result.assurance, "labels": list(result.labels),
            "metric": result.metric.model_dump(mode="json"),
            "gain": result.gain.model_dump(mode="json") if result.gain else None,
            "protocol": fresh[-1].protocol if fresh else "",
            "seeds": sorted({line.seed for line in fresh}),
            "secret": hashlib.sha256(records.secret()).hexdigest(),
            "ledger": {"lines": len(ledger), "head": records.head()},
            "materials": [named[name] for name in sorted(named) if name not in subjects],
        },
    }  # fmt: skip


def unpack(archive: Path, folder: Path) -> Path:
    """Lay a bundle out as a run directory in `folder`. Raises UsageError for what is none, or would write elsewhere."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise UsageError(f"{archive} unpacks to more than 8 GB or 20,000 files", "this is no bundle of autosota's")
            for entry in entries:
                target = folder / entry.filename
                if not _known(entry.filename) or not target.resolve().is_relative_to(folder.resolve()):
                    raise UsageError(
                        f"{archive} holds what no bundle does: {entry.filename!r}", "this is no bundle of autosota's"
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(opened.read(entry))
    except ZIP_ERRORS as error:
        raise UsageError(f"{archive} is no bundle: {error}", f"give a run directory or the {FILE} of one") from None
    trees = folder / TREES
    if trees.exists() and not (folder / store.HISTORY).exists():
        _history(trees, folder / store.HISTORY)
    return folder


def _known(name: str) -> bool:
    """A name that a bundle of ours may hold; above all no git directory, whose settings could run programs."""
    return name in (*RECORDS, STATEMENT, ENVELOPE, KEY, TREES, LOCK) or (name.startswith(_made()) and ".." not in name.split("/"))


def signed_statement(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """The statement of a bundle laid out in `folder` and one sentence on its signature. Raises UsageError if it does not hold."""
    plain = folder / STATEMENT
    if not plain.exists():
        return None, "no statement"
    payload, words = plain.read_bytes(), "not signed"
    if (folder / ENVELOPE).exists():
        envelope, key = store.read_json(folder / ENVELOPE), store.read_json(folder / KEY)
        if not signing.available():
            words = f"signed; not checked without {signing.HINT}"
        elif signing.opened(envelope, key) != payload:
            raise UsageError("the statement differs from what was signed", "the bundle was changed after it was made")
        else:
            words = f"signed with key {str(key['keyid'])[:80]}"
    try:
        found = json.loads(payload)
        if found["predicateType"] != PREDICATE:
            raise ValueError("another predicate")
        differing(found, folder)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{plain} is no statement of autosota's: {error}", "give the bundle as it was written") from None
    return found, words


def differing(found: Mapping[str, Any], folder: Path) -> list[str]:
    """Names in a statement whose file is missing or has other content."""
    entries = [*found["subject"], *found["predicate"]["materials"]]
    wrong = []
    for entry in entries:
        name = str(entry["name"])
        path = folder / name
        held = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else None
        if held != entry["digest"]["sha256"]:
            wrong.append(name)
    return wrong


def _content(records: Store, case: Case, workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    for name in RECORDS:
        path = records.folder / name
        if path.is_file():
            yield name, path.read_bytes()
    lines = [f"{package.name}=={package.version}" for package in case.environment.recipe.packages]
    yield LOCK, ("\n".join(sorted(lines)) + "\n").encode()
    for folder in _made():
        for path in sorted((records.folder / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(records.folder).as_posix(), path.read_bytes()
    trees = _trees(workspace)
    if trees is not None:
        yield TREES, trees


def _made() -> tuple[str, ...]:
    """Folders of the run directory with what the confirmation's runs made."""
    return (f"{store.PREDICTIONS}/", f"{store.ITEMS}/")


def _trees(workspace: Workspace) -> bytes | None:
    """Baseline and best tree as a git bundle; None where they are too large or were never tagged."""
    names = [f"refs/tags/{name}" for name in ("_baseline", "_best") if workspace.lookup(name)]
    if len(names) < 2:
        return None
    command = ["git", "bundle", "create", "--quiet", "-", *names]
    done = subprocess.run(command, env=workspace.environment(), capture_output=True, check=False)
    return done.stdout if done.returncode == 0 and len(done.stdout) <= _LARGEST else None


def _history(trees: Path, folder: Path) -> None:
    """A bare repository from a git bundle."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"}  # fmt: skip
    command = ["git", "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--mirror", "--template=", str(trees), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise StageError(f"{trees.name} cannot be read: {words[-1] if words else done.returncode}", "the bundle is damaged")


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()
