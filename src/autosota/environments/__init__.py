"""The repository's own environment (paper section 3.4): found in its manifests or imports, resolved, built once, kept by digest.

`build` is the whole of it. The host resolves and unpacks wheels and runs nothing of them; source archives are built, and imports
tried, in the sandbox. An environment is a folder under `cache`, mounted read-only by every sandbox and never written to again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from autosota.environments import existing, imports, installer, interpreters, manifests, resolver, sources, uv, validation
from autosota.environments.interpreters import Interpreter
from autosota.environments.names import canonical, package_of
from autosota.errors import StageError
from autosota.ports import Executor
from autosota.records import Package, Recipe

_ROUNDS = 3
SERVICES = {
    "MPLBACKEND": "Agg", "WANDB_MODE": "disabled", "WANDB_SILENT": "true", "COMET_MODE": "DISABLED", "NEPTUNE_MODE": "debug",
    "CLEARML_OFFLINE_MODE": "1", "SWANLAB_MODE": "disabled", "MLFLOW_TRACKING_URI": "file:///tmp/mlruns", "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false",
    "QT_QPA_PLATFORM": "offscreen", "SDL_VIDEODRIVER": "dummy", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1",
    "PYTHONUNBUFFERED": "1",
}  # fmt: skip
"""Variables of every command: no screen, no login, no network library waiting for a server that is not there."""

OLD_NUMPY = (
    "numpy.dtype size changed",
    "compiled using NumPy 1.x",
    "numpy.core.multiarray failed to import",
    "_ARRAY_API not found",
)
"""What a package says that was compiled for NumPy 1 and meets NumPy 2."""


@dataclass(frozen=True)
class _Ask:
    """Everything a build depends on; its digest is the key of the answer."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    interpreter: str
    version: str
    own: str
    wheels: tuple[str, ...]
    gpu: bool
    before: str | None = None
    format: int = installer.FORMAT

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def build(
    repository: Path,
    tree: Mapping[str, bytes],
    *,
    executor: Executor,
    cache: Path,
    python: str | None = None,
    extra: Sequence[str] = (),
    drop: Sequence[str] = (),
    entries: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    before: str | None = None,
) -> Recipe:
    """The environment that `tree`'s manifests, or failing all its imports, ask for; from the cache where it was built before.

    `python`: path of an interpreter whose environment is used as it is, or a version such as "3.9" to build with.
    `extra`: requirement lines added, overriding those of the same package; `drop`: packages left out.
    `entries`: files the evaluation starts; what they import is tried in the sandbox and completed where a package is missing.
    `before`: a date, like "2021-04-13", after which nothing installed was published.
    `variables`: added to the recipe's. Raises StageError if the packages cannot be had, UsageError for a wrong `python`."""
    started = time.monotonic()
    settings = {**SERVICES, **(variables or {})}
    if python is not None and not re.fullmatch(r"\d+(\.\d+)+", python):
        recipe = existing.describe(python, cache=cache)
        return recipe.model_copy(update={"variables": _paths(settings, tree, None, executor)})
    request = manifests.read(tree)
    lines, notes = _lines(request, tree, extra, drop)
    wanted = (f"=={python}.*",) if python else request.python
    interpreter, more = interpreters.choose(wanted)
    maker = _Maker(executor, cache, interpreter, wanted, request, imported=_imported(tree), before=before)
    folder, modules = maker.environment(lines), _modules(tree, entries)
    if modules:
        folder, added = maker.complete(folder, lines, modules, tree, set(map(canonical, drop)))
        notes += added
    facts = installer.manifest(folder) or {}
    return _recipe(
        folder, facts, lines, _paths(settings, tree, request.own, executor),
        (*request.notes, *notes, *more), time.monotonic() - started if maker.built else 0.0, request.sources,
    )  # fmt: skip


def gpu() -> bool:
    """Has this machine an NVIDIA GPU that libraries could use?"""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidia0").exists()


class _Maker:
    """One repository's environments: the first, and those with what validation found missing."""

    def __init__(
        self, executor: Executor, cache: Path, interpreter: Interpreter, wanted: Sequence[str], request: manifests.Request,
        imported: frozenset[str], before: str | None = None,
    ) -> None:  # fmt: skip
        self.executor, self.cache, self.interpreter = executor, cache / "environments", interpreter
        self.wanted, self.request, self.imported = wanted, request, imported
        self.before, self.built = before, False

    def environment(self, lines: Sequence[str]) -> Path:
        """The folder with `lines` installed; resolved and built, or found by the digest of what is asked."""
        ask = _Ask(
            tuple(lines), self.request.constraints, self.interpreter.path, str(self.interpreter.version), repr(self.request.own),
            _offered(), gpu(), self.before,
        )  # fmt: skip
        answer = self.cache / "requests" / f"{ask.digest()}.json"
        known = _read(answer)
        if known is not None and installer.manifest(self.cache / str(known.get("environment"))) is not None:
            return self.cache / str(known["environment"])
        alternatives = [
            found for found in interpreters.available() if found.path != self.interpreter.path and _allowed(found, self.wanted)
        ]
        lock = resolver.resolve(
            lines, interpreter=self.interpreter, constraints=self.request.constraints, alternatives=alternatives,
            imported=self.imported, build=self._build, gpu=ask.gpu, before=self.before,
        )  # fmt: skip
        folder = installer.install(lock, self.request.own, cache=self.cache)
        self.built = True
        _write(answer, {"environment": folder.name})
        return folder

    def _build(self, requirement: str, interpreter: Interpreter, compiled: bool) -> Path | str:
        """A wheel from source, in the sandbox; "compiled" says that it needs a compiler, which was not asked for yet."""
        archive = sources.fetch(requirement, interpreter, self.cache)
        if isinstance(archive, str):
            return archive
        if archive.compiled and not compiled:
            return "compiled"
        return sources.build_wheel(archive, interpreter, executor=self.executor, cache=self.cache, environment=self._backend)

    def _backend(self, requirements: Sequence[str], interpreter: Interpreter) -> Recipe:
        lock = resolver.resolve(requirements, interpreter=interpreter)
        folder = installer.install(lock, None, cache=self.cache)
        return _recipe(folder, installer.manifest(folder) or {}, requirements, {}, (), 0.0, ())

    def complete(
        self, folder: Path, lines: list[str], modules: Sequence[str], tree: Mapping[str, bytes], dropped: set[str]
    ) -> tuple[Path, list[str]]:
        """Add the packages whose absence breaks an import, a few rounds; the answer is kept beside the environment."""
        asked = hashlib.sha256(json.dumps([folder.name, sorted(modules), sorted(dropped)]).encode()).hexdigest()[:32]
        answer = self.cache / "requests" / f"imports-{asked}.json"
        known = _read(answer)
        if known is not None and installer.manifest(self.cache / str(known.get("environment"))) is not None:
            lines[:] = [str(line) for line in known["lines"]]
            return self.cache / str(known["environment"]), [str(note) for note in known["notes"]]
        notes: list[str] = []
        own = imports.own_modules(tree)
        for _ in range(_ROUNDS):
            recipe = _recipe(folder, installer.manifest(folder) or {}, lines, SERVICES, (), 0.0, ())
            broken = validation.imports(modules, recipe, self.executor)
            missing = sorted(
                {package_of(item.missing) for item in broken if item.missing and item.missing.partition(".")[0] not in own}
            )
            have = {canonical(Requirement(line).name) for line in lines} | dropped
            missing = [name for name in missing if canonical(Requirement(name).name) not in have]
            if any(mark in item.words for item in broken for mark in OLD_NUMPY) and "numpy<2" not in lines:
                lines[:] = [line for line in lines if canonical(Requirement(line).name) != "numpy"]
                missing.append("numpy<2")
            if not missing:
                notes += [f"import {item.module} fails: {item.error}: {item.words}" for item in broken]
                break
            try:
                folder = self.environment([*lines, *missing])
            except StageError as error:
                notes.append(f"{', '.join(missing)} is imported but cannot be had: {error.message[:200]}")
                break
            lines += missing
            notes.append(f"added because the imports need it: {', '.join(missing)}")
        _write(answer, {"environment": folder.name, "lines": lines, "notes": notes})
        return folder, notes


def _lines(
    request: manifests.Request, tree: Mapping[str, bytes], extra: Sequence[str], drop: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Requirement lines after `extra` and `drop`, and notes."""
    notes: list[str] = []
    lines = list(request.requirements)
    if not lines and not request.sources:
        found = sorted({package_of(imported.module) for imported in imports.third_party(tree) if not imported.optional})
        lines = [name for name in found if resolver.valid(name)]
        notes.append("no manifest names packages; taken from the imports: " + (", ".join(lines) or "none needed"))
    replaced = {canonical(Requirement(line).name) for line in extra}
    left_out = {canonical(name) for name in drop}
    lines = [line for line in lines if canonical(Requirement(line).name) not in replaced | left_out]
    return [*lines, *(line for line in extra if canonical(Requirement(line).name) not in left_out)], notes


def _imported(tree: Mapping[str, bytes]) -> frozenset[str]:
    """Canonical names of the packages the code imports."""
    names = set()
    for imported in imports.third_party(tree):
        try:
            names.add(canonical(Requirement(package_of(imported.module)).name))
        except InvalidRequirement:
            continue
    return frozenset(names)


def _modules(tree: Mapping[str, bytes], entries: Sequence[str]) -> list[str]:
    """Top-level third-party modules that running `entries` needs."""
    files = imports.closure(tree, entries)
    return sorted({imported.top for imported in imports.third_party(tree, files) if not imported.optional})


def _allowed(interpreter: Interpreter, wanted: Sequence[str]) -> bool:
    return all(SpecifierSet(text).contains(interpreter.version, prereleases=True) for text in wanted)


def _paths(
    settings: Mapping[str, str], tree: Mapping[str, bytes], own: manifests.Own | None, executor: Executor
) -> dict[str, str]:
    """The variables, with PYTHONPATH where packages lie in a folder of their own or the repository is meant to be installed."""
    layout = "src" if any(re.fullmatch(r"src/[^/]+/__init__\.py", path) for path in tree) else None
    source = own.source if own is not None else layout
    if source is None or "PYTHONPATH" in settings:
        return dict(settings)
    folder = source.strip("/") or "."
    fixed = f"/workspace/{folder}".removesuffix("/.") if executor.overlays else folder
    return {**settings, "PYTHONPATH": fixed}


def _recipe(
    folder: Path, facts: Mapping[str, Any], lines: Sequence[str], variables: Mapping[str, str], notes: Sequence[str],
    seconds: float, read_from: Sequence[str],
) -> Recipe:  # fmt: skip
    python = folder / "bin/python"
    base = interpreters.inspect(str(python.resolve()))
    found = tuple(Package(name=name, version=version) for name, version in dict(facts.get("packages", {})).items())
    origin = (f"read from {', '.join(read_from)}",) if read_from else ()
    return Recipe(
        digest=folder.name,
        python=str(python),
        prefix=str(folder),
        paths=tuple(dict.fromkeys([base.prefix, str(Path(base.path).parent.parent)])) if base else (),
        variables=dict(variables),
        packages=found,
        requirements=tuple(lines),
        seconds=round(seconds, 3),
        notes=tuple(dict.fromkeys([*origin, *notes, *facts.get("notes", ())])),
    )


def _offered() -> tuple[str, ...]:
    """Wheels in local folders that pip or uv look into: a new one there can change the answer."""
    found = []
    for link in uv.indexes().find_links:
        folder = Path(link.removeprefix("file://"))
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if entry.name.endswith((".whl", ".tar.gz", ".zip")):
                found.append(installer.identity(Path(entry.path)))
    return tuple(sorted(found))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def _write(path: Path, data: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(data, file)
    shutil.move(draft, path)
