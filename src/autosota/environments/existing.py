"""An environment somebody made already: described, never changed (`--python`)."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from packaging.utils import canonicalize_name

from autosota.environments.interpreters import Interpreter, inspect
from autosota.errors import UsageError
from autosota.records import Package, Recipe


def describe(python: str, *, cache: Path) -> Recipe:
    """The recipe of an existing interpreter's environment. Raises UsageError if it is no interpreter."""
    path = Path(python).expanduser()
    if path.is_dir():
        path = path / "bin/python"
    if not path.exists():
        raise UsageError(
            f"no Python interpreter at {python}", "give the path of an interpreter or of a virtual environment with --python"
        )
    interpreter = inspect(str(path.absolute()))
    if interpreter is None:
        raise UsageError(f"{python} does not run as a Python interpreter", "give the path of an interpreter with --python")
    found = packages(interpreter.site)
    parts = [interpreter.asked, str(interpreter.version), [(package.name, package.version) for package in found]]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return Recipe(
        digest=digest,
        python=interpreter.asked,
        prefix=str(_prefix(interpreter, cache / "interpreters" / digest)),
        paths=_needed(interpreter),
        packages=found,
        notes=(f"existing environment of {interpreter.asked}, Python {interpreter.version}",),
    )


def packages(site: Iterable[str]) -> tuple[Package, ...]:
    """Distributions by the names of their metadata folders; the first on the import path wins."""
    found: dict[str, Package] = {}
    for entry in site:
        folder = Path(entry)
        names = sorted(path.name for path in folder.glob("*.*-info")) if folder.is_dir() else []
        for name in names:
            match = re.fullmatch(r"(.+?)-(\d[^-]*)(?:-py[\d.]+(?:-.*)?)?\.(?:dist|egg)-info", name)
            if match:
                key = canonicalize_name(match[1])
                found.setdefault(key, Package(name=key, version=match[2]))
    return tuple(found[name] for name in sorted(found))


def _prefix(interpreter: Interpreter, folder: Path) -> Path:
    """The environment's folder; where it has no `bin/python`, a folder that has only that."""
    prefix = Path(interpreter.environment)
    if (prefix / "bin/python").exists():
        return prefix
    script = folder / "bin/python"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(interpreter.asked)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return folder


def _needed(interpreter: Interpreter) -> tuple[str, ...]:
    """Folders outside the environment: its base installation, and what .pth files add to the import path."""
    inside = (interpreter.environment, interpreter.prefix)
    folders = [interpreter.prefix, str(Path(interpreter.path).parent.parent), interpreter.environment]
    for entry in interpreter.site:
        path = Path(entry)
        if path.exists() and not any(path.is_relative_to(root) for root in inside):
            folders.append(entry)
    return tuple(folder for folder in dict.fromkeys(folders) if folder not in ("/", "/usr") and Path(folder).is_dir())
