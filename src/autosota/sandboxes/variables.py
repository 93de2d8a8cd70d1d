"""The environment variables that a command sees. Nothing is inherited from the host."""

from __future__ import annotations

from pathlib import PurePosixPath

from autosota.ports import Command
from autosota.records import Recipe

MARKER = "AUTOSOTA_RUN"
"""Variable by which processes that outlived a killed autosota are recognised."""


def variables(recipe: Recipe, command: Command, *, home: str, temporary: str, marker: str = "") -> dict[str, str]:
    """Defaults, then the recipe's, then the command's. The environment's own `bin` comes first on PATH.

    Bytecode is never written, and the hash seed is fixed: a run leaves nothing behind that could change the next one.
    """
    folders = [f"{recipe.prefix}/bin"] if recipe.prefix else []
    if recipe.python:
        folders.append(str(PurePosixPath(recipe.python).parent))
    folders += ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
    merged = {
        "PATH": ":".join(dict.fromkeys(folders)),
        "HOME": home,
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "USER": "nobody",
        "LOGNAME": "nobody",
        "SHELL": "/bin/sh",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        **recipe.variables,
        **command.variables,
    }
    if marker:
        merged[MARKER] = marker
    return {name: value for name, value in merged.items() if name and "=" not in name and "\0" not in name + value}
