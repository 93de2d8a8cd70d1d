"""Report and views of a run: `write` makes every file of the run directory that is derived from its records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autosota.store import Store

__all__ = ["write"]


def write(store: Store) -> list[Path]:
    """Write report.html, report.md and the views from the records as they are now; unfinished and failed runs too.

    Returns the paths written, the reports first. Raises StageError or UsageError where a record cannot be read.
    """
    from autosota.report import derived, html, markdown
    from autosota.report.facts import gather

    facts = gather(store)
    files = {"report.html": html.render(facts), "report.md": markdown.render(facts), **derived.render(facts)}
    return [store.write(name, text) for name, text in files.items()]
