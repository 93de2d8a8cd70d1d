"""Remedies in the environment: packages that are missing, wrong, too new, or built for others."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version

from autosota.environments import imports
from autosota.environments.names import canonical, is_standard, package_of
from autosota.failures import Failure
from autosota.skills import Context, Remedy, edits, remedy

_DISTRIBUTION = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "cv2": "opencv-python-headless",
    "yaml": "pyyaml",
}
_SETUPTOOLS = "setuptools<81"


@remedy("missing-package")
def missing_package(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Install the package that provides the module, unless the module is the repository's own."""
    module = match[1]
    top = module.partition(".")[0]
    if top in imports.own_modules(context.tree) or is_standard(top):
        return None
    package = package_of(module)
    if context.package(canonical(re.split(r"[<>=!]", package)[0])) is not None:
        return None
    return Remedy(f"Install {package}, which provides the module {top}", install=(package,))


@remedy("removed-setuptools-module")
def removed_setuptools_module(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """pkg_resources left setuptools, and distutils left Python: an older setuptools brings both."""
    return Remedy(f"Install {_SETUPTOOLS}, which still has {match[1]}", install=(_SETUPTOOLS,))


@remedy("optional-dependency")
def optional_dependency(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Install what a library says it needs for this call."""
    package = next((group for group in match.groups() if group), "")
    name = canonical(package)
    if not package or context.package(name) is not None or is_standard(package):
        return None
    package = package_of(package)
    return Remedy(f"Install {package}, which a library asks for", install=(package,))


@remedy("opencv-without-screen")
def opencv_without_screen(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The build without graphics needs no libGL."""
    if context.package("opencv-python-headless") is not None and context.package("opencv-python") is None:
        return None
    return Remedy(
        f"Use OpenCV's headless build: {match[1]} is not on this machine",
        install=("opencv-python-headless",), drop=("opencv-python", "opencv-contrib-python"),
    )  # fmt: skip


@remedy("built-for-older-numpy")
def built_for_older_numpy(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A wheel compiled for NumPy 1 wants NumPy 1."""
    version = context.package("numpy")
    return (
        Remedy("Use NumPy 1: a package was compiled for it", install=("numpy<2",))
        if version and Version(version).major >= 2
        else None
    )


@remedy("dependency-needs-older")
def dependency_needs_older(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """An installed package uses what another no longer has: the other one, a major release back."""
    if edits.raised_by(failure, context.tree, context.root):
        return None
    module = next((group for group in match.groups() if group), "").partition(".")[0]
    if "module 'numpy'" in failure.message or "`np." in failure.message:
        module = "numpy"
    name = canonical(_DISTRIBUTION.get(module, module))
    installed = context.package(name)
    callers = [frame.library for frame in failure.frames if frame.library not in (name, "python")]
    if installed is None or not callers or callers[-1] is None:
        return None
    try:
        version = Version(installed)
    except InvalidVersion:
        return None
    bound = f"{version.major}" if version.major > 1 else f"{version.major}.{max(version.minor - 2, 0)}"
    if name == "numpy" and version.major == 1:
        bound = "1.24"
    return Remedy(f"Use {name} before {bound}: an installed package needs it", install=(f"{name}<{bound}",))


@remedy("dependency-too-old")
def dependency_too_old(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """An installed package, held back by a pin, uses what this Python or another package no longer has: its newer releases."""
    libraries = [frame.library for frame in failure.frames]
    own = [index for index, library in enumerate(libraries) if library is None]
    inner = [str(library) for library in libraries[own[-1] + 1 :] if library not in (None, "python")] if own else []
    pinned = {canonical(re.split(r"[<>=!~\[ ]", line)[0]): line for line in context.recipe.requirements}
    for library in reversed(inner):
        name = canonical(_DISTRIBUTION.get(library, library))
        version = context.package(name)
        if version is not None and re.search(r"[=<~]", pinned.get(name, "").replace(">=", "")):
            return Remedy(f"Use {name} after {version}: what it needs is gone here", install=(f"{name}>{version}",))
    return None


@remedy("libraries-of-its-time")
def libraries_of_its_time(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Unpinned code that meets libraries newer than itself: those of the day of its last commit."""
    if context.date is None or context.before is not None or not context.recipe.packages:
        return None
    unpinned = [line for line in context.recipe.requirements if "==" not in line]
    mentioned = any(frame.library not in (None, "python") for frame in failure.frames) or any(
        re.search(rf"\b{re.escape(package.name)}\b", failure.message) for package in context.recipe.packages
    )
    if not unpinned or not (mentioned or re.search(r"argument|attribute", failure.message)):
        return None
    return Remedy(f"Use the libraries of {context.date}, when the code was last changed", before=context.date)


@remedy("newer-python-needed")
def newer_python_needed(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Syntax or library of a newer Python: the oldest newer one that this machine has."""
    current = _python(context)
    newer = [text for text in reversed(context.pythons) if _pair(text) > current]
    if not newer:
        return None
    wanted = next((text for text in newer if _pair(text) >= (3, 12)), newer[0]) if "f-string" in failure.message else newer[0]
    return Remedy(f"Use Python {wanted}: {failure.message.splitlines()[0][:80]}", python=wanted)


@remedy("older-python-needed")
def older_python_needed(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A module or function that newer Pythons no longer have, used by an installed package."""
    if edits.raised_by(failure, context.tree, context.root):
        return None
    older = [text for text in context.pythons if _pair(text) < _python(context)]
    return Remedy(f"Use Python {older[0]}: an installed package needs {match[1]}", python=older[0]) if older else None


@remedy("package-metadata-missing")
def package_metadata_missing(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A distribution is asked for by name: install it, unless it is there."""
    name = canonical(match[1])
    return None if context.package(name) is not None else Remedy(f"Install {name}, whose metadata are read", install=(name,))


def _pair(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _python(context: Context) -> tuple[int, int]:
    folder = context.site_packages()
    match = re.search(r"python(\d+)\.(\d+)", str(folder)) if folder else None
    return (int(match[1]), int(match[2])) if match else (3, 99)
