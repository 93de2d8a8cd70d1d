"""The command line with folders of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import CommandLine


@pytest.fixture
def autosota(tmp_path: Path) -> CommandLine:
    """Commands with cache, state and scratch below the test's folder."""
    return CommandLine(tmp_path)
