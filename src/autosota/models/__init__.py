"""Language models behind the port `Model`, by name. Provider libraries are imported when the first question is asked.

Names: those of `endpoints`, and `scripted:FILE`, `record:FILE:NAME`, `replay:FILE`.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from autosota.errors import MachineError, UsageError
from autosota.models.endpoints import Endpoint, parse
from autosota.ports import Model


def open_model(name: str, *, deadline: float | None = None, timeout: float = 600.0, pace: float = 1.0) -> Model:
    """The model of that name; nothing is asked of a hosted one yet. `deadline`: time.monotonic() after which it is not asked.
    Raises UsageError for an unknown name or a missing key, MachineError where the library is not installed."""
    kind, _, rest = name.partition(":")
    if kind in ("scripted", "replay") and rest:
        from autosota.models.recording import ReplayModel
        from autosota.models.scripted import ScriptedModel

        return ScriptedModel(Path(rest)) if kind == "scripted" else ReplayModel(Path(rest))
    if kind == "record" and ":" in rest:
        from autosota.models.recording import RecordingModel

        file, _, other = rest.partition(":")
        return RecordingModel(Path(file), open_model(other, deadline=deadline, timeout=timeout, pace=pace))
    from autosota.models.provider import HINT, ProviderModel

    endpoint = endpoint_of(name)
    if endpoint is None:
        raise UsageError(f"--model {name}: {kind} needs a file", f"write it like {kind}:FILE")
    if importlib.util.find_spec("pydantic_ai") is None:
        raise MachineError(f"--model {name} needs libraries that are not installed", HINT)
    return ProviderModel(endpoint, deadline=deadline, timeout=timeout, pace=pace)


def endpoint_of(name: str) -> Endpoint | None:
    """Where a model is; None for one that is a file. A URL without a model's name means the one model that is served there."""
    kind, _, rest = name.partition(":")
    if kind in ("scripted", "replay"):
        return None
    if kind == "record":
        return endpoint_of(rest.partition(":")[2])
    endpoint = parse(name)
    if not endpoint.model:
        from autosota.models.preflight import only_model

        endpoint = replace(endpoint, model=only_model(endpoint))
    return endpoint


def warm(opened: Iterable[Model], more: Callable[[], None]) -> None:
    """Load what models need, and `more`, in a thread of its own while other work goes on."""
    from autosota.models.provider import ProviderModel
    from autosota.models.recording import RecordingModel

    inner = [model.model if isinstance(model, RecordingModel) else model for model in opened]

    def load() -> None:
        more()
        for model in inner:
            if isinstance(model, ProviderModel):
                model.warm_quietly()

    threading.Thread(target=load, name="autosota-models-load", daemon=True).start()
