"""Python interpreters of this machine, and which one a repository wants."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from autosota.errors import UsageError

OLDEST = Version("3.8")
_QUESTION = """
import json, sys, platform, sysconfig
print(json.dumps({"version": platform.python_version(), "implementation": platform.python_implementation(),
 "executable": sys.executable,
 "base": getattr(sys, "_base_executable", sys.executable), "prefix": sys.prefix, "base_prefix": sys.base_prefix,
 "base_exec_prefix": sys.base_exec_prefix, "platform": sysconfig.get_platform(), "tag": sys.implementation.cache_tag,
 "paths": [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")], "path": sys.path}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs. Paths are absolute and real where the interpreter itself is concerned."""

    path: str
    """The base installation's executable, links resolved; never a shim."""
    version: Version
    prefix: str
    """Base installation."""
    platform: str
    tag: str
    """Like "cpython-311"."""
    environment: str
    """sys.prefix of the executable that was asked: differs from `prefix` in a virtual environment."""
    site: tuple[str, ...]
    """Import path of the executable that was asked."""
    asked: str
    """sys.executable of what was asked."""


@lru_cache(maxsize=64)
def inspect(executable: str) -> Interpreter | None:
    """Ask an interpreter of this machine about itself; None if it does not run."""
    command = [executable, "-c", _QUESTION]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=environment)
        facts = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 and done.stdout else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if not facts:
        return None
    base = Path(facts["base"])
    version = Version(re.sub(r"[^\d.].*$", "", facts["version"]).rstrip("."))
    numbered = Path(facts["base_prefix"]) / "bin" / f"python{version.major}.{version.minor}"
    real = base if base.exists() else numbered
    return Interpreter(
        path=str(real.resolve()),
        version=version,
        prefix=facts["base_prefix"],
        platform=facts["platform"],
        tag=facts["tag"],
        environment=facts["prefix"],
        site=tuple(entry for entry in facts["path"] if entry),
        asked=facts["executable"],
    )


def running() -> Interpreter:
    """The base of the interpreter that runs autosota."""
    found = inspect(sys.executable)
    if found is None:
        raise UsageError(f"the Python at {sys.executable} does not answer", "name another with --python")
    return found


@lru_cache(maxsize=1)
def available() -> tuple[Interpreter, ...]:
    """Interpreters of this machine from 3.8 on, one per minor version, the newest first."""
    found: dict[tuple[int, int], Interpreter] = {}
    own = running()
    found[(own.version.major, own.version.minor)] = own
    for path in _candidates():
        name = re.search(r"(\d+)\.(\d+)", path.name) or re.search(r"/(\d+)\.(\d+)[^/]*/bin/python", str(path))
        if name and (int(name[1]), int(name[2])) in found:
            continue
        interpreter = inspect(str(path))
        if interpreter is not None and interpreter.version >= OLDEST and interpreter.tag.startswith("cpython"):
            found.setdefault((interpreter.version.major, interpreter.version.minor), interpreter)
    return tuple(sorted(found.values(), key=lambda interpreter: interpreter.version, reverse=True))


def _candidates() -> list[Path]:
    folders = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry and "shims" not in entry]
    paths = [folder / f"python3.{minor}" for folder in folders for minor in range(8, 20)]
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    managed = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local/share/uv/python")
    for root, pattern in ((pyenv, "versions/3.*/bin/python"), (managed, "cpython-3.*/bin/python3")):
        paths += sorted(root.glob(pattern), reverse=True)
    return [path for path in paths if path.exists()]


def choose(specifiers: Sequence[str]) -> tuple[Interpreter, tuple[str, ...]]:
    """The interpreter that fits the repository's wishes, and notes: the running version, else the newest that fits."""
    wanted = SpecifierSet()
    own = running()
    for text in specifiers:
        try:
            wanted &= SpecifierSet(text)
        except InvalidSpecifier:
            continue
    if _fits(wanted, own):
        return own, ()
    for interpreter in available():
        if _fits(wanted, interpreter):
            return interpreter, ()
    text = ", ".join(str(interpreter.version) for interpreter in available())
    return own, (f"asks for Python {wanted}; this machine has {text}; Python {own.version} is used",)


def _fits(wanted: SpecifierSet, interpreter: Interpreter) -> bool:
    return wanted.contains(interpreter.version, prereleases=True)
