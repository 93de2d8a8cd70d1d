"""Repair procedures as data (paper section 3.6): one folder a failure, in the Agent Skills format.

`SKILL.md` holds the front matter (name, description, signatures, what the repair may touch, priority) and the procedure in
words; `sample_match.txt` and `sample_other.txt` are logs that it is for and not for. What the procedure does by rule is a
function of the same name in `remedies/`. A skill without one is for people and models to read.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from autosota.failures import Failure
from autosota.records import Change, Commands, Recipe

FOLDER = Path(__file__).parent
TOUCHES = ("environment", "command", "source", "variables")
_SEARCHED = 20_000
_LINE = 500
_FAMILIES = ("packages", "interfaces", "frames", "python", "paths", "hardware", "running", "folds", "forms", "absent")


@dataclass(frozen=True)
class Context:
    """What a remedy may look at. No I/O behind it but the lazy `tree` and reading installed packages as text."""

    tree: Mapping[str, bytes]
    recipe: Recipe
    commands: Commands
    root: str = "/workspace"
    """Where the tree lay when the log was written."""
    pythons: tuple[str, ...] = ()
    """Python versions this machine offers, newest first, like "3.12"."""
    date: str | None = None
    """Of the repository's last commit upstream, like "2021-04-13"."""
    before: str | None = None
    """The date up to which packages are taken now."""

    def package(self, name: str) -> str | None:
        """Installed version of a distribution, by canonical name."""
        return next((package.version for package in self.recipe.packages if package.name == name), None)

    def site_packages(self) -> Path | None:
        """Where the environment's packages lie on the host."""
        return next(iter(sorted(Path(self.recipe.prefix).glob("lib/python3*/site-packages"))), None)


@dataclass(frozen=True)
class Remedy:
    """What to change about the environment, the command or the source, and why."""

    reason: str
    """One line, which becomes the commit's message."""
    install: tuple[str, ...] = ()
    """Requirement lines, overriding those of the same package."""
    drop: tuple[str, ...] = ()
    python: str | None = None
    """Version to build the environment with, like "3.12"."""
    before: str | None = None
    """Date after which no package was published."""
    variables: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    """The whole command line in place of the failing one."""
    changes: tuple[Change, ...] = ()
    substitute: bool = False
    """It replaces data or settings of the paper by others: the result can be reproduced in part at best."""

    @property
    def touched(self) -> tuple[str, ...]:
        """Files edited, or "environment", "command", "variables"."""
        kinds = {
            "environment": self.install or self.drop or self.python or self.before,
            "command": self.command,
            "variables": self.variables,
        }
        return (*(change.path for change in self.changes), *(kind for kind, used in kinds.items() if used))

    def detail(self) -> str:
        """What tells this use of a skill from another."""
        parts: list[object] = [self.install, self.drop, self.python or self.before, sorted(self.variables.items()), self.command]
        parts.append([(change.path, hashlib.sha256(change.content or b"").hexdigest()[:16]) for change in self.changes])
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


Function = Callable[[Failure, re.Match[str], Context], "Remedy | None"]
"""From a log, where the signature matched in it, and the context: what to do, or None where it does not apply after all."""

_FUNCTIONS: dict[str, Function] = {}


def remedy(name: str) -> Callable[[Function], Function]:
    """Register the function that carries out the skill `name`."""

    def register(function: Function) -> Function:
        _FUNCTIONS[name] = function
        return function

    return register


@dataclass(frozen=True)
class Skill:
    """One folder."""

    name: str
    description: str
    signatures: tuple[re.Pattern[str], ...]
    """Searched for in the end of the log."""
    touches: tuple[str, ...]
    priority: int
    """Higher is tried first."""
    procedure: str
    folder: Path
    function: Function | None

    def match(self, failure: Failure) -> re.Match[str] | None:
        """Where the log speaks of this failure: in the exception's words first, then in the log's end."""
        head = f"{failure.exception}: {failure.message}" if failure.exception else failure.message
        for whole in (head, failure.text[-_SEARCHED:]):
            # Very long lines are progress bars or data, and slow to search.
            text = "\n".join(line[:_LINE] for line in whole[:_SEARCHED].splitlines())
            for pattern in self.signatures:
                found = pattern.search(text)
                if found:
                    return found
        return None


@cache
def load() -> tuple[Skill, ...]:
    """All skills, the most specific first."""
    for family in _FAMILIES:
        importlib.import_module(f"autosota.skills.remedies.{family}")
    found = [_read(path) for path in sorted(FOLDER.glob("*/SKILL.md"))]
    return tuple(sorted(found, key=lambda skill: (-skill.priority, skill.name)))


def _read(path: Path) -> Skill:
    """One skill; a folder that breaks the format is a bug and raises ValueError."""
    match = re.fullmatch(r"---\n(.*?)\n---\n(.*)", path.read_text(encoding="utf-8"), re.S)
    if match is None:
        raise ValueError(f"{path}: no front matter")
    front = yaml.safe_load(match[1])
    extra = front.get("metadata", {})
    touches = tuple(extra.get("touches", ()))
    if front["name"] != path.parent.name or not set(touches) <= set(TOUCHES):
        raise ValueError(f"{path}: the name must be the folder's, and `touches` of {TOUCHES}")
    return Skill(
        name=front["name"],
        description=front["description"],
        signatures=tuple(re.compile(pattern, re.M) for pattern in extra["signatures"]),
        touches=touches,
        priority=int(extra.get("priority", 50)),
        procedure=match[2].strip(),
        folder=path.parent,
        function=_FUNCTIONS.get(front["name"]),
    )
