"""Labels and sealed files: what lies with the host until something is scored (architecture, section 6)."""

from __future__ import annotations

import threading

from autosota import sealing, withholding
from autosota.errors import UsageError
from autosota.exports import Swap, outside
from autosota.records import Change, Environment
from autosota.store import VAULT, Store
from autosota.withholding import Split
from autosota.workspace import Workspace


class Vault:
    """The labels of one environment. Without a store they are read where they lie, and no rows are withheld."""

    def __init__(self, workspace: Workspace, environment: Environment, store: Store | None) -> None:
        self._workspace, self._environment, self._store = workspace, environment, store
        self._splitting = threading.Lock()
        self._chosen: Split | None = None

    def labels(self, swap: Swap) -> dict[str, bytes]:
        """The labels that the scorer sees: those laid here before the first scoring, or swapped ones. Raises UsageError."""
        tree = self._workspace.tree(self._environment.commit)
        found: dict[str, bytes] = {}
        for name in self._environment.commands.labels:
            kept = self._store.folder / VAULT / name if self._store is not None else None
            if name in swap.files:
                content = swap.files[name]
            elif kept is not None and kept.is_file():
                content = kept.read_bytes()
            else:
                inside = tree.get(name)
                content = inside if inside is not None else self._read(name)
                if self._store is not None:
                    self._store.keep(VAULT, Change(path=name, content=content))
            found[name] = content
        return found

    def _read(self, name: str) -> bytes:
        """A label file that git does not hold. Raises UsageError where it is missing, or lies elsewhere."""
        hint = "[evaluation] labels are paths in the repository or below [mounts]"
        root = self._workspace.repository
        path = outside(name, self._environment.mounts, root)
        if path == root / name and not path.resolve().is_relative_to(root.resolve()):
            raise UsageError(f"the label file {name} lies outside the repository", hint)
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError(f"the label file {name} cannot be read: {error.strerror}", hint) from None

    def split(self) -> Split:
        """Which rows are withheld: the same in every run of this task. Raises UsageError where the labels have no rows."""
        share = self._environment.commands.withhold
        if self._store is None or share is None:
            raise TypeError("rows are withheld by a store's key")
        with self._splitting:
            if self._chosen is None:
                self._chosen = withholding.choose(self.labels(Swap()), share, self._store.withheld_key())
            return self._chosen

    def sealed(self) -> dict[str, bytes]:
        """The sealed files: path in the tree → content. Raises UsageError where one is gone."""
        return sealing.contents(self._environment.sealed)
