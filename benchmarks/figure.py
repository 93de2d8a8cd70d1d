"""A measured figure, with its target and what it is compared with."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table that `make bench` prints."""

    name: str
    measured: float
    unit: str
    target: float | None = None
    """None: no target, the line is there for comparison."""
    larger: bool = False
    """Is more better?"""
    compared: str = ""
    """With what, in words."""

    @property
    def reached(self) -> bool | None:
        """Is the target met? None without one."""
        if self.target is None:
            return None
        return self.measured >= self.target if self.larger else self.measured <= self.target

    def row(self) -> str:
        """The line in Markdown."""
        state = {None: "", True: "yes", False: "NO"}[self.reached]
        bound = "" if self.target is None else f"{'≥' if self.larger else '≤'} {self.target:g} {self.unit}"
        return f"| {self.name} | {self.measured:.3g} {self.unit} | {bound} | {state} | {self.compared} |"


HEAD = "| figure | measured | target | reached | compared with |\n|---|---|---|---|---|"
"""Over the rows."""


def machine() -> str:
    """Where it was measured, and how busy the machine was."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {system}, load average {load}"
