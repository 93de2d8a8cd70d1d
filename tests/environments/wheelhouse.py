"""Tiny wheels and source archives, written where a test wants them: a package index without a network."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest


def wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], *, requires: Sequence[str] = (), tag: str = "py3-none-any"
) -> Path:
    """Write `<name>-<version>-<tag>.whl` with `files` (path → text) into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-{tag}.whl"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", *(f"Requires-Dist: {item}\n" for item in requires)]
    with zipfile.ZipFile(path, "w") as pack:
        for file, text in files.items():
            pack.writestr(file, text)
        pack.writestr(f"{stem}.dist-info/METADATA", "".join(lines))
        pack.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n")
        record = [f"{file},," for file in [*files, f"{stem}.dist-info/METADATA", f"{stem}.dist-info/WHEEL"]]
        pack.writestr(f"{stem}.dist-info/RECORD", "\n".join([*record, f"{stem}.dist-info/RECORD,,"]) + "\n")
    return path


def source(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write `<name>-<version>.tar.gz` with `files` into `folder`; metadata only in what the build would make."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as pack:
        for file, text in {"PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n", **files}.items():
            data = text.encode()
            info = tarfile.TarInfo(f"{name}-{version}/{file}")
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
    return path


def only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let pip's settings name `folder` as the only place packages come from."""
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


BACKEND = """
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    stem = "{name}-{version}"
    path = os.path.join(wheel_directory, stem + "-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("{name}.py", {text!r})
        pack.writestr(stem + ".dist-info/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        pack.writestr(stem + ".dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        pack.writestr(stem + ".dist-info/RECORD", "")
    return os.path.basename(path)
"""
"""An in-tree build backend that needs nothing but Python."""
