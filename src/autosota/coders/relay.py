"""Runs inside the sandbox, beside a coding agent, whose standard streams and way to the provider lead through host sockets.

A script of its own, `python -I -S relay.py FOLDER`, with nothing but the standard library. FOLDER holds `program.json` and the
sockets `stdio`, `gateway` and `hold`; when `hold` ends, so does the agent. There is no network here but this loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading


def main() -> int:
    """Start the agent and pass on what it says; its exit code."""
    os.chdir(sys.argv[1])
    with open("program.json", encoding="utf-8") as stream:
        program = json.load(stream)
    stdio, hold = _connect("stdio"), _connect("hold")
    listener = socket.create_server(("127.0.0.1", program["port"]))
    threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    variables = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    child = subprocess.Popen(
        program["arguments"], cwd=program["folder"], env={**variables, **program["variables"]},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    threading.Thread(target=_end_with, args=(hold, child), daemon=True).start()
    threading.Thread(target=_feed, args=(stdio, child), daemon=True).start()
    while child.stdout is not None and (piece := os.read(child.stdout.fileno(), 1 << 16)):
        stdio.sendall(piece)
    code = child.wait()
    stdio.close()
    return code if code >= 0 else 128 - code


def _connect(name: str) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(name)
    return link


def _end_with(hold: socket.socket, child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        hold.recv(1)
    child.kill()


def _feed(stdio: socket.socket, child: subprocess.Popen[bytes]) -> None:
    if child.stdin is None:
        return
    with contextlib.suppress(OSError):
        while piece := stdio.recv(1 << 16):
            child.stdin.write(piece)
            child.stdin.flush()
    with contextlib.suppress(OSError):
        child.stdin.close()


def _serve(listener: socket.socket) -> None:
    while True:
        link, _ = listener.accept()
        try:
            other = _connect("gateway")
        except OSError:
            link.close()
            continue
        for source, target in ((link, other), (other, link)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    sys.exit(main())
