"""Runs an example's commands many times in one process that has the libraries loaded: what a benchmark repeats hundreds of times.

The server is this file, started with the interpreter of the example's environment; each request is a forked child, so runs do
not share state. Only for the examples of this repository: nothing is isolated here.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Runner:
    """A server for one environment; one request at a time."""

    def __init__(self, variables: Mapping[str, str], imports: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            ["python", "-B", __file__, *imports], env=dict(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            executable=_which("python", variables),
        )  # fmt: skip

    def run(self, folder: Path, commands: Sequence[str]) -> str:
        """What the commands print, run in order in the folder. Raises RuntimeError where one fails."""
        return self.timed(folder, commands)[0]

    def timed(self, folder: Path, commands: Sequence[str]) -> tuple[str, float]:
        """The same with the CPU seconds it took, start of interpreters and imports not counted."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "commands": list(commands)}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if answer["failed"]:
            raise RuntimeError(f"{answer['failed']}: {answer['printed'][-500:]}")
        return str(answer["printed"]), float(answer["seconds"])

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _which(name: str, variables: Mapping[str, str]) -> str:
    return next(str(Path(folder) / name) for folder in variables["PATH"].split(":") if (Path(folder) / name).exists())


def _serve(imports: Sequence[str]) -> None:
    for name in imports:
        try:
            __import__(name)
        except ImportError:
            continue
    for line in sys.stdin:
        request = json.loads(line)
        printed, failed, seconds = "", "", 0.0
        for command in request["commands"]:
            text, code, used = _fork(request["folder"], shlex.split(command))
            printed += text
            seconds += used
            if code:
                failed = command
                break
        sys.stdout.write(json.dumps({"printed": printed, "failed": failed, "seconds": seconds}) + "\n")
        sys.stdout.flush()


def _fork(folder: str, words: Sequence[str]) -> tuple[str, int, float]:
    """One command in a child: `python FILE …`, `python -m MODULE …` or `cat FILE`; what it prints, exit code, CPU seconds."""
    if words[0] == "cat":
        return Path(folder, words[1]).read_text(encoding="utf-8"), 0, 0.0
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        code = 1
        try:
            code = _execute(folder, words)
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    _, status, usage = os.wait4(child, 0)
    return text, os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def _execute(folder: str, words: Sequence[str]) -> int:
    import runpy
    import traceback

    os.chdir(folder)
    module = words[1] == "-m"
    sys.argv = list(words[2:] if module else words[1:])
    sys.path[0] = folder
    sys.modules.pop("__main__", None)
    try:
        if module:
            runpy.run_module(words[2], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - the child reports whatever it was by its exit code
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1:])
