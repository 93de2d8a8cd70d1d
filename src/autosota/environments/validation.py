"""Does the environment hold what the evaluation imports? Asked inside the sandbox: importing runs the packages' code."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.ports import Command, Executor, Limits, Tree
from autosota.records import Recipe

_SECONDS = 300.0
_MARK = "autosota-imports:"
_CODE = """
import importlib, json, sys
result = {{}}
for name in {names!r}:
    try:
        importlib.import_module(name)
    except BaseException as error:
        result[name] = [type(error).__name__, str(error)[:300], getattr(error, "name", None) or ""]
print({mark!r} + json.dumps(result), flush=True)
"""


@dataclass(frozen=True)
class Broken:
    """An import that fails."""

    module: str
    error: str
    """Class of the exception."""
    words: str
    missing: str
    """The module that is absent, where that is the reason."""


def imports(modules: Sequence[str], recipe: Recipe, executor: Executor) -> tuple[Broken, ...]:
    """Import each module in one process of the environment; those that fail. A process that dies fails the whole list at once."""
    if not modules:
        return ()
    with tempfile.TemporaryDirectory(prefix="autosota-validate-") as folder:
        Path(folder).chmod(0o755)
        code = _CODE.format(names=list(modules), mark=_MARK)
        with executor.open(Tree(base=Path(folder)), recipe=recipe) as sandbox:
            execution = sandbox.run(Command(f"python - <<'AUTOSOTA'\n{code}\nAUTOSOTA", limits=Limits(seconds=_SECONDS)))
    lines = [line for line in execution.stdout.splitlines() if line.startswith(_MARK)]
    if not lines:
        if len(modules) > 1:
            return tuple(broken for module in modules for broken in imports([module], recipe, executor))
        last = execution.stderr.strip().splitlines()[-1:] or [f"the import ended with exit code {execution.exit_code}"]
        return (Broken(modules[0], "ImportError", last[0][:300], ""),)
    found = json.loads(lines[-1].removeprefix(_MARK))
    return tuple(
        Broken(name, error, words, missing if error == "ModuleNotFoundError" else "")
        for name, (error, words, missing) in found.items()
    )
