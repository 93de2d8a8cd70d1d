"""Repository code that looks for what is not its business finds nothing in an isolating sandbox."""

from __future__ import annotations

import secrets
import socket
import sys
import threading
from pathlib import Path

import pytest

from tests import kit
from tests.kit import CommandLine

CODE = """
import glob, os, socket, sys

found = []
token = "{token_start}" + "{token_end}"

for start in ("{home}", "{folder}", "/root", "/home", os.path.expanduser("~")):
    for place, folders, files in os.walk(start):
        for name in files:
            try:
                with open(os.path.join(place, name), "rb") as file:
                    if token.encode() in file.read(10**6):
                        found.append(os.path.join(place, name))
            except OSError:
                pass
if any(token in value for value in os.environ.values()):
    found.append("environment")
for name in os.listdir("/proc"):
    if name.isdigit():
        try:
            if token.encode() in open(f"/proc/{name}/environ", "rb").read():
                found.append(f"environment of process {name}")
        except OSError:
            pass
for name in ("{out}/secret", "{out}/measurements.jsonl", "{out}/run.toml", "{out}/vault"):
    try:
        os.listdir(name) if os.path.isdir(name) else open(name).close()
        found.append(name)
    except OSError:
        pass
for address in (("127.0.0.1", {port}), ("93.184.215.14", 80)):
    try:
        socket.create_connection(address, timeout=2).close()
        found.append(f"network {address}")
    except OSError:
        pass
for name in ("{repository}/planted", "{out}/planted", "{home}/planted", "/etc/planted", "/usr/planted", sys.prefix + "/planted"):
    try:
        open(name, "w").close()
        found.append("wrote " + name)
    except OSError:
        pass
try:
    if os.getuid() == 0:
        found.append("root")
except OSError:
    pass
for name in found:
    print("found", name, file=sys.stderr)
if found:
    sys.exit("found " + ", ".join(found))
print("accuracy: 0.5")
"""


@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock"])
def test_nothing_is_found(autosota: CommandLine, tmp_path: Path, sandbox: str) -> None:
    token = secrets.token_hex(16)
    home = kit.write(tmp_path / "home", {".ssh/id_ed25519": token, ".netrc": token, ".aws/credentials": token})
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_accept, args=(listener,), daemon=True)
    thread.start()
    values = {
        "token_start": token[:16], "token_end": token[16:], "home": home, "folder": tmp_path, "out": tmp_path / "out",
        "port": listener.getsockname()[1], "repository": tmp_path / "repository",
    }  # fmt: skip
    code = CODE
    for name, value in values.items():
        code = code.replace("{" + name + "}", str(value))
    folder = kit.write(tmp_path / "repository", {"evaluate.py": code})
    variables = {
        **autosota.variables,
        "HOME": str(home),
        "OPENAI_API_KEY": token,
        "AWS_SECRET_ACCESS_KEY": token,
        "HARMLESS": token,
    }
    ended = autosota.measure(folder, "--sandbox", sandbox, env=variables)
    listener.close()
    if ended.code == 1 and "does not start" in ended.stderr:
        pytest.skip(f"{sandbox} does not start here")
    assert ended.finished()["metrics"][0]["mean"] == 0.5
    assert not (Path(sys.prefix) / "planted").exists()


def _accept(listener: socket.socket) -> None:
    try:
        while True:
            listener.accept()[0].close()
    except OSError:
        return


def test_local_says_that_it_is_not_isolated(autosota: CommandLine, tmp_path: Path) -> None:
    folder = kit.write(tmp_path / "repository", {"evaluate.py": 'SCALE = 0.5\nprint("accuracy:", 0.5 + SCALE / 10)\n'})
    ended = autosota.measure(folder, "--sandbox", "local", "--trials", 4, command="run")
    data = ended.finished()
    assert data["assurance"] == "observed"
    assert data["grade"] in ("SUGGESTIVE", "UNCONFIRMED")
    assert "no isolation" in ended.stderr
