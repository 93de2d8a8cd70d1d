"""Which files of the repository an evaluation reads: Python's audit hook, put in by the interpreter's start.

Widens what is known of a repository; native code reads past it, and traced code could reach it, so it is no defence.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from autosota.records import Mount

_TRACER = """\
import os, sys
def _install():
    root, out, seen = os.environ["AUTOSOTA_ROOT"], os.environ["AUTOSOTA_TRACE"], set()
    file = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)) and not (arguments[2] or 0) & 3:
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(root + "/") and path not in seen:
                seen.add(path)
                os.write(file, os.fsencode(path) + b"\\0")
    sys.addaudithook(hook)
_install()
"""


def prepare(folder: Path, place: Callable[[Path, str], str], path: str | None) -> tuple[list[Mount], dict[str, str], Path]:
    """Mounts and variables that make an evaluation write down what it opens, and the host file that it writes to.

    `folder`: ours, for the tracer and its log. `place`: where a host folder is seen in the sandbox. `path`: PYTHONPATH so far.
    """
    tracer, log = folder / "tracer", folder / "log"
    for made in (tracer, log):
        made.mkdir()
    log.chmod(0o777)
    (tracer / "sitecustomize.py").write_text(_TRACER)
    inside, written = place(tracer, "/autosota/tracer"), place(log, "/autosota/log")
    variables = {"PYTHONPATH": f"{inside}:{path}" if path else inside, "AUTOSOTA_TRACE": f"{written}/opened"}
    mounts = [Mount(source=str(tracer), target=inside), Mount(source=str(log), target=written, writable=True)]
    return mounts, variables, log / "opened"


def opened(log: Path | None, root: str) -> frozenset[str]:
    """Paths of the tree that were opened for reading; nothing without a log."""
    if log is None or not log.exists():
        return frozenset()
    names = (os.fsdecode(name) for name in log.read_bytes().split(b"\0") if name)
    return frozenset(os.path.relpath(name, root) for name in names if name.isprintable() and "__pycache__" not in name)
