"""Runs a lever on a small tree of files."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autosota import levers
from autosota.levers.base import Lever
from autosota.records import Site, Zones


@dataclass
class Bench:
    """One lever, tried on trees written as text."""

    lever: Lever
    packages: dict[str, str] = field(default_factory=dict)

    def sites(self, files: Mapping[str, str] | str, **zones: object) -> list[Site]:
        """What the detector finds; a single text is train.py."""
        return self.lever.detect(self.tree(files), Zones.model_validate({"protected": (), **zones}), self.packages)

    def change(self, files: Mapping[str, str] | str, which: int = 0) -> str:
        """The one changed file after applying at a site, as text; it must be valid Python and no longer offer the same site."""
        tree = self.tree(files)
        site = self.sites(files)[which]
        (change,) = self.lever.apply(tree, site)
        assert change.content is not None
        text = change.content.decode()
        ast.parse(text)
        after = {**tree, change.path: change.content}
        assert site.detail not in [again.detail for again in self.sites({path: data.decode() for path, data in after.items()})]
        return text

    @staticmethod
    def tree(files: Mapping[str, str] | str) -> dict[str, bytes]:
        """Dedented text → bytes."""
        files = {"train.py": files} if isinstance(files, str) else files
        return {path: textwrap.dedent(text).lstrip("\n").encode() for path, text in files.items()}


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """Makes a bench for a lever by name."""
    return lambda name, **packages: Bench(levers.get(name), packages)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], str]:
    """Runs a script in a process of its own with this Python; gives what it prints."""

    def execute(text: str) -> str:
        script = tmp_path / "script.py"
        script.write_text(text)
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr + text
        return done.stdout

    return execute
