"""Bytecode for environments that are read-only later: compiled once per package and content, linked into every environment.

Nothing of a package is run: the base interpreter compiles without `site`, whose .pth files would run code. Tests that packages
ship are left out; they are half of all files and never imported.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autosota.environments.interpreters import Interpreter

_TESTS = re.compile(r"(^|/)(tests?|testing/tests)/")
_TIMEOUT = 1800


def compile_site(site: Path, interpreter: Interpreter, store: Path) -> None:
    """Put a .pyc beside every module of `site`, from `store` where the same content was compiled before. Failures leave gaps."""
    pending: list[tuple[str, list[str]]] = []
    for record in sorted(site.glob("*.dist-info/RECORD")):
        modules = _modules(record, site)
        if not modules:
            continue
        key = _known(site, modules, interpreter, store)
        if not _link(store / key, site):
            pending.append((key, modules))
    if not pending:
        return
    _compile(site, [module for _, modules in pending for module in modules], interpreter)
    for key, modules in pending:
        _keep(store / key, site, modules, interpreter.tag)


def _modules(record: Path, site: Path) -> list[str]:
    """Python files of a distribution below `site`, tests left out."""
    try:
        with record.open(newline="", encoding="utf-8") as file:
            names = [row[0] for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    inside = [name for name in names if name.endswith(".py") and not name.startswith(("/", "..")) and not _TESTS.search(name)]
    return sorted(name for name in inside if _regular(f"{site}/{name}"))


def _regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _known(site: Path, modules: Sequence[str], interpreter: Interpreter, store: Path) -> str:
    """`_digest`, from the store where the very same files (by inode, size and time of change: uv links them from its cache, and
    never writes to them again) were digested before."""
    identity = hashlib.sha256(f"{interpreter.tag} {interpreter.version}".encode())
    for name in modules:
        state = os.stat(f"{site}/{name}")
        identity.update(os.fsencode(f"\0{name}\0{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns}"))
    noted = store / "known" / identity.hexdigest()[:40]
    try:
        return noted.read_text(encoding="ascii")
    except OSError:
        key = _digest(site, modules, interpreter)
    noted.parent.mkdir(parents=True, exist_ok=True)
    draft = noted.with_suffix(f".{os.getpid()}")
    draft.write_text(key, encoding="ascii")
    draft.replace(noted)
    return key


def _digest(site: Path, modules: Sequence[str], interpreter: Interpreter) -> str:
    """Of the files' names and contents, not of what the package says about itself."""
    found = hashlib.sha256(f"{interpreter.tag} {interpreter.version}".encode())
    for name in modules:
        found.update(os.fsencode(f"\0{name}\0"))
        found.update(hashlib.sha256((site / name).read_bytes()).digest())
    return found.hexdigest()[:40]


def _compile(site: Path, modules: Sequence[str], interpreter: Interpreter) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="autosota-compile-", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(str(site / name) for name in modules if "\n" not in name) + "\n")
        file.flush()
        workers = str(max(1, len(os.sched_getaffinity(0))))
        command = [interpreter.path, "-I", "-S", "-B", "-m", "compileall", "-q", "-j", workers]
        command += ["--invalidation-mode", "unchecked-hash", "-i", file.name]
        try:
            subprocess.run(command, capture_output=True, check=False, cwd="/", stdin=subprocess.DEVNULL, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            return


def _cached(name: str, tag: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc".lstrip("/")


def _keep(folder: Path, site: Path, modules: Sequence[str], tag: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    try:
        for name in modules:
            source = site / _cached(name, tag)
            if source.is_file():
                target = draft / _cached(name, tag)
                target.parent.mkdir(parents=True, exist_ok=True)
                _hard_link(source, target)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)


def _link(folder: Path, site: Path) -> bool:
    """Link a kept set into `site`; False if there is none."""
    if not folder.is_dir():
        return False
    for place, _, names in os.walk(folder):
        target = os.path.normpath(f"{site}/{os.path.relpath(place, folder)}")
        if names:
            os.makedirs(target, exist_ok=True)
        for name in names:
            _hard_link(f"{place}/{name}", f"{target}/{name}")
    return True


def _hard_link(source: str | Path, target: str | Path) -> None:
    """What is at `target` already stays."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:
        shutil.copy2(source, target)
