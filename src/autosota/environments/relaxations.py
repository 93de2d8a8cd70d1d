"""What can be given up when the packages asked for cannot be had together, one thing at a time, least harmful first."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from autosota.environments import uv
from autosota.environments.interpreters import Interpreter
from autosota.environments.names import GPU_PACKAGES

ATTEMPTS = 40

Build = Callable[[str, Interpreter, bool], Path | str]
"""(requirement, interpreter, compiled too) → folder with the wheel, or why there is none."""


@dataclass
class State:
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
    before: str | None = None
    """Date, like "2021-04-13": nothing published later is taken."""
    processor: bool = False
    """PyTorch's builds for processors, from its own index."""


def compile_lock(state: State) -> subprocess.CompletedProcess[str] | None:
    """One resolution; None when nothing is asked for."""
    if not state.lines:
        return None
    arguments = ["pip", "compile", "-", "--no-build", "--no-header", "--no-annotate", "--generate-hashes"]
    arguments += ["--python", state.interpreter.path]
    for link in state.links:
        arguments += ["--find-links", link]
    if state.before:
        arguments += ["--exclude-newer", state.before]
    if state.processor:
        arguments += ["--torch-backend", "cpu"]
    with tempfile.TemporaryDirectory(prefix="autosota-lock-") as folder:
        files = {"constraints": state.constraints, "overrides": list(state.overrides.values()), "excludes": state.excluded}
        for option, lines in files.items():
            if lines:
                path = Path(folder, f"{option}.txt")
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
                arguments += [f"--{option}", str(path)]
        return uv.run(arguments, stdin="\n".join(state.lines.values()) + "\n", offline=state.offline)


def without_gpu(state: State) -> None:
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
    without_gpu_builds(state)


def without_gpu_builds(state: State) -> bool:
    """Constrain to local builds for processors what is not held to another version; False where there is none to add. Not for
    libraries of a date: nobody knows when a wheel in a folder was published."""
    added = False
    for name, version in processor_builds(state.interpreter).items() if not state.before else ():
        line = f"{name}=={version}"
        if version in Requirement(state.lines.get(name, name)).specifier and line not in state.constraints:
            state.constraints.append(line)
            added = True
    return added


def for_interpreter(state: State, interpreter: Interpreter) -> State | None:
    """The same packages for another Python, held to its local builds for processors; None where it has none."""
    own = {f"{name}=={version}" for name, version in processor_builds(state.interpreter).items()}
    kept = [line for line in state.constraints if line not in own]
    other = replace(state, constraints=kept, interpreter=interpreter)
    return other if without_gpu_builds(other) else None


def processor_builds(interpreter: Interpreter) -> dict[str, str]:
    """Newest "+cpu" builds in local folders of wheels: the index's own are GPU builds of gigabytes."""
    found: dict[str, Version] = {}
    tag = f"cp{interpreter.version.major}{interpreter.version.minor}"
    for link in uv.indexes().find_links:
        for path in Path(link.removeprefix("file://")).glob("*+cpu-*.whl"):
            try:
                name, version, _, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            if any(item.interpreter in (tag, "py3") for item in tags):
                found[name] = max(version, found.get(name, version))
    return {name: str(version) for name, version in found.items()}


def relax(
    state: State, words: str, alternatives: Sequence[Interpreter], imported: frozenset[str] | None, build: Build | None
) -> bool:
    """Change one thing about `state` that may help against uv's `words`; False when nothing is left."""
    text = " ".join(words.split())
    named = _named(text, state)
    return (
        _drop_unknown(state, text)
        or _drop_local_version(state, named)
        or _other_python(state, text, alternatives)
        or build_source(state, text, build, compiled=False)
        or _unpin(state, text, named)
        or build_source(state, text, build, compiled=True)
        or _override(state, text, named)
        or _drop_unused(state, named, imported)
    )


def _named(text: str, state: State) -> list[str]:
    """Packages asked for that uv's words mention, in their order."""
    found = map(canonicalize_name, re.findall(r"[A-Za-z0-9][\w.-]*", text))
    return list(dict.fromkeys(name for name in found if name in state.lines))


def _drop_unknown(state: State, text: str) -> bool:
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


def _drop_local_version(state: State, named: Sequence[str]) -> bool:
    for name in named:
        line = state.lines[name]
        if re.search(r"==[^,;\s]*\+", line):
            state.lines[name] = re.sub(r"\+[\w.]+", "", line)
            state.notes.append(f"{line}: local version dropped")
            return True
    return False


def _other_python(state: State, text: str, alternatives: Sequence[Interpreter]) -> bool:
    """Old pins may have wheels for another Python of this machine; tried once, before pins are given up."""
    if state.other_tried or not re.search(r"no usable wheels|no wheels|Python>|does not satisfy Python", text):
        return False
    state.other_tried = True
    for interpreter in alternatives:
        other = State(dict(state.lines), list(state.constraints), interpreter, dict(state.overrides), list(state.excluded))
        other.links, other.offline, other.notes = list(state.links), state.offline, list(state.notes)
        for _ in range(ATTEMPTS):
            done = compile_lock(other)
            words = "" if done is None else " ".join(done.stderr.split())
            if done is None or not (_drop_unknown(other, words) or _drop_local_version(other, _named(words, other))):
                break
        if done is not None and done.returncode == 0:
            other.notes.append(
                f"Python {interpreter.version} instead of {state.interpreter.version}: the pinned versions have wheels for it"
            )
            state.interpreter, state.lines, state.excluded, state.notes = interpreter, other.lines, other.excluded, other.notes
            return True
    return False


def build_source(state: State, text: str, build: Build | None, *, compiled: bool) -> bool:
    """Build, in the sandbox, what uv's message `text` says has no wheel; True where that adds one."""
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


def _wanted(name: str, text: str, state: State) -> str:
    """The requirement on a source-only package: the user's, else the one in the resolver's words."""
    if name in state.lines:
        requirement = Requirement(state.lines[name])
        return f"{name}{requirement.specifier}"
    asked = re.search(rf"depends? on {re.escape(name)}((?:[<>=!~]=?[\w.*+!]+,?)*)", text, re.I)
    return f"{name}{asked[1].rstrip(',') if asked else ''}"


def _unpin(state: State, text: str, named: Sequence[str]) -> bool:
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


def _loosen(state: State, name: str, why: str) -> bool:
    line = state.lines[name]
    requirement = Requirement(line)
    requirement.specifier = SpecifierSet()
    state.lines[name] = str(requirement)
    state.notes.append(f"{line} is {why}; any version is taken")
    return True


def _only_conflict(text: str, name: str) -> bool:
    """Is the version to be had, and only another package's wish is in the way?"""
    missing = rf"(no version of {re.escape(name)}|{re.escape(name)}\S* (has|have) no)"
    return "depend" in text and re.search(missing, text, re.I) is None


def _override(state: State, text: str, named: Sequence[str]) -> bool:
    """Two packages want different versions of a third: what the repository itself asks for wins, else any version."""
    wished: list[str] = [canonicalize_name(name) for name in re.findall(r"depends? on ([A-Za-z0-9][\w.-]*)", text)]
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


def _drop_unused(state: State, named: Sequence[str], imported: frozenset[str] | None) -> bool:
    if imported is None:
        return False
    for name in named:
        if name not in imported:
            state.notes.append(f"{state.lines.pop(name)} left out: it cannot be installed and the code does not import it")
            return True
    return False
