"""From requirement lines to a lock, relaxing step by step what cannot be had; every relaxation is noted.

Wheels only: the resolver never runs code of a package. A package that exists only as source is handed to `sources`, which
builds it in a sandbox and offers the wheel in a folder of its own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from autosota.environments import uv
from autosota.environments.interpreters import Interpreter
from autosota.environments.relaxations import (
    ATTEMPTS,
    Build,
    State,
    build_source,
    compile_lock,
    for_interpreter,
    processor_builds,
    relax,
    without_gpu,
    without_gpu_builds,
)
from autosota.errors import StageError
from autosota.records import Package

_FORWARD = 4


@dataclass(frozen=True)
class Lock:
    """A resolved set of packages."""

    text: str
    """Requirement lines with exact versions and, where the index gives them, hashes."""
    packages: tuple[Package, ...]
    interpreter: Interpreter
    links: tuple[str, ...]
    """Folders with wheels that were built for it."""
    notes: tuple[str, ...]


def resolve(
    requirements: Iterable[str],
    *,
    interpreter: Interpreter,
    constraints: Sequence[str] = (),
    alternatives: Sequence[Interpreter] = (),
    imported: frozenset[str] | None = None,
    build: Build | None = None,
    gpu: bool = False,
    before: str | None = None,
) -> Lock:
    """A lock for `requirements`. Raises StageError when nothing helps.

    `alternatives`: other interpreters that may serve old pins. `imported`: canonical names of the packages that the code
    imports, so that others can be given up. `before`: a date; nothing published later is taken, and nothing is relaxed for it."""
    lines: dict[str, str] = {canonicalize_name(Requirement(line).name): line for line in requirements}
    state = State(lines, list(constraints), interpreter, before=before)
    if not gpu:
        without_gpu(state)
    words = ""
    _ask_ahead(state)
    for _ in range(ATTEMPTS):
        done = compile_lock(state)
        if done is None:
            return Lock("", (), state.interpreter, tuple(state.links), tuple(state.notes))
        if done.returncode == 0:
            text = done.stdout if gpu else _for_processor(done.stdout, state, alternatives)
            return _lock(text, state, None if before else build)
        if before:
            break
        words = done.stderr
        if uv.unreachable(words):
            if state.offline:
                raise StageError(
                    "no package index can be reached and the cache lacks what is needed: " + _last(words),
                    "connect once to fill the cache, set PIP_FIND_LINKS to a folder of wheels, or use --python",
                )
            state.offline = True
            continue
        if not relax(state, words, alternatives, imported, build):
            break
    raise StageError(
        "the packages this repository asks for cannot be installed together: " + _last(words),
        "loosen its requirements, or give an interpreter that has them with --python",
    )


def _for_processor(text: str, state: State, alternatives: Sequence[Interpreter]) -> str:
    """The lock without GPU libraries of gigabytes: a local build for processors, PyTorch's own index, or another Python that a
    local build is for. Pins are kept: where none of these has the version asked for, what is about to be downloaded is said."""
    heavy = _gpu_libraries(text)
    if not heavy:
        return text
    # A pin that was given up on the way had kept local builds out.
    constrained = without_gpu_builds(state)
    for processor in (False, True) if constrained else (True,):
        state.processor = processor
        done = compile_lock(state)
        if done is not None and done.returncode == 0 and not _gpu_libraries(done.stdout):
            state.notes.append("builds for processors are taken: this machine has no GPU")
            return done.stdout
    state.processor = False
    for interpreter in alternatives:
        other = for_interpreter(state, interpreter)
        done = compile_lock(other) if other is not None else None
        if other is not None and done is not None and done.returncode == 0 and not _gpu_libraries(done.stdout):
            state.notes.append(
                f"Python {interpreter.version} instead of {state.interpreter.version}: builds for processors are there for it, "
                "and this machine has no GPU"
            )
            state.interpreter, state.constraints = interpreter, other.constraints
            return done.stdout
    words = (
        f"{len(heavy)} GPU libraries, over 2 GB, are downloaded although this machine has no GPU: no index here offers PyTorch's "
        f"build for processors (put its wheel into a folder that PIP_FIND_LINKS names){_unfit(text, state)}"
    )
    logging.getLogger(__name__).warning(words)
    state.notes.append(words)
    return text


def _gpu_libraries(lock: str) -> list[str]:
    return [package.name for package in packages_of(lock) if package.name.startswith("nvidia-")]


def _unfit(text: str, state: State) -> str:
    """The local builds for processors that do not serve, in words; "" where there are none."""
    chosen = {package.name: package.version for package in packages_of(text)}
    held = [
        f"{name} {version} is there, but "
        + (f"its date is not known to be before {state.before}" if state.before else f"{chosen[name]} is asked for")
        for name, version in processor_builds(state.interpreter).items()
        if name in chosen
    ]
    return f"; {', '.join(held)}" if held else ""


def newest(names: Sequence[str], interpreter: Interpreter, links: Sequence[str] = ()) -> dict[str, str]:
    """The newest installable version of each package on its own (canonical names); empty when the index does not answer."""
    if not names:
        return {}
    arguments = ["pip", "compile", "-", "--no-build", "--no-deps", "--no-header", "--no-annotate", "--python", interpreter.path]
    for link in links:
        arguments += ["--find-links", link]
    done = uv.run(arguments, stdin="\n".join(names) + "\n")
    return {package.name: package.version for package in packages_of(done.stdout)} if done.returncode == 0 else {}


def packages_of(lock: str) -> tuple[Package, ...]:
    """The packages a lock names, by canonical name, sorted."""
    found = {}
    for match in re.finditer(r"(?m)^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", lock):
        found[canonicalize_name(match[1])] = match[2]
    return tuple(Package(name=name, version=version) for name, version in sorted(found.items()))


def _lock(text: str, state: State, build: Build | None) -> Lock:
    behind = _backtracked(state, packages_of(text))
    better = _forward(state, behind, build) if behind and build is not None else None
    if better is not None:
        text, state = better
        behind = _backtracked(state, packages_of(text))
    notes = [
        f"{package.name} {package.version} was chosen although {wanted} exists: another package asks for it"
        for package, wanted in behind
    ]
    return Lock(text, packages_of(text), state.interpreter, tuple(state.links), (*state.notes, *notes))


def _forward(state: State, behind: Sequence[tuple[Package, str]], build: Build | None) -> tuple[str, State] | None:
    """The newer releases, where only a package without wheels, which can be built, is in their way."""
    ahead = State(dict(state.lines), list(state.constraints), state.interpreter, dict(state.overrides), list(state.excluded))
    ahead.links, ahead.notes, ahead.unbuildable = list(state.links), list(state.notes), dict(state.unbuildable)
    ahead.lines.update({package.name: f"{state.lines[package.name]}>={wanted}" for package, wanted in behind})
    for _ in range(_FORWARD):
        done = compile_lock(ahead)
        if done is None or done.returncode == 0:
            break
        if not build_source(ahead, " ".join(done.stderr.split()), build, compiled=False):
            return None
    else:
        return None
    if done is None:
        return None
    ahead.lines = dict(state.lines)
    return done.stdout, ahead


def _backtracked(state: State, packages: Sequence[Package]) -> list[tuple[Package, str]]:
    """A resolver may quietly choose a much older release to satisfy another package: those a release series behind the newest."""
    bare = _bare(state)
    if not bare or state.offline:
        return []
    asked = _asked.pop(_question(state, bare), None)
    expected = asked.result() if asked is not None else newest(bare, state.interpreter, state.links)
    wanted = [(package, expected[package.name]) for package in packages if package.name in expected]
    return [(package, version) for package, version in wanted if _series(version) > _series(package.version)]


def _bare(state: State) -> list[str]:
    """Packages of which any version would do, where another one could hold them back."""
    held = {canonicalize_name(Requirement(line).name) for line in state.constraints}
    bare = [name for name, line in state.lines.items() if not Requirement(line).specifier and name not in held]
    return bare if len(state.lines) >= 2 and not state.before else []


_asked: dict[tuple[str, ...], Future[dict[str, str]]] = {}


def _question(state: State, names: Sequence[str]) -> tuple[str, ...]:
    return (state.interpreter.path, *names, "", *state.links)


def _ask_ahead(state: State) -> None:
    """Ask for the newest versions while the resolution runs; `_backtracked` wants to know them right after it."""
    names = _bare(state)
    if names and not state.offline:
        interpreter, links = state.interpreter, list(state.links)
        pool = ThreadPoolExecutor(1)
        _asked[_question(state, names)] = pool.submit(lambda: newest(names, interpreter, links))
        pool.shutdown(wait=False)


def _series(version: str) -> tuple[int, ...]:
    try:
        return Version(version).release[:2]
    except InvalidVersion:
        return ()


def _last(words: str) -> str:
    cause = re.search(r"cause: (.*?)(?:\n\n|\Z)", words, re.S)
    return " ".join((cause[1] if cause else words).split())[:500]


def valid(line: str) -> bool:
    """Is it a requirement line?"""
    try:
        Requirement(line)
    except InvalidRequirement:
        return False
    return True
