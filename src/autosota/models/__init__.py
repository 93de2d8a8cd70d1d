"""Language models behind the port `Model`, by name. Provider libraries are imported when the first question is asked."""

from __future__ import annotations

from pathlib import Path

from autosota.errors import UsageError
from autosota.ports import Model


def open_model(name: str) -> Model:
    """The model of that name: `scripted:FILE`, `record:FILE:NAME`, `replay:FILE`. Raises UsageError or MachineError."""
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        from autosota.models.scripted import ScriptedModel

        return ScriptedModel(Path(rest))
    if kind == "replay" and rest:
        from autosota.models.recording import ReplayModel

        return ReplayModel(Path(rest))
    if kind == "record" and ":" in rest:
        from autosota.models.recording import RecordingModel

        file, _, other = rest.partition(":")
        return RecordingModel(Path(file), open_model(other))
    raise UsageError(f"--model {name}: unknown", "write it like scripted:FILE")
