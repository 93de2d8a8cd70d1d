"""Running uv with pip's settings: the host's only contact with a package index."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.errors import MachineError, StageError

_TIMEOUT = 3600.0


@dataclass(frozen=True)
class Indexes:
    """Where packages come from: uv's own settings, completed by what pip is configured with."""

    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    find_links: tuple[str, ...]


def executable() -> str:
    """uv's path: of our own environment, else on PATH. Raises MachineError."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    found = shutil.which("uv")
    if found is None:
        raise MachineError(
            "uv is not installed", "install it with `pip install uv`, or give an existing environment with --python"
        )
    return found


def indexes() -> Indexes:
    """uv ignores pip's settings; its find-links and indexes are passed on, so that both see the same packages."""
    settings = _pip_settings()
    arguments: list[str] = []
    links = settings.get("find-links", "").split()
    for link in links:
        arguments += ["--find-links", link]
    for url in settings.get("extra-index-url", "").split():
        arguments += ["--extra-index-url", url]
    index = settings.get("index-url", "").split()
    if index and not any(os.environ.get(name) for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX")):
        arguments += ["--index-url", index[0]]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        arguments.append("--no-index")
    variables = {"UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": os.environ.get("UV_INDEX_STRATEGY", "unsafe-best-match")}
    certificate = settings.get("cert", "")
    if certificate and not os.environ.get("SSL_CERT_FILE"):
        variables["SSL_CERT_FILE"] = certificate
    environment_links = [link for link in os.environ.get("UV_FIND_LINKS", "").split(",") if link]
    return Indexes(tuple(arguments), tuple(variables.items()), (*links, *environment_links))


def _pip_settings() -> dict[str, str]:
    """pip's effective [global] and [install] settings, read from its files and variables without starting it."""
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip/pip.conf",
        config / "pip/pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        files = []
    elif named:
        files.append(Path(named))
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    for key, value in os.environ.items():
        if key.startswith("PIP_") and value:
            found[key[4:].lower().replace("_", "-")] = value
    return found


def run(
    arguments: Sequence[str], *, stdin: str = "", offline: bool = False, indexed: bool = True
) -> subprocess.CompletedProcess[str]:
    """One uv command in an empty folder, so that no project's settings are read. A failure is a value."""
    found = indexes()
    command = [executable(), *arguments, "--no-progress", "--color", "never"]
    if indexed:
        command += found.arguments
    if offline:
        command.append("--offline")
    # PYTHONPATH and the like would reach the interpreter that uv asks about itself.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA"))}
    environment.update(found.variables)
    with tempfile.TemporaryDirectory(prefix="autosota-uv-") as folder:
        try:
            return subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                cwd=folder,
                env=environment,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StageError(
                f"uv {' '.join(arguments[:2])} did not end within {_TIMEOUT:.0f} s", "is the package index reachable?"
            ) from None
        except OSError as error:
            raise MachineError(f"uv cannot be started: {error}", "reinstall uv") from None


def unreachable(words: str) -> bool:
    """Does uv say that an index could not be reached, rather than that something does not exist?"""
    marks = (
        "Failed to fetch",
        "error sending request",
        "dns error",
        "Connection refused",
        "timed out",
        "tcp connect error",
        "Request failed",
    )
    return any(mark in words for mark in marks) and "404" not in words
