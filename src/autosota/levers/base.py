"""What a lever is, and the frame all of them share.

A lever is one structural improvement: a detector that finds the places where it applies, and the change for each. Detector and
change come from the same pass, so what is proposed can be made. A lever touches free files and free symbols only, and never
code that scores.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar, cast

from packaging.version import InvalidVersion, Version

from autosota.levers.source import Edits, Source
from autosota.records import Change, Level, Risk, Scope, Site, Zones

_ASIDE = re.compile(
    r"(^|/)(tests?|testing|docs?|notebooks?|node_modules|site-packages|\.venv|venv|env|build|dist|\.[^/]+)/|(^|/)(conftest|setup|test_[^/]*|[^/]*_test)\.py$"
)
_MOST_FILES = 400
T = TypeVar("T")


class Lever(Protocol):
    """One kind of structural improvement (paper 3.7)."""

    name: str
    """The file's stem."""
    title: str
    level: Level
    scope: Scope
    risk: Risk
    priority: float
    """0 to 1, from the expected payoff and how often the detector is right."""
    rationale: str
    """Why it should help, with its published source."""
    leap: bool
    metrics: str
    """Regular expression the primary metric's name must match for the lever to make sense; "" for any."""

    def detect(self, tree: Mapping[str, bytes], zones: Zones, packages: Mapping[str, str]) -> list[Site]:
        """Every place where it applies, at most one site per independent change. Never raises, whatever the files hold."""
        ...

    def apply(self, tree: Mapping[str, bytes], site: Site) -> tuple[Change, ...]:
        """The change at a site `detect` gave. LookupError if it no longer applies there."""
        ...


@dataclass(frozen=True)
class Place:
    """A site with its edits."""

    line: int
    detail: str
    """Stable under edits elsewhere: names of scope and callee, never line numbers."""
    edits: Edits


class View:
    """The repository's Python files, parsed when looked at."""

    def __init__(self, tree: Mapping[str, bytes], zones: Zones | None, packages: Mapping[str, str] | None) -> None:
        self._tree = tree
        self._zones = zones
        self._packages = {name.lower().replace("_", "-"): version for name, version in (packages or {}).items()}
        self._parsed: dict[str, Source | None] = {}
        self._made: dict[str, object] = {}

    def source(self, path: str) -> Source | None:
        """A parsed file, None if it is absent or cannot be read."""
        if path not in self._parsed:
            self._parsed[path] = Source.read(path, self._tree.get(path))
        return self._parsed[path]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of the tree."""
        return tuple(self._tree)

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, computed once for this view; `key` names it."""
        if key not in self._made:
            self._made[key] = make()
        return cast("T", self._made[key])

    def raw(self, path: str) -> bytes:
        """A file's bytes, empty if absent."""
        return self._tree.get(path) or b""

    @cached_property
    def python(self) -> tuple[str, ...]:
        """Paths of the repository's own Python files outside tests and documentation."""
        paths = [path for path in self._tree if path.endswith(".py") and not _ASIDE.search(path)]
        return tuple(sorted(paths, key=lambda path: (path.count("/"), path))[:_MOST_FILES])

    @cached_property
    def reached(self) -> tuple[str, ...]:
        """Those of them the evaluation reads; all, where the traced run names none."""
        read = set(self._zones.reached) if self._zones else set()
        chosen = tuple(path for path in self.python if path in read)
        return chosen or self.python

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Parsed files the evaluation reads."""
        return tuple(source for path in self.reached if (source := self.source(path)))

    @cached_property
    def everything(self) -> tuple[Source, ...]:
        """All parsed files, reached or not: for looking up definitions."""
        return tuple(source for path in self.python if (source := self.source(path)))

    @property
    def guarded(self) -> bool:
        """Is this a detection, where doubts about other files count? A change to a site already detected is not."""
        return self._zones is not None

    def free(self) -> Iterator[Source]:
        """Parsed files the evaluation reads and a candidate may change."""
        for source in self.sources:
            if self._zones is None or not self._zones.is_protected(source.path):
                yield source

    def may(self, source: Source, edits: Edits) -> bool:
        """Do the edits stay out of the file's protected functions, classes, constants and options?"""
        names = () if self._zones is None else self._zones.symbols.get(source.path, ())
        return not names or not edits.touches(_spans(source, frozenset(names)))

    def version(self, package: str) -> Version | None:
        """Installed version, None where it is not installed or not known."""
        try:
            return Version(self._packages[package])
        except (KeyError, InvalidVersion):
            return None

    def at_least(self, package: str, version: str) -> bool:
        """Is this version or a later one installed? True where the environment is unknown."""
        if not self._packages:
            return True
        installed = self.version(package)
        return installed is not None and installed >= Version(version)

    def mentions(self, pattern: re.Pattern[str]) -> bool:
        """Does a file the evaluation reads match? False when applying a site already detected."""
        return self.guarded and self.once(pattern.pattern, lambda: any(pattern.search(source.text) for source in self.sources))


class PythonLever:
    """Base of the levers: a subclass states the facts and yields the places of one file."""

    name: str
    title: str
    level: Level
    scope: Scope
    risk: Risk
    priority: float
    rationale: str
    leap: bool = False
    metrics: str = ""

    def places(self, source: Source, view: View) -> Iterator[Place]:
        """Where it applies in one file, with the edits."""
        raise NotImplementedError

    def detect(self, tree: Mapping[str, bytes], zones: Zones, packages: Mapping[str, str]) -> list[Site]:
        """See `Lever.detect`."""
        return self.look(View(tree, zones, packages))

    def look(self, view: View) -> list[Site]:
        """`detect` on a view that several levers share."""
        return [
            Site(lever=self.name, file=source.path, line=place.line, detail=place.detail)
            for source in view.free()
            for place in self._numbered(source, view)
            if view.may(source, place.edits)
        ]

    def apply(self, tree: Mapping[str, bytes], site: Site) -> tuple[Change, ...]:
        """See `Lever.apply`."""
        view = View(tree, None, None)
        source = view.source(site.file)
        if source is None:
            raise LookupError(f"{site.file}: not there, or not Python that can be read")
        for place in self._numbered(source, view):
            if place.detail == site.detail:
                return (Change(path=site.file, content=place.edits.content()),)
        raise LookupError(f"{self.name} no longer applies in {site.file} ({site.detail})")

    def _numbered(self, source: Source, view: View) -> Iterator[Place]:
        """Places whose edits can be made; equal details are told apart by a number."""
        seen: dict[str, int] = {}
        for place in self.places(source, view):
            try:
                place.edits.content()
            except LookupError:
                continue
            seen[place.detail] = seen.get(place.detail, 0) + 1
            count = seen[place.detail]
            yield place if count == 1 else Place(place.line, f"{place.detail} ({count})", place.edits)


def _spans(source: Source, names: frozenset[str]) -> list[tuple[int, int]]:
    """Where the named functions, classes, constants and options stand."""
    spans: list[tuple[int, int]] = []
    for node in source.walk():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and source.scope(node) in names:
            spans.append((source.start(node), source.end(node)))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            scope = source.scope(node)
            local = {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
            if any((f"{scope}.{name}" if scope else name) in names for name in local):
                spans.append((source.start(node), source.end(node)))
        elif isinstance(node, ast.Call):
            words = {each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)}
            if words & names:
                spans.append((source.start(node), source.end(node)))
    return spans
