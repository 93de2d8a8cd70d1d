"""Coding agents behind the port `Coder`: our own loop over a shell, other people's agents, and recorded work for tests."""

from __future__ import annotations

from pathlib import Path

from autosota.errors import UsageError
from autosota.ports import Coder, Model

__all__ = ["open_coder"]


def open_coder(name: str, *, model: Model | None = None) -> Coder:
    """The coder of that name.

    "shell": our own loop, which asks `model`; "acp:COMMAND" and the names in `presets`: other people's agents; "scripted:FILE":
    replays a file.
    Raises UsageError for an unknown name or a missing model, MachineError where a program is not installed.
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
    from autosota.coders.program import Program

    if preset.kind == "acp":
        from autosota.coders.acp import AcpCoder

        return AcpCoder(Program(preset))
    from autosota.coders.printing import PrintingCoder

    return PrintingCoder(Program(preset))
