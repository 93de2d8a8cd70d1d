"""What several tests build on: small repositories that run with this interpreter alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from autosota.records import Commands, Environment, MetricSpec, Recipe, SeedPlace, Zones

ACCURACY = MetricSpec(name="accuracy", direction="max", primary=True)


def recipe() -> Recipe:
    """This interpreter's own environment."""
    return Recipe(digest="own", python=sys.executable, prefix=sys.prefix, paths=tuple({sys.base_prefix, sys.exec_prefix}))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository on disk."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def environment(
    commit: str, *, protected: tuple[str, ...] = (), seed: SeedPlace | None = None, **commands: object
) -> Environment:
    """An environment of this interpreter for one command, or predict and score."""
    place = seed or SeedPlace(kind="placeholder")
    return Environment(
        commit=commit,
        recipe=recipe(),
        commands=Commands.model_validate({"seed": place, **commands}),
        zones=Zones(protected=protected),
    )
