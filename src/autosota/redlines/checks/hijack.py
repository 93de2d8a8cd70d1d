"""S2: files that take over the interpreter or stand in for a module that the evaluation imports."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from autosota.records import Violation
from autosota.redlines.difference import Difference, File

_HOOKS = {"sitecustomize.py", "usercustomize.py", "pyvenv.cfg"}
_FIX = "give the file another name; nothing may run before, or instead of, the evaluation's own imports"


def files(difference: Difference) -> Iterator[Violation]:
    """New or changed hook files, bytecode, and modules that shadow others."""
    new = any(file.before is None and file.after is not None for file in difference.files)
    roots, shadowed = (_roots(difference), _shadowed(difference)) if new else (set[str](), {})
    for file in difference.files:
        if file.after is None:
            continue
        name = PurePosixPath(file.path).name
        reason = _hook(file, difference)
        if reason is None and file.before is None:
            module = _module(file.path, roots)
            if module in shadowed:
                reason = f"{file.path} would be imported instead of {shadowed[module]}"
        if reason is not None:
            yield Violation(red_line="R2", rule="hijack-file", action="reject", evidence=reason, file=file.path, fix=_FIX)
        elif name == "conftest.py" and file.before is None:
            evidence = f"new {file.path}; the evaluation does not run pytest"
            yield Violation(red_line="R2", rule="hijack-file", action="note", evidence=evidence, file=file.path)


def _hook(file: File, difference: Difference) -> str | None:
    path = PurePosixPath(file.path)
    if path.name.lower() in _HOOKS or path.suffix.lower() in (".pth", ".egg-link"):
        return f"{file.path} runs whenever Python starts"
    if path.suffix.lower() in (".pyc", ".pyo") or "__pycache__" in path.parts:
        return f"{file.path} is bytecode that Python may run instead of the source beside it"
    commands = difference.case.environment.commands
    lines = " ".join(filter(None, (commands.evaluate, commands.predict, commands.score)))
    if path.name == "conftest.py" and re.search(r"\b(pytest|py\.test)\b", lines):
        return f"{file.path} runs inside the evaluation's own pytest"
    return None


def _roots(difference: Difference) -> set[str]:
    """Folders that are on the import path: the root, `src`, folders of the scripts that commands name, and PYTHONPATH."""
    commands = difference.case.environment.commands
    roots = {"", "src"}
    for line in filter(None, (commands.evaluate, commands.predict, commands.score)):
        roots.update(str(PurePosixPath(script).parent) for script in re.findall(r"[^\s'\"=;&|]+\.pyw?\b", line))
        for value in re.findall(r"PYTHONPATH=(\S+)", line):
            roots.update(part.strip("'\"./").removesuffix("/") for part in value.split(":"))
    return {"" if root in (".", "/") else root.removeprefix("./").strip("/") for root in roots}


def _module(path: str, roots: set[str]) -> str | None:
    """The top-level module or package that a new file would create on the import path."""
    parts = PurePosixPath(path).parts
    for root in sorted(roots, key=len, reverse=True):
        prefix = PurePosixPath(root).parts if root else ()
        if parts[: len(prefix)] != prefix:
            continue
        rest = parts[len(prefix) :]
        if len(rest) == 1 and PurePosixPath(rest[0]).suffix in (".py", ".so", ".pyd"):
            return rest[0].split(".")[0]
        if len(rest) >= 2 and PurePosixPath(rest[-1]).suffix in (".py", ".so", ".pyd") and rest[0].isidentifier():
            return rest[0]
    return None


def _shadowed(difference: Difference) -> dict[str, str]:
    """Name → what it stands for: the standard library, installed packages, protected modules of the repository."""
    names = {name: f"the standard library's {name}" for name in sys.stdlib_module_names}
    for name in difference.case.packages:
        plain = re.sub(r"[-.]+", "_", name.lower())
        for alias in (plain, _IMPORTED_AS.get(plain, plain)):
            names[alias] = f"the installed package {name}"
    existing = {PurePosixPath(path).parts[0].removesuffix(".py") for path in difference.case.tree if path.endswith(".py")}
    existing |= {
        PurePosixPath(path).parts[1].removesuffix(".py")
        for path in difference.case.tree
        if path.endswith(".py") and path.startswith("src/")
    }
    for name in existing:
        names.pop(name, None)
    for path in difference.case.environment.zones.protected:
        if path.endswith(".py") and PurePosixPath(path).name != "__init__.py":
            names[PurePosixPath(path).stem] = f"the protected {path}"
    return names


_IMPORTED_AS = {
    "scikit_learn": "sklearn", "pyyaml": "yaml", "pillow": "PIL", "opencv_python": "cv2", "python_dateutil": "dateutil",
    "scikit_image": "skimage", "beautifulsoup4": "bs4", "attrs": "attr", "pytorch_lightning": "lightning",
}  # fmt: skip
