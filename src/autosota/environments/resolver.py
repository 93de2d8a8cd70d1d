"""From requirement lines to a lock, relaxing step by step what cannot be had; every relaxation is noted.

Wheels only: the resolver never runs code of a package. A package that exists only as source is handed to `sources`, which
builds it in a sandbox and offers the wheel in a folder of its own.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from autosota.environments import uv
from autosota.environments.interpreters import Interpreter
from autosota.environments.names import GPU_PACKAGES
from autosota.errors import StageError
from autosota.records import Package

_ATTEMPTS = 40
_FORWARD = 4

Build = Callable[[str, Interpreter, bool], Path | str]
"""(requirement, interpreter, compiled too) → folder with the wheel, or why there is none."""


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


@dataclass
class _State:
    """What is asked for now, and what was given up on the way."""

    lines: dict[str, str]
    constraints: list[str]
    interpreter: Interpreter
    overrides: dict[str, str] = field(default_factory=dict)
    excluded: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unbuildable: dict[str, str] = field(default_factory=dict)
    other_tried: bool = False
    offline: bool = False


def resolve(
    requirements: Iterable[str],
    *,
    interpreter: Interpreter,
    constraints: Sequence[str] = (),
    alternatives: Sequence[Interpreter] = (),
    imported: frozenset[str] | None = None,
    build: Build | None = None,
    gpu: bool = False,
) -> Lock:
    """A lock for `requirements`. Raises StageError when nothing helps.

    `alternatives`: other interpreters that may serve old pins. `imported`: canonical names of the packages that the code
    imports, so that others can be given up."""
    lines: dict[str, str] = {canonicalize_name(Requirement(line).name): line for line in requirements}
    state = _State(lines, list(constraints), interpreter)
    if not gpu:
        _without_gpu(state)
    words = ""
    for _ in range(_ATTEMPTS):
        done = _compile(state)
        if done is None:
            return Lock("", (), state.interpreter, tuple(state.links), tuple(state.notes))
        if done.returncode == 0:
            return _lock(done.stdout, state, build)
        words = done.stderr
        if uv.unreachable(words):
            if state.offline:
                raise StageError(
                    "no package index can be reached and the cache lacks what is needed: " + _last(words),
                    "connect once to fill the cache, set PIP_FIND_LINKS to a folder of wheels, or use --python",
                )
            state.offline = True
            continue
        if not _relax(state, words, alternatives, imported, build):
            break
    raise StageError(
        "the packages this repository asks for cannot be installed together: " + _last(words),
        "loosen its requirements, or give an interpreter that has them with --python",
    )


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


def _compile(state: _State) -> subprocess.CompletedProcess[str] | None:
    """One resolution; None when nothing is asked for."""
    if not state.lines:
        return None
    arguments = ["pip", "compile", "-", "--no-build", "--no-header", "--no-annotate", "--generate-hashes"]
    arguments += ["--python", state.interpreter.path]
    for link in state.links:
        arguments += ["--find-links", link]
    with tempfile.TemporaryDirectory(prefix="autosota-lock-") as folder:
        files = {"constraints": state.constraints, "overrides": list(state.overrides.values()), "excludes": state.excluded}
        for option, lines in files.items():
            if lines:
                path = Path(folder, f"{option}.txt")
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                arguments += [f"--{option}", str(path)]
        return uv.run(arguments, stdin="\n".join(state.lines.values()) + "\n", offline=state.offline)


def _lock(text: str, state: _State, build: Build | None) -> Lock:
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


def _forward(state: _State, behind: Sequence[tuple[Package, str]], build: Build | None) -> tuple[str, _State] | None:
    """The newer releases, where only a package without wheels, which can be built, is in their way."""
    ahead = _State(dict(state.lines), list(state.constraints), state.interpreter, dict(state.overrides), list(state.excluded))
    ahead.links, ahead.notes, ahead.unbuildable = list(state.links), list(state.notes), dict(state.unbuildable)
    ahead.lines.update({package.name: f"{state.lines[package.name]}>={wanted}" for package, wanted in behind})
    for _ in range(_FORWARD):
        done = _compile(ahead)
        if done is None or done.returncode == 0:
            break
        if not _build_source(ahead, " ".join(done.stderr.split()), build, compiled=False):
            return None
    else:
        return None
    if done is None:
        return None
    ahead.lines = dict(state.lines)
    return done.stdout, ahead


def _backtracked(state: _State, packages: Sequence[Package]) -> list[tuple[Package, str]]:
    """A resolver may quietly choose a much older release to satisfy another package: those a release series behind the newest."""
    bare = [name for name, line in state.lines.items() if not Requirement(line).specifier]
    if not bare or len(state.lines) < 2 or state.offline:
        return []
    expected = newest(bare, state.interpreter, state.links)
    wanted = [(package, expected[package.name]) for package in packages if package.name in expected]
    return [(package, version) for package, version in wanted if _series(version) > _series(package.version)]


def _series(version: str) -> tuple[int, ...]:
    try:
        return Version(version).release[:2]
    except InvalidVersion:
        return ()


# ── relaxations, in order ─────────────────────────────────────────────────────────────────────────────────────────────


def _without_gpu(state: _State) -> None:
    """CUDA builds and GPU variants do not exist or do not serve on a machine without a GPU."""
    for name, line in list(state.lines.items()):
        requirement = Requirement(line)
        if name.startswith("nvidia-") or name in ("triton", "cuda-python"):
            del state.lines[name]
            state.notes.append(f"{line} left out: for GPUs only")
        elif name in GPU_PACKAGES or re.match(r"(cupy-cuda|jax-cuda)", name):
            del state.lines[name]
            if name in GPU_PACKAGES:
                state.lines.setdefault(GPU_PACKAGES[name], GPU_PACKAGES[name])
            state.notes.append(
                f"{line} left out: for GPUs only" + (f"; {GPU_PACKAGES[name]} instead" if name in GPU_PACKAGES else "")
            )
        elif re.search(r"\+(cu|rocm)\w+", str(requirement.specifier)):
            state.lines[name] = re.sub(r"\+(cu|rocm)[\w.]*", "", line)
            state.notes.append(f"{line} is a GPU build; {state.lines[name]} is taken")


def _relax(
    state: _State, words: str, alternatives: Sequence[Interpreter], imported: frozenset[str] | None, build: Build | None
) -> bool:
    """Change one thing about `state` that may help against uv's `words`; False when nothing is left."""
    text = " ".join(words.split())
    named = [name for name in map(canonicalize_name, re.findall(r"[A-Za-z0-9][\w.-]*", text)) if name in state.lines]
    named = list(dict.fromkeys(named))
    return (
        _drop_unknown(state, text)
        or _drop_local_version(state, named)
        or _other_python(state, text, alternatives)
        or _build_source(state, text, build, compiled=False)
        or _unpin(state, text, named)
        or _build_source(state, text, build, compiled=True)
        or _override(state, text, named)
        or _drop_unused(state, named, imported)
    )


def _drop_unknown(state: _State, text: str) -> bool:
    for match in re.finditer(
        r"(?:Because |and |And )([A-Za-z0-9][\w.-]*) was not found in the (?:package registry|provided|cache)", text
    ):
        name = canonicalize_name(match[1])
        if name in state.lines:
            state.notes.append(f"{state.lines.pop(name)} left out: no index has it")
            return True
        if name not in state.excluded:
            state.excluded.append(name)
            state.notes.append(f"{name}, which another package asks for, left out: no index has it")
            return True
    return False


def _drop_local_version(state: _State, named: Sequence[str]) -> bool:
    for name in named:
        line = state.lines[name]
        if re.search(r"==[^,;\s]*\+", line):
            state.lines[name] = re.sub(r"\+[\w.]+", "", line)
            state.notes.append(f"{line}: local version dropped")
            return True
    return False


def _other_python(state: _State, text: str, alternatives: Sequence[Interpreter]) -> bool:
    """Old pins may have wheels for another Python of this machine; tried once, before pins are given up."""
    if state.other_tried or not re.search(r"no usable wheels|no wheels|Python>|does not satisfy Python", text):
        return False
    state.other_tried = True
    for interpreter in alternatives:
        changed = _State(
            dict(state.lines),
            list(state.constraints),
            interpreter,
            dict(state.overrides),
            list(state.excluded),
            list(state.links),
        )
        changed.offline = state.offline
        done = _compile(changed)
        if done is not None and done.returncode == 0:
            state.notes.append(
                f"Python {interpreter.version} instead of {state.interpreter.version}: the pinned versions have wheels for it"
            )
            state.interpreter = interpreter
            return True
    return False


def _build_source(state: _State, text: str, build: Build | None, *, compiled: bool) -> bool:
    if build is None:
        return False
    for match in re.finditer(r"([A-Za-z0-9][\w.-]*?)((?:[<>=!~]=?[^\s,]+,?)*) (?:has|have) no usable wheels", text):
        name = canonicalize_name(match[1])
        wanted = _wanted(name, text, state)
        if state.unbuildable.get(wanted) in ("failed", "compiled" if not compiled else ""):
            continue
        result = build(wanted, state.interpreter, compiled)
        if isinstance(result, Path):
            state.links.append(str(result))
            state.unbuildable[wanted] = "failed"
            state.notes.append(f"{wanted} has no wheel: built from its source archive in the sandbox")
            return True
        state.unbuildable[wanted] = "compiled" if result == "compiled" and not compiled else "failed"
        if state.unbuildable[wanted] == "failed":
            state.notes.append(f"{wanted} could not be built from source: {result}")
    return False


def _wanted(name: str, text: str, state: _State) -> str:
    """The requirement on a source-only package: the user's, else the one in the resolver's words."""
    if name in state.lines:
        requirement = Requirement(state.lines[name])
        return f"{name}{requirement.specifier}"
    asked = re.search(rf"depends on {re.escape(name)}((?:[<>=!~]=?[\w.*+!]+,?)*)", text, re.I)
    return f"{name}{asked[1].rstrip(',') if asked else ''}"


def _unpin(state: _State, text: str, named: Sequence[str]) -> bool:
    """A version that is not to be had: any version, chosen by the resolver. The packages uv says it of come first."""
    guilty = re.findall(
        r"(?:no version of |Because |and |all versions of )([A-Za-z0-9][\w.-]*?)(?:[<>=!~]\S*)? (?:and|has no|have no|cannot)",
        text,
    )
    order = [*(name for name in map(canonicalize_name, guilty) if name in state.lines), *named]
    for name in order:
        requirement = Requirement(state.lines[name])
        exact = SpecifierSet(
            ",".join(str(part) for part in requirement.specifier if part.operator in ("==", "===", "~=", "<", "<="))
        )
        if exact and not _only_conflict(text, name):
            return _loosen(state, name, "not to be had here")
    for index, line in enumerate(state.constraints):
        if canonicalize_name(Requirement(line).name) in text.lower():
            state.notes.append(f"constraint {state.constraints.pop(index)} dropped")
            return True
    return False


def _loosen(state: _State, name: str, why: str) -> bool:
    line = state.lines[name]
    requirement = Requirement(line)
    requirement.specifier = SpecifierSet()
    state.lines[name] = str(requirement)
    state.notes.append(f"{line} is {why}; any version is taken")
    return True


def _only_conflict(text: str, name: str) -> bool:
    """Is the version to be had, and only another package's wish is in the way?"""
    missing = rf"(no version of {re.escape(name)}|{re.escape(name)}\S* (has|have) no)"
    return "depends on" in text and re.search(missing, text, re.I) is None


def _override(state: _State, text: str, named: Sequence[str]) -> bool:
    """Two packages want different versions of a third: what the repository itself asks for wins, else any version."""
    wished: list[str] = [canonicalize_name(name) for name in re.findall(r"depends on ([A-Za-z0-9][\w.-]*)", text)]
    for name in dict.fromkeys(wished):
        if name not in state.overrides and name != "python":
            state.overrides[name] = state.lines.get(name, name)
            state.notes.append(
                f"conflicting wishes for {name}: {state.overrides[name]} is taken, whatever other packages ask for"
            )
            return True
    for asked in named:
        if Requirement(state.lines[asked]).specifier:
            return _loosen(state, asked, "in conflict with another package")
    return False


def _drop_unused(state: _State, named: Sequence[str], imported: frozenset[str] | None) -> bool:
    if imported is None:
        return False
    for name in named:
        if name not in imported:
            state.notes.append(f"{state.lines.pop(name)} left out: it cannot be installed and the code does not import it")
            return True
    return False


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
