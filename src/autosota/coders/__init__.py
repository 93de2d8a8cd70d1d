"""Coding agents behind the port `Coder`: our own loop over a shell, other people's agents, and recorded work for tests."""

from __future__ import annotations

from pathlib import Path

from autosota.errors import UsageError
from autosota.ports import Coder, Model

__all__ = ["open_coder"]


def open_coder(name: str, *, model: Model | None = None) -> Coder:
    """The coder of that name.

    "shell": our own loop, which asks `model`; "scripted:FILE": replays a file.
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
    raise UsageError(f"unknown coder: {name!r}", "choose shell or scripted:FILE")
