"""Finds the knobs of a repository: places that belong to the method, take effect, and have a range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autosota.knobs import scikit
from autosota.knobs.place import Place
from autosota.knobs.signatures import UNSTATED
from autosota.knobs.spaces import find_space
from autosota.knobs.survey import Rules, Survey, is_tunable, take
from autosota.knobs.vocabulary import tendency, weight
from autosota.records import Commands, Constraint, Knob, MetricSpec, Zones


def find(
    tree: Mapping[str, bytes],
    zones: Zones,
    *,
    constraints: Sequence[Constraint] = (),
    metrics: Sequence[MetricSpec] = (),
    site_packages: Path | None = None,
    commands: Commands | None = None,
) -> tuple[Knob, ...]:
    """The tunable values, those that usually matter most first.

    `site_packages` is the environment's folder of installed packages; scikit-learn's declared constraints are read there from
    source. With `commands`, options that the command line states are left out. Files that cannot be read are passed over.
    """
    survey = take(tree, zones)
    rules = Rules(zones, constraints, metrics, commands)
    knobs: dict[str, Knob] = {}
    for module in survey.modules:
        for place in module.places:
            for knob in _knobs(place, survey, rules, site_packages):
                knobs.setdefault(knob.id, knob)
    for configuration in survey.configurations:
        for place in configuration.places:
            for knob in _knobs(place, survey, rules, None):
                knobs.setdefault(knob.id, knob)
    return tuple(sorted(knobs.values(), key=lambda knob: (-importance(knob), knob.file, knob.line, knob.id)))


def importance(knob: Knob) -> float:
    """How much a knob is expected to matter before anything was measured, in [0, 1]: from its name and where it stands."""
    value = weight(knob.name)
    if isinstance(knob.value, str) and knob.space.kind == "choice" and not knob.value.startswith(("(", "[")):
        value = 0.4
    if knob.space.kind == "choice" and len(knob.space.choices) == 2:
        value *= 0.7
    if knob.reason.startswith("not stated"):
        value *= 0.6
    return value


def likelier(knob: Knob) -> int:
    """The direction in which a better value more likely lies: 1 up, -1 down, 0 where its name says nothing."""
    return 0 if knob.space.kind == "choice" else tendency(knob.name)


def _knobs(place: Place, survey: Survey, rules: Rules, site_packages: Path | None) -> list[Knob]:
    if rules.zones.is_protected(place.file):
        return []
    estimator = scikit.estimator(site_packages, place.callee) if site_packages and place.callee.startswith("sklearn.") else None
    if place.implicit:
        return (
            [knob for item in _unstated(place, estimator) if (knob := _knob(item, survey, rules, estimator))] if estimator else []
        )
    knob = _knob(place, survey, rules, estimator)
    return [knob] if knob else []


def _unstated(place: Place, estimator: scikit.Estimator) -> list[Place]:
    """Parameters that a call leaves at the library's default and that are worth tuning."""
    stated = {*str(place.value).split(","), *estimator.order[: place.position or 0]}
    names = [
        name for name in UNSTATED.get(place.callee.rpartition(".")[2], ()) if name in estimator.defaults and name not in stated
    ]
    return [
        replace(place, key=place.key.replace(".*", f".{name}"), name=name, value=estimator.defaults[name], plain=True)
        for name in names
    ]


def _knob(place: Place, survey: Survey, rules: Rules, estimator: scikit.Estimator | None) -> Knob | None:
    allowed = estimator.constraints.get(place.name.partition(".")[0]) if estimator else None
    if rules.forbids(place) or not is_tunable(place, survey, library=allowed is not None):
        return None
    found = find_space(place, allowed if not place.structured else None)
    if found is None:
        return None
    space, reason = found
    value = place.value
    if space.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    reason = f"not stated in the code, {place.owner}'s default; {reason}" if place.implicit else reason
    return Knob(id=place.id, kind=place.kind, name=place.name, file=place.file, line=place.line, value=value, space=space,
                owner=place.owner, reason=reason)  # fmt: skip
