"""Tunable values found in a source tree: reading, typing, rewriting. Nothing of the repository is imported or run.

`find` gives the knobs, `write` puts values into them, `value` and `write_key` look at a file by dotted key (constraints, seeds).
"""

from __future__ import annotations

from autosota.knobs.finding import find, importance, likelier
from autosota.knobs.writing import value, write, write_key

__all__ = ["find", "importance", "likelier", "value", "write", "write_key"]
