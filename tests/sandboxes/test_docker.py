"""Containers: what is left behind, images that a user names, engines that are not there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autosota.errors import MachineError
from autosota.ports import Command, Tree
from autosota.records import Recipe
from autosota.sandboxes import open_executor
from autosota.sandboxes.docker import DockerExecutor

PLAIN = Recipe(digest="", python="", prefix="")
KILLED = """
import os, signal, sys, threading
from pathlib import Path
from autosota.ports import Command, Tree
from autosota.records import Recipe
from autosota.sandboxes import open_executor
scratch, base = sys.argv[1:]
with open_executor("docker", Path(scratch)).open(Tree(Path(base)), recipe=Recipe(digest="", python="", prefix="")) as sandbox:
    sandbox.run(Command("echo x > left; sleep 600", until=lambda output: os.kill(os.getpid(), signal.SIGKILL), quiet=0.1))
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "file").write_text("x\n")
    return folder


@pytest.fixture
def executor(tmp_path: Path) -> DockerExecutor:
    try:
        return DockerExecutor(tmp_path / "scratch")
    except MachineError as error:
        pytest.skip(f"no container engine: {error.message}")


def test_no_engine_is_said_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MachineError) as raised:
        open_executor("docker", tmp_path)
    assert raised.value.hint


def test_an_engine_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(MachineError, match="another machine"):
        open_executor("docker", tmp_path)


def test_something_else_on_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
        with pytest.raises(MachineError):
            open_executor("docker", tmp_path / "scratch")
        thread.join(10)


@pytest.mark.live
def test_nothing_is_left_of_a_killed_run(executor: DockerExecutor, base: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED, killed, base], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    again = DockerExecutor(killed)
    assert again.sweep() == 0
    assert not list(killed.glob("docker/*/upper"))
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if str(killed) in line]


@pytest.mark.live
def test_an_image_that_the_engine_lacks(executor: DockerExecutor, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no image 'autosota/no-such-image'") as raised:
        open_executor("docker:autosota/no-such-image", tmp_path / "other")
    assert "docker pull" in raised.value.hint


@pytest.mark.live
def test_the_system_of_an_image_that_the_user_names(executor: DockerExecutor, base: Path, tmp_path: Path) -> None:
    busybox = next((path for path in ("/bin/busybox", "/usr/bin/busybox") if os.access(path, os.X_OK)), None)
    if busybox is None or executor._engine.podman:
        pytest.skip("no busybox to make an image of, or an engine that names imported images otherwise")
    root = tmp_path / "image"
    for name in ("bin", "usr/bin", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    for name in ("sh", "echo", "cat", "id", "sleep"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "usr/bin/env").symlink_to("../../bin/busybox")
    (root / "bin/busybox").write_bytes(Path(busybox).read_bytes())
    (root / "bin/busybox").chmod(0o755)
    archive = tmp_path / "image.tar"
    subprocess.run(["tar", "-cf", archive, "-C", root, "."], check=True)
    engine = executor._engine
    name = "localhost/autosota-test:busybox"
    engine.client.import_image(str(archive), repository="localhost/autosota-test", tag="busybox")
    try:
        named = DockerExecutor(tmp_path / "named", image=name)
        with named.open(Tree(base), recipe=PLAIN) as sandbox:
            assert sandbox.run(Command("echo $0; cat file; echo new > made; [ -e /usr/bin/python3 ] || echo small")).stdout == (
                "/bin/sh\nx\nsmall\n"
            )
            assert sandbox.read("made") == b"new\n"
        recipe = Recipe(digest="python", python=sys.executable, prefix=sys.prefix, paths=(sys.base_prefix,))
        with pytest.raises(MachineError, match="does not run in the image"), named.open(Tree(base), recipe=recipe):
            pass
    finally:
        engine.client.remove_image(name, force=True)


@pytest.mark.live
def test_the_network_is_there_only_where_it_is_asked_for(executor: DockerExecutor, base: Path) -> None:
    line = "cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' ' | sort | tr '\\n' ' '"
    with executor.open(Tree(base), recipe=PLAIN) as sandbox:
        assert sandbox.run(Command(line)).stdout.split() == ["lo"]
