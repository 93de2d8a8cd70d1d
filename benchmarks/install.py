"""Size of the core install: the wheel with all its dependencies in a fresh environment, bytecode not counted.

python -m benchmarks install
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
MEBI = 2**20


def measure() -> list[Figure]:
    """Builds the wheel, installs it with uv, and adds up the files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "build", "-q", "--wheel", "--out-dir", folder / "wheel", ROOT], check=True)
        subprocess.run([*uv, "venv", "-q", "-p", sys.executable, folder / "venv"], check=True)
        wheel = next((folder / "wheel").glob("*.whl"))
        subprocess.run([*uv, "pip", "install", "-q", "--link-mode", "copy", "-p", folder / "venv/bin/python", wheel], check=True)
        packages = next((folder / "venv").glob("lib/python*/site-packages"))
        parts = {path.name: size(path) for path in packages.iterdir()}
        total = size(folder / "venv")
        start = subprocess.run([folder / "venv/bin/autosota", "--version"], capture_output=True, text=True)
        assert start.returncode == 0, start.stderr
    largest = sorted(parts.items(), key=lambda item: -item[1])[:6]
    words = "largest parts: " + ", ".join(f"{name} {bytes_ / MEBI:.0f}" for name, bytes_ in largest) + "; scipy alone is 137"
    return [Figure("core install with all dependencies", total / MEBI, "MB", 200.0, compared=words)]


def size(path: Path) -> int:
    """Bytes of the files below, bytecode left out."""
    if path.is_file():
        return 0 if path.suffix == ".pyc" else path.stat().st_size
    return sum(
        (Path(folder) / file).stat().st_size
        for folder, _, files in os.walk(path)
        for file in files
        if not file.endswith(".pyc") and (Path(folder) / file).is_file() and not (Path(folder) / file).is_symlink()
    )
