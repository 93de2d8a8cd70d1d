"""Packages that exist only as source: fetched by the host as data, built in a sandbox without network."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from autosota.environments import uv
from autosota.environments.interpreters import Interpreter
from autosota.errors import AutosotaError
from autosota.ports import Command, Executor, Limits, Tree
from autosota.records import Recipe

MAX_ARCHIVE = 512 * 2**20
MAX_UNPACKED = 2 * 2**30
MAX_MEMBERS = 50_000
BUILD_SECONDS = 600.0
_COMPILED = re.compile(r"\.(c|cc|cpp|cxx|cu|f|f90|pyx|rs|go)$", re.I)
_DRIVER = """
import importlib, os, sys
sys.path[:0] = [os.path.abspath(p) for p in {path!r}]
module, _, attribute = {backend!r}.partition(":")
backend = importlib.import_module(module)
for name in filter(None, attribute.split(".")):
    backend = getattr(backend, name)
os.makedirs({out!r}, exist_ok=True)
print("built", backend.build_wheel({out!r}))
"""
_OUT = ".autosota-wheel"


@dataclass(frozen=True)
class Archive:
    """A source archive on this machine, unpacked."""

    name: str
    version: str
    digest: str
    folder: Path
    """Its top folder."""

    @property
    def compiled(self) -> bool:
        """Does building it need a compiler?"""
        text = b"".join(path.read_bytes() for path in (self.folder / "setup.py",) if path.is_file())
        if b"ext_modules" in text or b"Extension(" in text:
            return True
        files = (name for _, _, names in os.walk(self.folder) for name in names)
        return not text and any(_COMPILED.search(name) for name in files)


def fetch(requirement: str, interpreter: Interpreter, cache: Path) -> Archive | str:
    """The newest source archive that satisfies `requirement`, or why there is none. Its metadata are not asked of its code."""
    name = Requirement(requirement).name
    with tempfile.TemporaryDirectory(prefix="autosota-source-") as folder:
        # Declared metadata keep uv from building the package in order to learn its dependencies.
        settings = Path(folder, "uv.toml")
        settings.write_text(f'[[dependency-metadata]]\nname = "{name}"\nrequires-dist = []\n', encoding="utf-8")
        arguments = [
            "pip",
            "compile",
            "-",
            "--format",
            "pylock.toml",
            "--no-deps",
            "--no-binary",
            name,
            "--config-file",
            str(settings),
        ]
        done = uv.run([*arguments, "--python", interpreter.path], stdin=requirement + "\n")
    if done.returncode:
        return "no source archive on the index"
    try:
        package = tomllib.loads(done.stdout)["packages"][0]
        source = package["sdist"]
    except (tomllib.TOMLDecodeError, KeyError, IndexError):
        return "no source archive on the index"
    expected = source.get("hashes", {}).get("sha256", "")
    content = _bytes(source)
    if isinstance(content, str):
        return content
    digest = hashlib.sha256(content).hexdigest()
    if expected and digest != expected:
        return "the source archive does not have the digest the index promises"
    file = str(source.get("name") or urllib.parse.urlparse(str(source.get("url") or source.get("path"))).path)
    top = _unpacked(content, file, cache / "sources" / digest)
    return top if isinstance(top, str) else Archive(name, str(package.get("version", "0")), digest, top)


def _bytes(source: dict[str, object]) -> bytes | str:
    place = str(source.get("url") or source.get("path") or "")
    try:
        if not place.startswith(("http://", "https://")):
            path = Path(urllib.parse.unquote(urllib.parse.urlparse(place).path) if place.startswith("file:") else place)
            return path.read_bytes() if path.stat().st_size <= MAX_ARCHIVE else "the source archive is too large"
        with urllib.request.urlopen(place, timeout=60) as answer:
            content: bytes = answer.read(MAX_ARCHIVE + 1)
    except (OSError, urllib.error.URLError, ValueError) as error:
        return f"the source archive cannot be fetched: {error}"
    return content if len(content) <= MAX_ARCHIVE else "the source archive is too large"


def _unpacked(content: bytes, file: str, folder: Path) -> Path | str:
    """Unpack safely, once per digest: no absolute or escaping paths, no links or devices, bounded in size and number."""
    if not folder.is_dir():
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=_made(folder.parent)))
        archive = draft.with_suffix(".archive")
        archive.write_bytes(content)
        try:
            _extract(archive, file, draft)
            draft.chmod(0o755)
            draft.rename(folder)
        except (OSError, tarfile.TarError, zipfile.BadZipFile, ValueError, EOFError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.is_dir():
                return f"the source archive cannot be unpacked: {error}"
        finally:
            archive.unlink(missing_ok=True)
    tops = [path for path in folder.iterdir() if path.is_dir()]
    return tops[0] if len(tops) == 1 else folder


def _extract(archive: Path, file: str, folder: Path) -> None:
    total = count = 0
    if file.endswith(".zip"):
        with zipfile.ZipFile(archive) as pack:
            for info in pack.infolist():
                total, count = total + info.file_size, count + 1
                _check(info.filename, total, count)
            pack.extractall(folder)
        return
    with tarfile.open(archive) as pack:
        for member in pack:
            total, count = total + member.size, count + 1
            _check(member.name, total, count)
            if member.isfile() or member.isdir():
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                pack.extract(member, folder, filter="data")


def _check(name: str, total: int, count: int) -> None:
    if total > MAX_UNPACKED or count > MAX_MEMBERS:
        raise ValueError("it is larger than 2 GiB or has more than 50,000 files")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"it holds a path that leads outside: {name[:80]}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_wheel(
    archive: Archive,
    interpreter: Interpreter,
    *,
    executor: Executor,
    cache: Path,
    environment: Callable[[Sequence[str], Interpreter], Recipe],
) -> Path | str:
    """Folder with the archive's wheel for this interpreter, built in the sandbox without network; or why that failed, in a line.
    `environment` makes the environment that holds the build backend."""
    target = cache / "wheels" / f"{archive.digest[:32]}-{interpreter.tag}"
    if target.is_dir():
        return target
    words = "no build backend"
    for requirements, backend, path in _backends(archive):
        try:
            recipe = environment(requirements, interpreter)
        except AutosotaError as error:
            words = error.message
            continue
        code = _DRIVER.format(path=path, backend=backend, out=_OUT)
        version = {"SETUPTOOLS_SCM_PRETEND_VERSION": archive.version, "PBR_VERSION": archive.version, "MAX_JOBS": "2"}
        with executor.open(Tree(base=archive.folder), recipe=recipe) as sandbox:
            command = Command(f"python - <<'AUTOSOTA'\n{code}\nAUTOSOTA", variables=version, limits=Limits(seconds=BUILD_SECONDS))
            execution = sandbox.run(command)
            wheels = [name for name in sandbox.changed() if name.startswith(f"{_OUT}/") and name.endswith(".whl")]
            content = sandbox.read(wheels[0], MAX_ARCHIVE) if wheels else None
        if content is not None and execution.exit_code == 0:
            return _kept(content, Path(wheels[0]).name, target)
        lines = [line for line in execution.stderr.strip().splitlines() if line.strip()]
        words = f"{execution.ended}: {lines[-1].strip()[:200]}" if lines else execution.ended
    return words


def _backends(archive: Archive) -> list[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """(requirements, backend, backend path) to try in order."""
    try:
        data = tomllib.loads((archive.folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        data = {}
    system = data.get("build-system") if isinstance(data.get("build-system"), dict) else None
    if system and isinstance(system.get("requires"), list):
        backend = str(system.get("build-backend") or "setuptools.build_meta:__legacy__")
        path = tuple(str(entry) for entry in system.get("backend-path") or ())
        return [(_valid(system["requires"]), backend, path)]
    legacy = "setuptools.build_meta:__legacy__"
    imports = _setup_imports(archive.folder / "setup.py")
    return [(("setuptools<81", "wheel", *imports), legacy, ()), (("setuptools<58", "wheel", *imports), legacy, ())]


def _valid(lines: Sequence[object]) -> tuple[str, ...]:
    kept = []
    for line in lines:
        try:
            kept.append(str(Requirement(str(line))))
        except InvalidRequirement:
            continue
    return tuple(kept)


def _setup_imports(path: Path) -> tuple[str, ...]:
    """Packages an old setup.py imports although nothing declares them."""
    try:
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
        }
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ()
    known = {"numpy": "numpy", "Cython": "cython", "pybind11": "pybind11", "torch": "torch", "scipy": "scipy"}
    return tuple(known[name] for name in sorted(names) if name in known)


def _kept(content: bytes, name: str, target: Path) -> Path:
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=_made(target.parent)))
    (draft / name).write_bytes(content)
    try:
        draft.rename(target)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
    return target
