"""What a repository that cannot be made to run would need: said by rule from its last failure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autosota.environments import imports
from autosota.evaluation import Attempt
from autosota.failures import Failure

_LIMITS = {
    "timeout": "give it more time with [evaluation] timeout",
    "memory": "give it more with [budget] memory",
    "disk": "give it more with [budget] disk",
    "processes": "give it more with [budget] processes",
}
_TOOLS = {
    "Rscript": "R (package r-base)", "R": "R (package r-base)", "julia": "Julia", "matlab": "MATLAB", "octave": "GNU Octave",
    "javac": "a Java compiler", "java": "Java", "mvn": "Maven", "cargo": "Rust", "rustc": "Rust", "go": "Go", "node": "Node.js",
    "npm": "Node.js", "nvcc": "the CUDA compiler", "cmake": "CMake", "make": "make", "gcc": "a C compiler", "cc": "a C compiler",
    "g++": "a C++ compiler", "gfortran": "a Fortran compiler", "ghc": "Haskell", "sbt": "Scala", "stack": "Haskell",
}  # fmt: skip
"""Command → what it belongs to."""
_WINDOWS = frozenset(
    ("winreg", "msvcrt", "_winapi", "winsound", "win32api", "win32com", "win32con", "win32file", "win32gui", "pythoncom", "wmi")
)
_POINTER = b"version https://git-lfs"
_NETWORK = re.compile(
    r"name resolution|Name or service not known|getaddrinfo|Connection(?:Error| refused|RefusedError)|Network is unreachable|"
    r"Max retries exceeded|urlopen error|offline mode|couldn't connect"
)


def words(failure: Failure, attempt: Attempt) -> str:
    """The failure in one line: the limit that ended the run, else the exception."""
    execution = attempt.execution
    lines = f"{failure.exception}: {failure.message}".removeprefix(": ").splitlines() or [f"exit code {execution.exit_code}"]
    return (attempt.failure or lines[0][:300]) if execution.ended != "exit" else lines[0][:300]


def hint(failure: Failure, attempt: Attempt, tree: Mapping[str, bytes], command: str) -> str:
    """What would make it run, as far as the log shows."""
    first = words(failure, attempt)
    limit = "disk" if "[Errno 27]" in first else attempt.execution.ended
    if limit in _LIMITS:
        return _LIMITS[limit]
    found = _tool(failure, first) or _data(failure, first, tree) or _module(failure, tree) or _arguments(failure, first)
    return found or f"the command was `{command}`; see --eval, --python and [mounts]"


def _tool(failure: Failure, first: str) -> str | None:
    """The code is in another language, or made for another system, and what it needs is not here."""
    missing = re.search(r"(?:^|[:/ ])([\w+.-]+): (?:\d+: )?(?:command )?not found", first) or re.search(
        r": ([\w+.-]+): (?:command )?not found", failure.text[-2000:]
    )
    name = missing[1] if missing else ""
    if name in _TOOLS:
        return f"{_TOOLS[name]} is not installed on this machine: install it, and `{name}` runs in the sandbox as it is"
    module = re.search(r"No module named '(\w+)", failure.message)
    windows = (module is not None and module[1] in _WINDOWS) or "module 'os' has no attribute 'startfile'" in failure.message
    if windows or re.search(r"\bwindll\b", first):
        return "this code runs on Windows only, and evaluations run on Linux: the part that needs Windows has to be replaced"
    return None


def _data(failure: Failure, first: str, tree: Mapping[str, bytes]) -> str | None:
    if "invalid load key, 'v'" in first or "git-lfs" in failure.text[-3000:]:
        pointers = [path for path, content in tree.items() if len(content) < 400 and content.startswith(_POINTER)]
        files = ", ".join(pointers[:3]) or "its files"
        return f"Git LFS pointers stand in for {files}: fetch them with `git lfs pull` and run again"
    if _NETWORK.search(f"{failure.exception}: {failure.message}"):
        return (
            "it downloads while it runs, and evaluations have no network: fetch the files beforehand and name them under [mounts]"
        )
    missing = re.search(r"(?:No such file or directory|not found)[^'\"]*['\"]([^'\"]+)['\"]", first)
    if missing and not missing[1].endswith(".py"):
        return f"{missing[1]} is not in the repository: put it there, or name its folder under [mounts] in the task file"
    return None


def _module(failure: Failure, tree: Mapping[str, bytes]) -> str | None:
    missing = re.search(r"No module named '([\w.]+)'|the package ([\w.]+) is not installed", failure.message)
    own = imports.own_modules(tree)
    if missing:
        name = missing[1] or missing[2]
        top = name.partition(".")[0]
        if top not in own and "." not in name:
            return f"no index has {name}, and the evaluation uses it: install it yourself and give that interpreter with --python"
        return (
            f"{name} is neither in the repository nor in the package of that name: it may have been left out by an ignore rule; "
            "an earlier commit or the author may have it"
        )
    absent = re.search(r"cannot import name '(\w+)' from '([\w.]+)'", failure.message)
    if absent and absent[2].partition(".")[0] in own:
        return (
            f"{absent[2]} lacks {absent[1]}: the repository is incomplete, perhaps by an ignore rule; "
            "an earlier commit or the author may have it"
        )
    return None


def _arguments(failure: Failure, first: str) -> str | None:
    if "arguments are required" in first or "Missing option" in first or re.search(r"sys\.argv\[", failure.text[-3000:]):
        return "its command needs arguments that nothing documents: give the whole command with --eval"
    if re.search(r"\b(?:CUDA|GPU|NVIDIA)\b", first):
        return "it needs a GPU, which this machine lacks"
    return None
