"""Libraries of a repository's time, and builds for processors, from an index that tells when things were published."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosota import preparation
from autosota.environments import interpreters, resolver
from autosota.errors import StageError
from tests.environments.wheelhouse import only, wheel

PUBLISHED = {"1.0": "2019-05-01T00:00:00Z", "2.0": "2024-05-01T00:00:00Z"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package index with two releases of `kit`, five years apart."""
    for version in PUBLISHED:
        wheel(tmp_path / "files", "kit", version, {"kit.py": f"version = {version!r}\n"})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rsplit("/", 1)[-1]
            if self.path == "/simple/kit/":
                entries = [
                    {"filename": path.name, "url": f"/files/{path.name}", "hashes": {},
                     "upload-time": PUBLISHED[path.name.split("-")[1]]}
                    for path in sorted((tmp_path / "files").iterdir())
                ]  # fmt: skip
                body, kind = (
                    json.dumps({"meta": {"api-version": "1.1"}, "name": "kit", "files": entries}).encode(),
                    "application/vnd.pypi.simple.v1+json",
                )
            elif (tmp_path / "files" / name).is_file():
                body, kind = (tmp_path / "files" / name).read_bytes(), "application/octet-stream"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_nothing_published_later_is_taken(index: str) -> None:
    interpreter = interpreters.choose(())[0]
    assert resolver.resolve(["kit"], interpreter=interpreter, gpu=True).packages[0].version == "2.0"
    assert resolver.resolve(["kit"], interpreter=interpreter, gpu=True, before="2021-04-13").packages[0].version == "1.0"


def test_what_did_not_exist_then_is_not_relaxed(index: str) -> None:
    interpreter = interpreters.choose(())[0]
    with pytest.raises(StageError):
        resolver.resolve(["kit"], interpreter=interpreter, gpu=True, before="2018-01-01")


def test_a_build_for_processors_is_taken_after_a_pin_was_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, tmp_path)
    interpreter = interpreters.choose(())[0]
    tag = f"cp{interpreter.version.major}{interpreter.version.minor}-none-any"
    wheel(tmp_path, "torch", "2.6.0", {"torch.py": ""}, requires=["nvidia-cublas"])
    wheel(tmp_path, "torch", "2.5.0+cpu", {"torch.py": ""}, tag=tag)
    wheel(tmp_path, "nvidia-cublas", "12.0", {"nvidia.py": ""})
    lock = resolver.resolve(["torch==0.4.1"], interpreter=interpreter)
    assert [(package.name, package.version) for package in lock.packages] == [("torch", "2.5.0+cpu")]
    assert any("no GPU" in note for note in lock.notes)


def test_a_python_that_a_build_for_processors_is_for_is_preferred_to_gpu_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = interpreters.available()
    if len(found) < 2:
        pytest.skip("one Python on this machine")
    chosen, other = found[0], found[1]
    only(monkeypatch, tmp_path)
    tag = f"cp{other.version.major}{other.version.minor}-none-any"
    wheel(tmp_path, "torch", "2.6.0", {"torch.py": ""}, requires=["nvidia-cublas"])
    wheel(tmp_path, "torch", "2.5.0+cpu", {"torch.py": ""}, tag=tag)
    wheel(tmp_path, "nvidia-cublas", "12.0", {"nvidia.py": ""})
    lock = resolver.resolve(["torch"], interpreter=chosen, alternatives=[other])
    assert [(package.name, package.version) for package in lock.packages] == [("torch", "2.5.0+cpu")]
    assert lock.interpreter == other and any("no GPU" in note for note in lock.notes)
    pinned = resolver.resolve(["torch==2.6"], interpreter=chosen, alternatives=[other])
    assert pinned.interpreter == chosen and "nvidia-cublas" in {package.name for package in pinned.packages}


def test_a_pin_is_kept_and_why_the_local_build_does_not_serve_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, tmp_path)
    interpreter = interpreters.choose(())[0]
    wheel(tmp_path, "torch", "2.4.0", {"torch.py": ""}, requires=["nvidia-cublas"])
    wheel(tmp_path, "torch", "2.5.0+cpu", {"torch.py": ""}, tag="py3-none-any")
    wheel(tmp_path, "nvidia-cublas", "12.0", {"nvidia.py": ""})
    lock = resolver.resolve(["torch==2.4"], interpreter=interpreter)
    assert any("torch 2.5.0+cpu is there, but 2.4.0 is asked for" in note for note in lock.notes)


def test_a_local_build_that_needs_later_packages_does_not_keep_out_libraries_of_a_date(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "local"))
    wheel(tmp_path / "local", "net", "2.0+cpu", {"net.py": ""}, requires=["kit>=2"])
    wheel(tmp_path / "local", "net", "1.0", {"net.py": ""}, requires=["kit"])
    interpreter = interpreters.choose(())[0]
    then = resolver.resolve(["net"], interpreter=interpreter, before="2021-04-13")
    assert [(package.name, package.version) for package in then.packages] == [("kit", "1.0"), ("net", "1.0")]
    now = resolver.resolve(["net"], interpreter=interpreter)
    assert [(package.name, package.version) for package in now.packages] == [("kit", "2.0"), ("net", "2.0+cpu")]


def test_gpu_libraries_are_announced_where_nothing_else_is_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    only(monkeypatch, tmp_path)
    wheel(tmp_path, "torch", "2.6.0", {"torch.py": ""}, requires=["nvidia-cublas"])
    wheel(tmp_path, "nvidia-cublas", "12.0", {"nvidia.py": ""})
    lock = resolver.resolve(["torch"], interpreter=interpreters.choose(())[0])
    assert {package.name for package in lock.packages} == {"torch", "nvidia-cublas"}
    assert "over 2 GB" in caplog.text and any("over 2 GB" in note for note in lock.notes)


def test_the_day_of_the_last_commit(tmp_path: Path) -> None:
    assert preparation.last_commit(tmp_path) is None
    variables = {**os.environ, "GIT_COMMITTER_DATE": "2021-04-13T12:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T12:00:00Z"}
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, env=variables)
    assert preparation.last_commit(tmp_path) == "2021-04-13"
