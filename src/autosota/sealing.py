"""Files that no author ever saw, which replace others at the confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autosota.errors import UsageError


def contents(files: Mapping[str, str]) -> dict[str, bytes]:
    """Name → content of host files. Raises UsageError where one is gone."""
    try:
        return {name: Path(path).read_bytes() for name, path in files.items()}
    except OSError as error:
        words = f"the sealed file {error.filename} cannot be read: {error.strerror}"
        raise UsageError(words, "restore the sealed folder") from None
