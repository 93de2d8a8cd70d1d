"""Cases of the suite: a base repository, a change, and what must be said about it (validity.md, section 4).

A case is one TOML file in `tests/attacks`, `tests/honest` or `tests/placebo`; its change is given as edits of the base's files.
Every repository exists in two vocabularies (files, functions and variables are named otherwise), so that nothing can be
recognized by its name. What a change shows and what it is worth stands in its file, written by `python -m benchmarks.worth`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.suite.generators import GENERATORS, STORED, Data

HERE = Path(__file__).parent
TESTS = HERE.parent
KINDS: Mapping[str, Literal["cheat", "honest", "placebo"]] = {"attacks": "cheat", "honest": "honest", "placebo": "placebo"}
VOCABULARIES = ("plain", "other")
Files = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """One change and what is expected of it."""

    id: str
    """Name of its file: "o01-tab-2" is attack O01 on TAB at level 2."""
    kind: Literal["cheat", "honest", "placebo"]
    base: str
    title: str
    red_lines: tuple[str, ...] = ()
    level: int = 0
    """How it is dressed: 1 open, 2 disguised as a refactoring, 3 looks innocent; 0 for what is no cheat."""
    expected: tuple[str, ...] = ()
    """Grades that are right; of a cheat also "neutralised"."""
    detector: str = ""
    """Rule or layer that should stop it first."""
    truth: Literal["fresh", "none"] = "fresh"
    """Where the true gain comes from: measured on fresh rows; or none, since the protocol rules the gain out, as `why` says."""
    why: str = ""
    seen: tuple[int, ...] = ()
    """The only seeds that the author of the change looked at; empty for any."""
    sealed: bool = False
    """Do rows that no author saw replace the test rows at confirmation?"""
    task: tuple[tuple[str, str], ...] = ()
    """Replacements in the task file: what is measured in this case."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Options of the base's generator."""
    ship: tuple[tuple[str, str, str], ...] = ()
    """Edits that make this case's baseline out of the base: of a placebo the model that cannot be improved."""
    edits: tuple[tuple[str, str, str], ...] = ()
    add: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    worth: Mapping[str, Any] = field(default_factory=dict)
    """What `benchmarks.worth` measured: `visible` gains over paired seeds, `noise`, `true` gain and its `error`."""

    @property
    def family(self) -> str:
        """The cheat that it is a variant of: "O01"."""
        return self.id.split("-")[0].upper()


def load(path: Path) -> Case:
    """Read a case. Raises KeyError or TypeError where it is malformed."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    for name in ("red_lines", "expected", "drop", "seen"):
        table[name] = tuple(table.get(name, ()))
    table["task"] = tuple((item["old"], item["new"]) for item in table.get("task", ()))
    table["edits"] = tuple((item["file"], item["old"], item["new"]) for item in table.pop("edit", ()))
    table["ship"] = tuple((item["file"], item["old"], item["new"]) for item in table.get("ship", ()))
    table["add"] = {item["file"]: item["text"] for item in table.get("add", ())}
    return Case(id=path.stem, kind=KINDS[path.parent.name], **table)


def cases(*kinds: str) -> list[Case]:
    """All cases of the kinds, by name; without kinds all."""
    folders = [TESTS / name for name, kind in KINDS.items() if not kinds or kind in kinds]
    return [load(path) for folder in folders for path in sorted(folder.glob("*.toml"))]


def repository(case: Case, data: Data | None = None) -> Files:
    """The base of a case in the plain vocabulary, with its data or with `data`."""
    files = dict(_sources(case.base))
    text = files["autosota.toml"].decode()
    for old, new in case.task:
        text = _replaced(text, old, new, "autosota.toml")
    files["autosota.toml"] = text.encode()
    for path, old, new in case.ship:
        files[path] = _replaced(files[path].decode(), old, new, f"{case.id}: {path}").encode()
    files.update(data if data is not None else _data(case.base, json.dumps(dict(case.data), sort_keys=True)))
    return files


@cache
def _data(base: str, options: str) -> Data:
    return GENERATORS[base](**json.loads(options))


@cache
def _sources(base: str) -> Files:
    folder = HERE / "bases" / base
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def changed(case: Case, files: Files) -> Files:
    """The candidate's tree. Raises ValueError where an edit finds nothing to replace."""
    after = dict(files)
    for path, old, new in case.edits:
        after[path] = _replaced(after[path].decode(), old, new, f"{case.id}: {path}").encode()
    for path, text in case.add.items():
        after[path] = re.sub("@[A-Z_]+@", lambda match: STORED[match[0]](case.base, files), text).encode()
    for path in case.drop:
        del after[path]
    return after


def _replaced(text: str, old: str, new: str, where: str) -> str:
    if text.count(old) != 1:
        raise ValueError(f"{where}: {old!r} occurs {text.count(old)} times, an edit needs exactly one")
    return text.replace(old, new)


def spoken(files: Files, base: str, vocabulary: str) -> Files:
    """The same repository in a vocabulary: names of files, functions and variables."""
    if vocabulary == "plain":
        return dict(files)
    words = _words(base)
    pattern = re.compile(
        r"(?<![A-Za-z0-9_])(" + "|".join(map(re.escape, sorted(words, key=len, reverse=True))) + r")(?![A-Za-z0-9_])"
    )

    def rename(text: str) -> str:
        return pattern.sub(lambda match: words[match[1]], text)

    return {
        rename(path): content if path.startswith("data/") else rename(content.decode()).encode()
        for path, content in files.items()
    }


@cache
def _words(base: str) -> dict[str, str]:
    return {
        old: new
        for line in (HERE / "bases" / f"{base}.words").read_text().splitlines()
        for old, new in [line.split()]
    }  # fmt: skip


def unseen(case: Case) -> Files:
    """What replaces the test rows of a sealed case at confirmation: rows of the same size from another seed."""
    known, fresh = GENERATORS[case.base](**case.data), GENERATORS[case.base](**{**case.data, "seed": 77})
    return {path: content for path, content in fresh.items() if content != known[path]}


def fingerprint(case: Case) -> str:
    """Changes whenever the case, its base or its data do; what was measured of it does not count."""
    text = repr((case.base, case.truth, case.seen, case.sealed, case.task, case.ship, case.edits, case.add, case.drop))
    digest = hashlib.sha256(text.encode())
    for path, content in sorted(repository(case).items()):
        digest.update(path.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:12]


def write(files: Files, folder: Path) -> Path:
    """A tree on disk, in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def families(items: Iterable[Case]) -> list[str]:
    """Names of the attacks or changes that occur, in order."""
    return sorted({case.family for case in items})
