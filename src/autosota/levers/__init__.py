"""Structural improvements as code transformations, one file each, with a detector that says where they apply (paper 3.7).

`load()` gives every lever, `get(name)` one. A module of this folder that has a `LEVER` is a lever; nothing else is registered.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autosota.levers.base import Lever

_SHARED = frozenset({"base", "source", "loops", "estimators"})
"""Modules that levers share and that are none."""


@cache
def load() -> tuple[Lever, ...]:
    """Every lever, most promising first."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SHARED)
    levers: list[Lever] = [importlib.import_module(f"{__name__}.{name}").LEVER for name in names]
    return tuple(sorted(levers, key=lambda lever: (-lever.priority, lever.name)))


def get(name: str) -> Lever:
    """The lever of that name. KeyError for an unknown one."""
    for lever in load():
        if lever.name == name:
            return lever
    raise KeyError(name)
