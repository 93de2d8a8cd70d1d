"""Project files read as data: pyproject.toml, setup.cfg, setup.py (by its syntax tree, never run) and Pipfile."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet


class Unreadable(ValueError):
    """The file is not what its name says."""


@dataclass(frozen=True)
class Project:
    """What one project file says."""

    requirements: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    name: str = ""
    version: str = ""
    scripts: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    """Where the packages lie, relative to the root."""
    notes: tuple[str, ...] = ()


def pyproject(text: str, tree: Mapping[str, bytes]) -> Project:
    """PEP 621 and poetry tables. Raises tomllib.TOMLDecodeError."""
    data = tomllib.loads(text)
    project = _table(data, "project")
    poetry = _table(data, "tool", "poetry")
    requirements = [str(line) for line in _list(project.get("dependencies"))]
    notes: list[str] = []
    python = [str(project["requires-python"])] if isinstance(project.get("requires-python"), str) else []
    for name, value in _table(poetry, "dependencies").items():
        if name.lower() == "python":
            python.append(poetry_specifier(str(value)))
        elif line := _poetry_line(name, value):
            requirements.append(line)
    dynamic = [str(item) for item in _list(project.get("dynamic"))]
    if "dependencies" in dynamic:
        files = _table(data, "tool", "setuptools", "dynamic", "dependencies").get("file")
        for path in [files] if isinstance(files, str) else _list(files):
            requirements += [
                line for line in _text(tree, str(path)).splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))
            ]
    scripts = {**_strings(_table(poetry, "scripts")), **_strings(_table(project, "scripts"))}
    where = _list(_table(data, "tool", "setuptools", "packages", "find").get("where"))
    name = str(project.get("name") or poetry.get("name") or "")
    version = str(project.get("version") or poetry.get("version") or "")
    if not python:
        python = _classifiers([str(item) for item in _list(project.get("classifiers"))])
    return Project(
        tuple(requirements), tuple(python), name, version, tuple(scripts.items()), str(where[0]) if where else "", tuple(notes)
    )


def setup_cfg(text: str, tree: Mapping[str, bytes]) -> Project:
    """The declarative setup file. Raises Unreadable."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Unreadable(str(error).splitlines()[0]) from None

    def lines(section: str, key: str) -> list[str]:
        value = parser.get(section, key, fallback="")
        if value.strip().startswith("file:"):
            value = "\n".join(_text(tree, path.strip()) for path in value.strip()[5:].split(","))
        return [
            line.strip() for line in re.split(r"[\n;](?![^\n]*['\"])", value) if line.strip() and not line.strip().startswith("#")
        ]

    requirements = [line.strip() for line in parser.get("options", "install_requires", fallback="").splitlines() if line.strip()]
    if requirements and requirements[0].startswith("file:"):
        requirements = lines("options", "install_requires")
    python = parser.get("options", "python_requires", fallback="").strip()
    scripts = [
        tuple(part.strip() for part in line.split("=", 1))
        for line in lines("options.entry_points", "console_scripts")
        if "=" in line
    ]
    name, version = parser.get("metadata", "name", fallback="").strip(), parser.get("metadata", "version", fallback="").strip()
    where = parser.get("options.packages.find", "where", fallback="").strip()
    package_dir = re.search(r"(?m)^\s*=\s*(\S+)", parser.get("options", "package_dir", fallback=""))
    return Project(
        tuple(requirements),
        (python,) if python else (),
        name,
        version if re.fullmatch(r"[\w.+!]+", version) else "",
        tuple((part[0], part[1]) for part in scripts),
        where or (package_dir[1] if package_dir else ""),
    )


def setup_py(text: str, tree: Mapping[str, bytes]) -> Project:
    """The arguments of `setup(...)` that are literals or names of literals. Raises Unreadable."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"not valid Python: {error}") from None
    known: dict[str, ast.expr] = {}
    call: ast.Call | None = None
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            known.setdefault(node.targets[0].id, node.value)
        if isinstance(node, ast.Call) and _name(node.func) == "setup":
            call = node
    if call is None:
        return Project()
    arguments = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    reader = _Literals(known, tree)
    requirements, notes = reader.lines(arguments.get("install_requires")), []
    if (
        "install_requires" in arguments
        and not requirements
        and not isinstance(arguments["install_requires"], (ast.List, ast.Tuple))
    ):
        notes.append("install_requires is computed; not read")
    points = reader.value(arguments.get("entry_points"))
    scripts = []
    if isinstance(points, dict):
        for line in _list(points.get("console_scripts")):
            command, _, target = str(line).partition("=")
            scripts.append((command.strip(), target.strip()))
    python = reader.value(arguments.get("python_requires"))
    if not python:
        python = next(iter(_classifiers([str(item) for item in _list(reader.value(arguments.get("classifiers")))])), None)
    package_dir = reader.value(arguments.get("package_dir"))
    folder = str(package_dir.get("", "")) if isinstance(package_dir, dict) else ""
    name, version = reader.value(arguments.get("name")), reader.value(arguments.get("version"))
    return Project(
        tuple(requirements),
        (str(python),) if python else (),
        str(name or "") if isinstance(name, str) else "",
        version if isinstance(version, str) and re.fullmatch(r"[\w.+!]+", version) else "",
        tuple(scripts),
        folder,
        tuple(notes),
    )


def pipfile(text: str, tree: Mapping[str, bytes]) -> Project:
    """Pipfile. Raises tomllib.TOMLDecodeError."""
    data = tomllib.loads(text)
    requirements = [line for name, value in _table(data, "packages").items() if (line := _poetry_line(name, value))]
    requires = _table(data, "requires")
    version = requires.get("python_version") or requires.get("python_full_version")
    python = "==" + ".".join(str(version).split(".")[:2]) + ".*" if version else ""
    return Project(tuple(requirements), (python,) if python else ())


READERS: dict[str, Callable[[str, Mapping[str, bytes]], Project]] = {
    "pyproject.toml": pyproject,
    "setup.cfg": setup_cfg,
    "setup.py": setup_py,
    "Pipfile": pipfile,
}


def poetry_specifier(text: str) -> str:
    """Poetry's "^1.2", "~1.2", "1.2" and "*" as PEP 440; anything else unchanged."""
    parts = []
    for part in (part.strip() for part in text.split(",")):
        match = re.fullmatch(r"([\^~]?)\s*(\d+(?:\.\d+)*)", part)
        if part in ("", "*"):
            continue
        if not match:
            parts.append(part)
            continue
        numbers = [int(number) for number in match[2].split(".")]
        if match[1] == "^":
            index = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
            upper = [*numbers[:index], numbers[index] + 1]
            parts.append(f">={match[2]},<{'.'.join(map(str, upper))}")
        elif match[1] == "~":
            upper = [numbers[0], numbers[1] + 1] if len(numbers) > 1 else [numbers[0] + 1]
            parts.append(f">={match[2]},<{'.'.join(map(str, upper))}")
        else:
            parts.append(f"=={match[2]}")
    return ",".join(parts)


class _Literals:
    """Values of expressions that need no running: literals, names of literals, sums, and reading a file of the repository."""

    def __init__(self, known: Mapping[str, ast.expr], tree: Mapping[str, bytes]) -> None:
        self.known, self.tree = known, tree

    def value(self, node: ast.expr | None, depth: int = 0) -> Any:
        if node is None or depth > 8:
            return None
        if isinstance(node, ast.Name):
            return self.value(self.known.get(node.id), depth + 1)
        if isinstance(node, ast.Dict):
            return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in zip(node.keys, node.values, strict=True) if k}
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return [self.value(item, depth + 1) for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.value(node.left, depth + 1), self.value(node.right, depth + 1)
            return left + right if type(left) is type(right) and isinstance(left, (list, str)) else left or right
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, RecursionError, MemoryError):
            return None

    def lines(self, node: ast.expr | None) -> list[str]:
        """Requirement lines; a call or comprehension that mentions a requirements file reads that file."""
        value = self.value(node)
        if isinstance(value, str):
            return value.splitlines()
        if isinstance(value, list):
            return [item for item in value if isinstance(item, str)]
        seen, pending = set[str](), [node] if node is not None else []
        while pending:
            for part in ast.walk(pending.pop()):
                if (
                    isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and part.value in self.tree
                    and part.value.endswith((".txt", ".in"))
                ):
                    text = _text(self.tree, part.value)
                    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))]
                if isinstance(part, ast.Name) and part.id in self.known and part.id not in seen:
                    seen.add(part.id)
                    pending.append(self.known[part.id])
        return []


def _poetry_line(name: str, value: Any) -> str:
    if isinstance(value, dict):
        if value.get("optional"):
            return ""
        extras = ",".join(str(extra) for extra in _list(value.get("extras")))
        version = poetry_specifier(str(value.get("version", "*")))
        return f"{name}[{extras}]{version}" if extras else f"{name}{version}"
    return f"{name}{poetry_specifier(str(value))}"


def _classifiers(classifiers: list[str]) -> list[str]:
    """Python versions in the classifiers as one range, if any."""
    found = sorted(
        {
            int(match[1])
            for item in classifiers
            if (match := re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", item.strip()))
        }
    )
    if not found:
        return []
    try:
        return [str(SpecifierSet(f">=3.{found[0]}"))]
    except InvalidSpecifier:
        return []


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _table(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = data.get(key)
        if not isinstance(value, dict):
            return {}
        data = value
    return data


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _strings(table: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in table.items() if isinstance(value, str)}


def _text(tree: Mapping[str, bytes], path: str) -> str:
    return tree.get(path.removeprefix("./"), b"")[: 2**20].decode("utf-8", errors="replace")
