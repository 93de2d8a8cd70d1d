"""What a repository says it needs: requirement files, project files, conda files, Pipfiles and setup scripts.

Everything is parsed as data; nothing of the repository is run. Files are read by content, since names lie: a `requirements.txt`
may hold a conda export, a `pip list` table or a freeze with paths of the author's machine.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from autosota.environments import setupfile
from autosota.environments.names import CONDA_ONLY, CONDA_RENAMES, NOT_PACKAGES, PACKAGE_RENAMES, canonical, is_standard

MAX_BYTES = 2 * 2**20
_KEPT_OPTIONS = ("--hash", "--config-settings", "--global-option", "--install-option")


@dataclass(frozen=True)
class Own:
    """The repository's own distribution, where it is one."""

    name: str
    version: str = "0"
    scripts: tuple[tuple[str, str], ...] = ()
    """Console scripts: (command, "package.module:function")."""
    source: str = ""
    """Folder with its packages, relative to the root; "" is the root itself."""


@dataclass(frozen=True)
class Request:
    """What is to be installed, before any resolving."""

    requirements: tuple[str, ...] = ()
    """Requirement lines (PEP 508), in the order found, one per package."""
    constraints: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    """Specifiers for Python, most binding first, e.g. ">=3.8", "==3.9.*"."""
    sources: tuple[str, ...] = ()
    """Files it was read from."""
    own: Own | None = None
    notes: tuple[str, ...] = field(default=())


def read(tree: Mapping[str, bytes]) -> Request:
    """Everything the root's manifests ask for; requirements are empty where there is no manifest."""
    reader = _Reader(tree)
    names = sorted(path for path in tree if "/" not in path)
    for path in names:
        if path in ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile"):
            reader.project(path)
    files = [path for path in names if re.fullmatch(r"(?i)req(uirements?)?([-_.]\w+)?\.(txt|in|pip)", path)]
    plain = [path for path in files if re.fullmatch(r"(?i)req(uirements?)?\.(txt|in|pip)", path)]
    chosen = [path for path in plain if not (path.endswith(".in") and path[:-3] + ".txt" in plain)] or _ordinary(files)
    folder = [
        path
        for path in sorted(tree)
        if re.fullmatch(r"(?i)requirements?/(base|main|default|requirements?|runtime)\.(txt|in)", path)
    ]
    for path in chosen or folder[:1]:
        reader.requirements(path)
    for path in names:
        if re.fullmatch(r"(?i)(conda[-_])?(env|environment)s?([-_.]\w+)?\.ya?ml", path) and not reader.found:
            reader.conda(path)
    reader.python_files()
    return reader.request()


def _ordinary(files: list[str]) -> list[str]:
    """Of files like requirements-dev.txt and requirements_cpu.txt the one for running; none if all are for developers."""
    usable = [path for path in files if not re.search(r"(?i)dev|test|doc|lint|optional|extra|win|mac|osx|colab|tpu", path)]
    return sorted(usable, key=lambda path: ("cpu" not in path.lower(), "gpu" in path.lower() or "cuda" in path.lower(), path))[:1]


def decode(content: bytes) -> str:
    """Text of any encoding people save manifests in; bytes over the bound are cut."""
    content = content[:MAX_BYTES]
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    return content.decode("utf-8", errors="replace")


class _Reader:
    """Collects requirements over several files; the first mention of a package wins, a pinned one over a bare one."""

    def __init__(self, tree: Mapping[str, bytes]) -> None:
        self.tree = tree
        self.found: dict[str, str] = {}
        self.constraints: list[str] = []
        self.python: list[str] = []
        self.sources: list[str] = []
        self.notes: list[str] = []
        self.own: Own | None = None

    def request(self) -> Request:
        own = canonical(self.own.name) if self.own else None
        kept = tuple(line for name, line in self.found.items() if name != own)
        python = tuple(dict.fromkeys(self.python))
        return Request(kept, tuple(self.constraints), python, tuple(self.sources), self.own, tuple(dict.fromkeys(self.notes)))

    # one line each ────────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, line: str, origin: str) -> None:
        """One requirement in any spelling."""
        text = clean(line)
        if not text:
            return
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            guess = _lenient(text)
            if guess is None:
                self.notes.append(f"{origin}: not a requirement, left out: {line.strip()[:120]}")
                return
            requirement = guess
        name = canonical(requirement.name)
        if name == "python":
            self._python(str(requirement.specifier))
            return
        if name in NOT_PACKAGES or (is_standard(requirement.name) and name not in PACKAGE_RENAMES):
            self.notes.append(f"{origin}: `{requirement.name}` is not a package to install here, left out")
            return
        if requirement.url is not None:
            self.notes.append(
                f"{origin}: `{requirement.name}` is asked for from {requirement.url[:80]}; taken from the index instead"
            )
            requirement.url = None
        if name in PACKAGE_RENAMES:
            if PACKAGE_RENAMES[name] != requirement.name:
                self.notes.append(f"{origin}: `{requirement.name}` is taken as `{PACKAGE_RENAMES[name]}`")
            if name in ("sklearn", "opencv", "pil", "yaml", "cv2"):
                requirement.specifier = SpecifierSet()
            requirement.name = PACKAGE_RENAMES[name]
            name = canonical(requirement.name)
        if name not in self.found or (not Requirement(self.found[name]).specifier and requirement.specifier):
            self.found[name] = str(requirement)

    def _python(self, specifier: str) -> None:
        try:
            self.python.append(str(SpecifierSet(specifier)))
        except InvalidSpecifier:
            self.notes.append(f"Python version not understood: {specifier[:60]}")

    # files ────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def requirements(self, path: str, seen: frozenset[str] = frozenset()) -> None:
        """A requirements file, whatever it really holds."""
        if path in seen or path not in self.tree or len(seen) > 20:
            if path not in self.tree:
                self.notes.append(f"requirements file {path} is named but absent")
            return
        text = decode(self.tree[path])
        self.sources.append(path)
        if converted := _conda_list(text):
            self.notes.append(f"{path} holds a conda list, read as such")
            for name, version in converted:
                self.conda_package(name, version, path)
            return
        for line in _logical_lines(text):
            option, _, value = line.partition(" ") if " " in line else line.partition("=")
            value = value.strip().strip('"')
            if option in ("-r", "--requirement"):
                self.requirements(posixpath.normpath(posixpath.join(posixpath.dirname(path), value)), seen | {path})
            elif option in ("-c", "--constraint"):
                self._constraint_file(posixpath.normpath(posixpath.join(posixpath.dirname(path), value)))
            elif option in ("-e", "--editable"):
                self._editable(value, path)
            elif re.match(r"-r\S", line):
                self.requirements(posixpath.normpath(posixpath.join(posixpath.dirname(path), line[2:])), seen | {path})
            elif line.startswith("-"):
                self.notes.append(f"{path}: option left out: {option}")
            elif line in (".", "./") or line.startswith((".[", "./", "../")):
                continue
            else:
                self.add(line, path)

    def _constraint_file(self, path: str) -> None:
        for line in _logical_lines(decode(self.tree.get(path, b""))):
            try:
                self.constraints.append(str(Requirement(clean(line))))
            except InvalidRequirement:
                self.notes.append(f"{path}: not a constraint, left out: {line[:80]}")

    def _editable(self, value: str, path: str) -> None:
        egg = re.search(r"egg=([\w.-]+)", value)
        if egg and not value.startswith("."):
            self.notes.append(f"{path}: editable {value[:80]} is taken from the index as `{egg[1]}`")
            self.add(egg[1], path)
        elif "://" in value:
            self.notes.append(f"{path}: editable {value[:80]} left out: it names no package")

    def project(self, path: str) -> None:
        """pyproject.toml, setup.cfg, setup.py or Pipfile."""
        text = decode(self.tree[path])
        try:
            found = setupfile.READERS[path](text, self.tree)
        except (tomllib.TOMLDecodeError, setupfile.Unreadable) as error:
            self.notes.append(f"{path} cannot be parsed: {error}")
            return
        for line in found.requirements:
            self.add(line, path)
        for specifier in found.python:
            self._python(specifier)
        self.notes.extend(f"{path}: {note}" for note in found.notes)
        if found.requirements or found.python or found.name:
            self.sources.append(path)
        if found.name:
            known = self.own
            own = Own(found.name, found.version or "0", found.scripts, _source_folder(self.tree, found.folder))
            self.own = (
                own if known is None else replace(known, scripts=known.scripts or own.scripts, source=known.source or own.source)
            )

    def conda(self, path: str) -> None:
        """environment.yml: its pip part and the conda packages that an index has too."""
        try:
            data = yaml.safe_load(decode(self.tree[path]))
        except (yaml.YAMLError, ValueError, RecursionError):
            self.notes.append(f"{path} is not valid YAML")
            return
        entries = data.get("dependencies") if isinstance(data, dict) else None
        if not isinstance(entries, list):
            return
        self.sources.append(path)
        for entry in entries:
            if isinstance(entry, str):
                match = re.match(r"(?:[\w.-]+::)?([\w.-]+)\s*(.*)", entry.strip())
                if match:
                    self.conda_package(match[1], match[2], path)
            elif isinstance(entry, dict) and isinstance(entry.get("pip"), list):
                for line in entry["pip"]:
                    text = str(line).strip()
                    if text.startswith("-r "):
                        self.requirements(posixpath.normpath(text[3:].strip()))
                    elif not text.startswith("-"):
                        self.add(text, path)

    def conda_package(self, name: str, version: str, path: str) -> None:
        """A conda package by name and version text ("1.2", "=1.2", "=1.2=py38_0", ">=1.2")."""
        lower = name.lower()
        number = re.search(r"\d+(\.\w+)*(\.\*)?", version)
        if lower == "python" and number:
            operator = re.match(r"\s*([<>]=?|!=)", version)
            exact = ".".join(number[0].rstrip(".*").split(".")[:2]) + ".*"
            self._python(version.strip() if operator else f"=={exact}")
            return
        if lower in CONDA_ONLY or (
            lower.startswith(("lib", "_", "nvidia-", "cuda-")) and lower not in ("librosa", "libsvm", "libtpu")
        ):
            return
        mapped = CONDA_RENAMES.get(lower, name)
        if not mapped:
            return
        operator = re.match(r"\s*([<>]=?|!=|~=)", version)
        if number is None:
            self.add(mapped, path)
        elif operator:
            self.add(f"{mapped}{version.strip()}", path)
        else:
            loose = version.strip().startswith("=") and not version.strip().startswith("==") and version.count("=") == 1
            self.add(f"{mapped}=={number[0].removesuffix('.*')}{'.*' if loose else ''}", path)

    def python_files(self) -> None:
        """.python-version, runtime.txt and a Dockerfile's base image."""
        for path in (".python-version", "runtime.txt"):
            match = re.search(r"(\d\.\d+)", decode(self.tree.get(path, b""))[:200])
            if match:
                self._python(f"=={match[1]}.*")
        match = re.search(r"(?mi)^FROM\s+(?:\S+/)?python:(\d\.\d+)", decode(self.tree.get("Dockerfile", b"")))
        if match:
            self._python(f"=={match[1]}.*")


# ── helpers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def clean(line: str) -> str:
    """A requirement line without comments, hashes, quotes, and paths of somebody's machine."""
    text = re.sub(r"(^|\s)#.*$", "", line).strip().rstrip(",")
    text = text.strip("'\"").strip() if text[:1] in "'\"" else text
    for option in _KEPT_OPTIONS:
        text = text.split(f" {option}", 1)[0].strip()
    local = re.match(r"([A-Za-z0-9][\w.-]*)(\[[\w,\s-]*\])?\s*@\s*file:", text)
    if local:
        version = re.search(r"[-_/](\d+(?:\.\d+)+)[-_/.]", text[local.end() :])
        return f"{local[1]}{local[2] or ''}" + (f"=={version[1]}" if version and text.endswith(".whl") else "")
    wheel = re.match(r"(?:file:|[A-Za-z]:\\|/|https?://)\S*?([A-Za-z0-9_.]+)-(\d[\w.+!]*?)(?:-\S+\.whl|\.tar\.gz|\.zip)", text)
    if wheel:
        return f"{wheel[1]}=={wheel[2]}"
    git = re.match(r"(?:git\+)\S*?/([\w.-]+?)(?:\.git)?(?:@[\w./-]+)?(?:#.*egg=([\w.-]+).*)?$", text)
    if git and "@ " not in text:
        return f"{git[2] or git[1]} @ {text}"
    return text


def _lenient(text: str) -> Requirement | None:
    """Spellings that are no PEP 508 but whose meaning is plain: `a=1.0`, `a 1.0`, `a==1.0=py38`, `a >= 1, b`."""
    match = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*(?:={1,3}|\s)\s*(\d[\w.]*(?:\+\w+)?)(?:=\w+)?", text)
    for candidate in ([f"{match[1]}=={match[2]}"] if match else []) + [
        text.split(";")[0],
        text.replace("=>", ">=").replace("=<", "<="),
    ]:
        try:
            return Requirement(candidate)
        except InvalidRequirement:
            continue
    return None


def _logical_lines(text: str) -> Iterable[str]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        if stripped and not re.fullmatch(r"[-=\s]+|(?i:package\s+version)|`{3,}\w*", stripped):
            yield stripped


def _conda_list(text: str) -> list[tuple[str, str]]:
    """(name, version) of a `conda list` or `conda list --export`; empty if it is neither."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    export = [match for line in lines if (match := re.fullmatch(r"([\w.-]+)=([\w.!+]+)=(\w+)", line))]
    table = [
        match for line in lines if (match := re.fullmatch(r"([\w.-]+)\s+(\d[\w.!+]*)\s+(\w+_\w+|\w*py\w+|pypi_0)(\s+\S+)?", line))
    ]
    best = max((export, table), key=len)
    if len(best) < 2 or len(best) * 2 < len(lines):
        return []
    return [(match[1], f"=={match[2]}") for match in best]


def _source_folder(tree: Mapping[str, bytes], declared: str) -> str:
    if declared:
        return declared
    return "src" if any(re.fullmatch(r"src/[^/]+/__init__\.py", path) for path in tree) else ""
