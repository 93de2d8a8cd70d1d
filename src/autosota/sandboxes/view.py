"""What a bubblewrap sandbox sees of the machine: arguments for `bwrap`, and the small system files made for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from autosota.records import Mount, Recipe

USER = 65534
"""User and group inside."""
WORKSPACE = "/workspace"
_MADE = {
    "passwd": f"root:x:0:0:root:/:/bin/false\nnobody:x:{USER}:{USER}:nobody:/tmp/home:/bin/sh\n",
    "group": f"root:x:0:\nnogroup:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost autosota\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_TAKEN = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "os-release", "mime.types", "fonts")
_FOR_NETWORK = ("resolv.conf", "ssl", "pki", "ca-certificates", "services", "protocols", "gai.conf")
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


def make_etc(folder: Path, *, network: bool) -> None:
    """Fill a folder with the little of /etc that programs need: no account, key or name of the host."""
    folder.mkdir(parents=True)
    for name in _TAKEN + (_FOR_NETWORK if network else ()):
        source = Path("/etc", name)
        if source.is_symlink():
            (folder / name).symlink_to(source.readlink() if name != "resolv.conf" else source.resolve())
        elif source.is_dir():
            shutil.copytree(source, folder / name, symlinks=True, ignore_dangling_symlinks=True, ignore=_private)
        elif source.is_file():
            shutil.copyfile(source, folder / name)
    if network and Path("/etc/resolv.conf").is_file():
        (folder / "resolv.conf").unlink(missing_ok=True)
        shutil.copyfile("/etc/resolv.conf", folder / "resolv.conf")
    for name, text in _MADE.items():
        (folder / name).write_text(text, encoding="ascii")


def _private(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "private" or not os.access(Path(folder, name), os.R_OK)]


def system(etc: Path) -> Iterator[str]:
    """System folders read-only, fresh /proc and /dev."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in SYSTEM:
        folder = Path(name)
        if folder.is_symlink():
            yield from ("--symlink", os.readlink(folder), name)
        elif folder.is_dir():
            yield from ("--ro-bind", name, name)
    yield from ("--ro-bind", str(etc), "/etc")
    yield from ("--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu")
    yield from ("--proc", "/proc", "--dev", "/dev", "--dir", "/var", "--symlink", "/tmp", "/var/tmp")
    for device in accelerators():
        yield from ("--dev-bind-try", device, device)


def accelerators(dev: Path = Path("/dev")) -> list[str]:
    """Device files of GPUs; evaluations may use them, in both arms alike."""
    found = [*dev.glob("nvidia*"), *dev.glob("kfd"), *dev.glob("dri")]
    return sorted(str(path) for path in found)


def environment(recipe: Recipe) -> Iterator[str]:
    """The environment's folders, read-only, at the paths they have on the host; those of the system are there already."""
    for name in environment_folders(recipe):
        yield from folders_above(name)
        yield from ("--ro-bind", name, name)


def environment_folders(recipe: Recipe) -> Iterator[str]:
    """Folders of an environment that are not the system's, outermost only."""
    seen: list[Path] = [Path("/usr")]
    for name in (recipe.prefix, *recipe.paths):
        folder = Path(name)
        if not name or any(folder.is_relative_to(other) for other in seen) or not folder.is_absolute():
            continue
        seen.append(folder)
        yield name


def folders_above(target: str) -> Iterator[str]:
    """Make the folders above a mount passable: bwrap itself makes them for their owner only."""
    for folder in reversed(PurePosixPath(target).parents[:-1]):
        yield from ("--dir", str(folder))


def mounted(mounts: Sequence[Mount]) -> Iterator[tuple[str, str, bool]]:
    """Source, absolute target and whether it is writable, outer targets first."""
    absolute = [(mount.source, os.path.normpath(os.path.join(WORKSPACE, mount.target)), mount.writable) for mount in mounts]
    yield from sorted(absolute, key=lambda one: one[1].count("/"))
