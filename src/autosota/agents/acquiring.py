"""Getting what the code needs and the repository lacks (paper section 3.2.2): the second half of AgentResource.

Only files are fetched whose place in the repository is known: the code opens a path that is not there, and an address in the
same call, or one of the same file name elsewhere in the repository, says where it comes from. One after another within a run;
runs share the store and wait for each other only at the same address.
"""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autosota import archives, downloads
from autosota.downloads import Downloads, Kept, Refused
from autosota.errors import UsageError
from autosota.formats import size as words
from autosota.records import Asset, Mount

SMALL = 200 * 10**6
"""Bytes that a run downloads without being told to (`--yes` lifts it)."""
LARGEST = 50 * 10**9
FOLDERS = {"dataset": "datasets", "model": "models", "checkpoint": "checkpoints", "other": "others"}
"""The fixed tree below a run's resources, by kind; each holds links into the store."""


@dataclass(frozen=True)
class Wanted:
    """A file that the code opens and that is not there."""

    asset: Asset
    target: str
    """Where in the repository it belongs."""
    url: str
    member: str | None
    """File name in the archive behind `url`; None: `url` is the file itself."""


def wanted(assets: Sequence[Asset], root: Path) -> list[Wanted]:
    """What is missing, has an address and a place, in the order of the registry; each place once."""
    addresses = [asset for asset in assets if asset.url is not None and downloads.is_file(asset.url)]
    named = {_file_name(asset.url or ""): asset for asset in reversed(addresses)}
    packed = [asset for asset in addresses if _file_name(asset.url or "").lower().endswith(archives.SUFFIXES)]
    found: dict[str, Wanted] = {}
    for asset in assets:
        target = None if asset.present or asset.path is None else place(asset, root)
        if target is None or target in found or (root / target).exists():
            continue
        name = PurePosixPath(target).name
        source = asset if asset.url is not None and downloads.is_file(asset.url) else named.get(name)
        if source is not None and source.url is not None:
            inside = _file_name(source.url).lower().endswith(archives.SUFFIXES) and not name.lower().endswith(archives.SUFFIXES)
            found[target] = Wanted(asset, target, source.url, name if inside else None)
        elif asset.kind in ("dataset", "checkpoint") and len(packed) == 1 and packed[0].url is not None:
            found[target] = Wanted(asset, target, packed[0].url, name)
    return list(found.values())


def place(asset: Asset, root: Path) -> str | None:
    """The asset's path from the root; None where it lies outside. One that starts with `..` counts from the file that
    opens it, as it does for scripts that are run from their own folder."""
    path = asset.path or ""
    if path.startswith(("/", "~")) or not path:
        return None
    folder = posixpath.dirname(asset.evidence.file or "")
    own = posixpath.normpath(posixpath.join(folder, path)) if path.startswith("..") else posixpath.normpath(path)
    if own.startswith("..") or own in (".", ""):
        return None
    return own


class Acquire:
    """Downloads into the store and a run's resources. `most`: bytes in all."""

    def __init__(self, store: Downloads, *, most: int, note: Callable[[str], None]) -> None:
        self._store, self._most, self._note = store, most, note

    def run(self, assets: Sequence[Asset], root: Path, folder: Path) -> tuple[tuple[Asset, ...], tuple[str, ...]]:
        """The registry with what is there now (`bytes`, `digest`, a path from the root), and what a reader should know.
        `folder`: the run's resources. Raises MachineError where the store cannot be written."""
        left, notes = self._most, []
        got: dict[str, Asset] = {}
        for item in wanted(assets, root):
            promised = self._store.size(item.url) if self._store.known(item.url) is None else 0
            if promised is not None and promised > left:
                allowed = f"--yes allows more than {words(self._most)}"
                notes.append(f"not downloaded: {item.target} from {item.url}, {words(promised)}; {allowed}")
                continue
            kept = self._store.get(item.url, most=left, progress=self._progress)
            path = self._unpacked(item, kept, notes) if isinstance(kept, Kept) else None
            if isinstance(kept, Refused):
                notes.append(f"not downloaded: {item.target} from {item.url}: {kept.reason}")
            if path is None or not isinstance(kept, Kept):
                continue
            left -= kept.bytes if kept.fresh else 0
            link = self._link(item, path, folder)
            notes.append(f"downloaded: {item.target} from {item.url}, {words(path.stat().st_size)}, as {link}")
            got[item.target] = item.asset.model_copy(
                update={"url": item.url, "path": item.target, "bytes": path.stat().st_size, "digest": f"sha256:{kept.digest}"}
            )
        for line in notes:
            self._note(line)
        return tuple(got.get(place(asset, root) or "", asset) for asset in assets), tuple(notes)

    def _progress(self, url: str, size: int, total: int | None) -> None:
        step = 50 * 10**6
        if size // step != (size - 2**18) // step:
            self._note(f"{url}: {words(size)}" + (f" of {words(total)}" if total else ""))

    def _unpacked(self, item: Wanted, kept: Kept, notes: list[str]) -> Path | None:
        """The file itself, from its archive where it is in one."""
        if item.member is None:
            return kept.path
        folder = kept.path.parent.parent / "unpacked" / kept.digest
        try:
            if not folder.is_dir():
                draft = folder.with_suffix(".draft")
                shutil.rmtree(draft, ignore_errors=True)
                draft.parent.mkdir(parents=True, exist_ok=True)
                archives.unpack(kept.path, draft)
                draft.rename(folder)
        except UsageError as error:
            notes.append(f"not unpacked: {item.url}: {error.message.removeprefix(str(kept.path)).lstrip(': ')}")
            return None
        found = [path for path in sorted(folder.rglob(item.member)) if path.is_file() and not path.is_symlink()]
        if len(found) > 1:
            found = [path for path in found if path.as_posix().endswith("/" + item.target)] or found[:1]
        if not found:
            notes.append(f"not downloaded: {item.target}: no {item.member} in {item.url}")
        return found[0] if found else None

    def _link(self, item: Wanted, path: Path, folder: Path) -> str:
        link = folder / FOLDERS[item.asset.kind] / item.target
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        return link.relative_to(folder.parent).as_posix()


def mounts(assets: Sequence[Asset], folder: Path) -> Iterator[Mount]:
    """What `Acquire` got, as the sandbox shows it: read-only, where the code looks. `folder`: the run's resources."""
    for asset in assets:
        if asset.digest is None or asset.path is None or asset.present:
            continue
        link = folder / FOLDERS[asset.kind] / asset.path
        if link.exists():
            yield Mount(source=str(link.resolve()), target=asset.path)


def _file_name(url: str) -> str:
    return PurePosixPath(url.partition("?")[0].partition("#")[0]).name
