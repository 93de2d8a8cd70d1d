"""Coding agents behind the port `Coder`: our own loop over a shell, other people's agents, and recorded work for tests."""

from __future__ import annotations

from pathlib import Path

from autosota.errors import MachineError, UsageError
from autosota.ports import Coder, Executor, Model

__all__ = ["open_coder"]


def open_coder(name: str, *, model: Model | None = None, executor: Executor | None = None) -> Coder:
    """The coder of that name.

    "shell": our own loop, which asks `model`; "acp:COMMAND" and the names in `presets`: other people's agents; "scripted:FILE":
    replays a file. `executor`: where it will work.
    Raises UsageError for an unknown name or a missing model, MachineError where a program is not installed, or could not reach
    its provider from the executor's sandboxes.
    """
    kind, _, rest = name.partition(":")
    if kind == "shell" and not rest:
        from autosota.coders.shell import ShellCoder

        if model is None:
            raise UsageError("--coder shell asks a model, and there is none", "name one with --model")
        return ShellCoder(model)
    if kind == "scripted":
        from autosota.coders.scripted import ScriptedCoder

        return ScriptedCoder(Path(rest))
    from autosota.coders.presets import PRESETS, custom

    preset = PRESETS.get(name) or (custom(rest) if kind == "acp" and rest.strip() else None)
    if preset is None:
        raise UsageError(f"unknown coder: {name!r}", f"choose shell, {', '.join(PRESETS)}, acp:COMMAND or scripted:FILE")
    if executor is not None and not executor.loopback:
        raise MachineError(
            f"the coder {preset.name} reaches its provider through a loopback, and the sandbox {executor.name} has none here",
            "allow user namespaces, use --sandbox bubblewrap, or our own loop with --coder shell",
        )
    from autosota.coders.program import Program

    if preset.kind == "acp":
        from autosota.coders.acp import AcpCoder

        return AcpCoder(Program(preset))
    from autosota.coders.printing import PrintingCoder

    return PrintingCoder(Program(preset))
