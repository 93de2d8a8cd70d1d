"""Reads all files that count once, and says of each place why it is not to be tuned."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autosota.knobs import configuration, python
from autosota.knobs.configuration import Configuration
from autosota.knobs.place import MAX_BYTES, PYTHON, Place
from autosota.knobs.python import Call, Module
from autosota.knobs.signatures import KNOWN
from autosota.knobs.vocabulary import is_forbidden, is_protocol_call, is_protocol_scope, is_switch, quantity, words
from autosota.records import Commands, Constraint, MetricSpec, Zones

_ASIDE = re.compile(
    r"(?:^|/)(?:\.[^/]+|tests?|docs?|testing|node_modules|build|dist|site-packages|venv|env|__pycache__|data|datasets|results?|outputs?|"
    r"logs?|notebooks?|checkpoints?)/"
    r"|(?:^|/)(?:setup|conftest|noxfile|fabfile|versioneer|conf|test_[^/]*|[^/]*_test)\.py$"
    r"|(?:^|/)(?:pyproject|poetry|uv|autosota|rustfmt|Cargo|Pipfile)\.(?:toml|lock)$"
    r"|(?:^|/)(?:setup|tox|pytest|mypy|alembic|logging|buildout|pylintrc)\.(?:cfg|ini|conf)$"
    r"|(?:^|/)(?:package|package-lock|tsconfig|composer|metrics|results|vercel|renovate|manifest)\.json$"
    r"|(?:^|/)(?:docker-compose|mkdocs|environment|conda|codecov|_config|readthedocs|appveyor|CITATION|pre-commit-config)[^/]*\.ya?ml$"
)
"""Tests, docs, data, set-up and tools' own settings."""
_LIBRARY = ("shuffle", "validation_fraction", "average", "bootstrap")
"""Names that elsewhere belong to the protocol, but not as parameters of an estimator."""


@dataclass
class Survey:
    """Everything the decisions below look at."""

    modules: list[Module] = field(default_factory=list)
    configurations: list[Configuration] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)
    words: set[str] = field(default_factory=set)
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    defined: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    """Last parts of the keys in configuration files, normalized."""
    updates_options: bool = False


def take(tree: Mapping[str, bytes], zones: Zones) -> Survey:
    """Read the files the evaluation reaches; where that is unknown, all source and configuration but tests, docs and set-up."""
    survey = Survey()
    reached = set(zones.reached)
    for file in sorted(tree):
        if not (file.endswith(".py") or configuration.kind_of(file)):
            continue
        if (file not in reached) if reached else bool(_ASIDE.search(file)):
            continue
        content = tree[file]
        if len(content) > MAX_BYTES:
            continue
        if file.endswith(".py"):
            _add_module(survey, python.read(file, content))
        elif not _ASIDE.search(file) and (found := configuration.read(file, content)) is not None:
            survey.configurations.append(found)
            survey.keys.update(words(place.name) for place in found.places if not zones.is_protected(file))
    return survey


def _add_module(survey: Survey, module: Module | None) -> None:
    if module is None:
        return
    survey.modules.append(module)
    survey.names.update(module.names)
    survey.words |= module.words
    survey.defined |= module.defined
    survey.updates_options |= module.updates_options
    for name, found in module.calls.items():
        survey.calls[name] += found


@dataclass(frozen=True)
class Rules:
    """What the task forbids, prepared once."""

    zones: Zones
    constraints: Sequence[Constraint]
    metrics: Sequence[MetricSpec]
    commands: Commands | None

    def forbids(self, place: Place) -> bool:
        """Does a protected symbol, a constraint, a metric's name or the command line take hold of this place?"""
        return self._protected(place) or self._constrained(place) or self._measured(place) or self._commanded(place)

    def _protected(self, place: Place) -> bool:
        if self.zones.is_protected(place.file):
            return True
        symbols = self.zones.symbols.get(place.file, ())
        key = place.key.partition("#")[0]
        scope = ".".join(place.scope)
        for symbol in symbols:
            if symbol in (key, place.name, place.name.replace("_", "-")) or symbol.lstrip("-").replace("-", "_") == place.name:
                return True
            if any(text == symbol or text.startswith(symbol + ".") for text in (key, scope)):
                return True
        return False

    def _constrained(self, place: Place) -> bool:
        name = words(place.name)
        for constraint in self.constraints:
            if constraint.key:
                key = words(constraint.key)
                same = words(place.key.partition("#")[0])
                if name == words(re.split(r"[.:]", constraint.key)[-1]) or same == key or same.endswith("_" + key):
                    return True
            text = words(constraint.text)
            if len(name) >= 3 and re.search(rf"(?:^|_){re.escape(name)}(?:_|$)", text):
                return True
        return False

    def _measured(self, place: Place) -> bool:
        name = words(place.name)
        for metric in self.metrics:
            text = words(metric.name)
            if name == text or (name == "k" and re.search(r"(?:_|^)(?:at|top)?_?(?:k|\d+)$", text)):
                return True
            if "cover" in text and name in ("alpha", "level", "confidence", "quantile", "target", "q", "nominal"):
                return True
        return False

    def _commanded(self, place: Place) -> bool:
        if self.commands is None or place.kind not in ("argparse", "click"):
            return False
        lines = " ".join(line for line in (self.commands.evaluate, self.commands.predict, self.commands.score) if line)
        flag = place.key.partition("#")[0].rpartition(".")[2]
        return re.search(rf"(?:^|\s){re.escape(flag)}(?:[\s=]|$)", lines) is not None


def is_tunable(place: Place, survey: Survey, *, library: bool) -> bool:
    """Is it a value of the method that takes effect? `library`: the callee declares its parameters (scikit-learn)."""
    if not place.plain or (is_forbidden(place.name) and not (library and place.name in _LIBRARY)):
        return False
    if place.kind in PYTHON:
        return _takes_effect(place, survey) and _is_method(place, survey, library)
    if place.name.rpartition(".")[2].isdigit() and not isinstance(place.value, float):
        return False
    if any(
        is_forbidden(part)
        for part in place.key.split(".")[:-1]
        if part in ("paths", "logging", "logger", "data", "dataset", "evaluation", "metrics")
    ):
        return False
    mentioned = place.name.partition(".")[0] in survey.words or survey.names[place.name.partition(".")[0]] > 0
    return mentioned or not survey.modules or _spreads(survey)


def _spreads(survey: Survey) -> bool:
    """Are keyword dictionaries handed to things that are not defined here, so that a key need not occur in the code?"""
    return any(call.star and name not in survey.defined for name, found in survey.calls.items() for call in found)


def _is_method(place: Place, survey: Survey, library: bool) -> bool:
    """Does it belong to the method rather than to measuring, loading and output?"""
    last = place.callee.rpartition(".")[2]
    named = quantity(place.name) != ""
    if place.kind == "keyword":
        known = place.name in KNOWN.get(last, {})
        if library or known:
            return True
        if is_protocol_call(place.callee) or is_protocol_scope(place.scope):
            return False
        if isinstance(place.value, bool):
            return last in survey.defined and is_switch(place.name)
        return named or last in survey.defined
    if is_protocol_scope(place.scope):
        return False
    if place.kind in ("argparse", "click", "dataclass"):
        return True
    if isinstance(place.value, bool):
        return is_switch(place.name)
    if place.kind == "constant" and len(place.scope) > 0 and place.owner == ".".join(place.scope):
        return named and not _starts_a_loop(place)
    return named or isinstance(place.value, float) or place.structured or bool(place.choices)


def _starts_a_loop(place: Place) -> bool:
    """`best = 0.0`, `total = 1`: a local that only starts an accumulation."""
    return place.value in (0, 1) and not isinstance(place.value, bool)


def _takes_effect(place: Place, survey: Survey) -> bool:
    """Is the value used, and not stated again where it is called or in a configuration file?"""
    name = words(place.name)
    if place.kind in ("argparse", "click"):
        used = survey.names[place.name] or place.kind == "click" or survey.names["vars"] or survey.names["__dict__"]
        return bool(used) and not (survey.updates_options and name in survey.keys)
    if place.kind == "constant":
        return (
            survey.names[place.key.partition(".")[0]] > 0
            or survey.names[place.name.partition(".")[0]] > 0
            or place.name in survey.words
        )
    if place.kind == "default" and ".get(" in place.key:
        return name not in survey.keys
    if place.kind in ("default", "dataclass"):
        found = survey.calls.get(place.owner, [])
        if place.kind == "default" and not found and not survey.names[place.owner] and not place.owner.startswith("__"):
            return False
        if any(call.star for call in found) and name in survey.keys:
            return False
        argument = place.name.partition(".")[0]
        return not found or not all(call.states(argument, place.position) for call in found)
    return True
