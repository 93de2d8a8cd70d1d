"""From a lock to an environment on disk: wheels are unpacked, nothing of them is run; the folder is complete or absent."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from autosota.environments import bytecode, uv
from autosota.environments.manifests import Own
from autosota.environments.resolver import Lock
from autosota.errors import MachineError, StageError

FORMAT = 1
MANIFEST = "autosota-environment.json"
_STALE = 24 * 3600.0


def digest(lock: Lock, own: Own | None) -> str:
    """Name of the environment: the interpreter, the locked packages with their hashes, and the repository's own distribution."""
    interpreter = lock.interpreter
    parts = [FORMAT, interpreter.path, str(interpreter.version), interpreter.platform, lock.text, repr(own), _local(lock)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def identity(path: Path) -> str:
    """What tells a file from another of the same name, without reading it."""
    status = path.stat()
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _local(lock: Lock) -> list[str]:
    """Wheels of local folders that the lock may mean: their lines carry no hashes."""
    wanted = {(package.name, package.version) for package in lock.packages}
    found = []
    for link in (*uv.indexes().find_links, *lock.links):
        for path in Path(link.removeprefix("file://")).glob("*.whl"):
            name, version = ([*path.name.split("-"), ""])[:2]
            if (re.sub(r"[-_.]+", "-", name).lower(), version) in wanted:
                found.append(identity(path))
    return sorted(found)


def install(lock: Lock, own: Own | None, *, cache: Path) -> Path:
    """The environment's folder under `cache`; an existing one is returned as it is. Safe with several builders at once."""
    folder = cache / digest(lock, own)
    if (folder / MANIFEST).is_file():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=cache))
    try:
        _fill(draft, lock, own, cache / "bytecode")
        draft.chmod(0o755)
        draft.rename(folder)
    except OSError as error:
        if not (folder / MANIFEST).is_file():
            raise MachineError(f"the environment cannot be written to {cache}: {error}", "is the disk full?") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _fill(draft: Path, lock: Lock, own: Own | None, store: Path) -> None:
    interpreter = lock.interpreter
    made = uv.run(["venv", "--relocatable", "--no-project", "--python", interpreter.path, "--clear", str(draft)], indexed=False)
    if made.returncode:
        raise StageError(
            f"no virtual environment for {interpreter.path}: {made.stderr.strip()[-300:]}", "name another with --python"
        )
    if lock.text.strip():
        arguments = ["pip", "install", "--no-deps", "--no-build", "--python", str(draft / "bin/python"), "-r", "-"]
        for link in lock.links:
            arguments += ["--find-links", link]
        done = uv.run(arguments, stdin=lock.text)
        if done.returncode and uv.unreachable(done.stderr):
            done = uv.run(arguments, stdin=lock.text, offline=True)
        if done.returncode:
            raise StageError(
                f"the packages cannot be installed: {' '.join(done.stderr.split())[-400:]}",
                "is the package index reachable, and is there room on the disk?",
            )
    site = draft / "lib" / f"python{interpreter.version.major}.{interpreter.version.minor}" / "site-packages"
    if own is not None:
        _own_distribution(draft, site, own)
    bytecode.compile_site(site, interpreter, store)
    packages = {package.name: package.version for package in lock.packages}
    manifest = {
        "format": FORMAT,
        "python": str(interpreter.version),
        "packages": packages,
        "notes": lock.notes,
        "lock": lock.text,
    }
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _own_distribution(draft: Path, site: Path, own: Own) -> None:
    """What `pip install -e .` leaves besides the path: metadata for importlib.metadata, and the console scripts."""
    name = re.sub(r"[-_.]+", "_", own.name)
    folder = site / f"{name}-{own.version}.dist-info"
    if not re.fullmatch(r"\w+", name) or folder.exists():
        return
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {own.name}\nVersion: {own.version}\n", encoding="utf-8")
    (folder / "INSTALLER").write_text("autosota\n", encoding="utf-8")
    (folder / "RECORD").write_text("", encoding="utf-8")
    entries = [f"{command} = {target}" for command, target in own.scripts]
    (folder / "entry_points.txt").write_text("[console_scripts]\n" + "\n".join(entries) + "\n", encoding="utf-8")
    for command, target in own.scripts:
        match = re.fullmatch(r"([\w.]+)\s*:\s*([\w.]+)(\s*\[.*\])?", target)
        if match and re.fullmatch(r"[\w.-]+", command) and not (draft / "bin" / command).exists():
            script = draft / "bin" / command
            body = f"import sys\nfrom {match[1]} import {match[2].partition('.')[0]}\nsys.exit({match[2]}())\n"
            shell = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''\n"
            script.write_text(shell + body, encoding="utf-8")
            script.chmod(0o755)


def _sweep(cache: Path) -> None:
    """Remove drafts that a killed builder left a day ago."""
    for draft in cache.glob(".draft-*"):
        try:
            if time.time() - draft.stat().st_mtime > _STALE:
                shutil.rmtree(draft, ignore_errors=True)
        except OSError:
            continue


def manifest(folder: Path) -> Mapping[str, object] | None:
    """What an environment's folder says about itself; None if it is no complete environment."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("format") == FORMAT else None
