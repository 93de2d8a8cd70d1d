"""Flags for slow and live tests; no test reaches a network or a user's state."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

_connect = socket.socket.connect


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run tests that take minutes")
    parser.addoption("--live", action="store_true", help="run tests that need a key, a GPU, a network or a container engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in ("slow", "live"):
        if not config.getoption(f"--{name}"):
            skip = pytest.mark.skip(reason=f"{name}: run with --{name}")
            for item in items:
                if name in item.keywords:
                    item.add_marker(skip)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections outside the loopback range fail in this process."""
    if "live" in request.keywords:
        return

    def connect(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in (socket.AF_INET, socket.AF_INET6) and host not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"tests have no network: {address!r}")
        _connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def _private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Cache and state of the user are never touched."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("AUTOSOTA_CACHE", str(folder / "cache"))
    monkeypatch.setenv("AUTOSOTA_STATE", str(folder / "state"))
    yield folder
