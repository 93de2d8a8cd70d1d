"""What cannot run here is said plainly: other languages, other systems."""

from __future__ import annotations

import pytest

from autosota import failures
from autosota.agents import needs


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/bin/sh: 1: Rscript: not found", "R (package r-base)"),
        ("run.sh: line 3: julia: command not found", "Julia"),
        ("ModuleNotFoundError: No module named 'winreg'", "Windows"),
        ("/bin/sh: 1: ./run.sh: not found", None),
        ("ModuleNotFoundError: No module named 'window'", None),
    ],
)
def test_other_languages_and_systems(line: str, words: str | None) -> None:
    said = needs._tool(failures.read(line + "\n"), line)
    assert said is None if words is None else said is not None and words in said
