"""The ideator's questions to a model, and what code makes of the answers (paper 3.7).

A model proposes structure, search sets numbers: an answer that names values becomes a search space over a knob that code found,
one that names a lever becomes that lever's idea, and only the rest is written down for a coding agent. What names nothing that
exists is dropped, and said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field

from autosota.agents import showing
from autosota.records import Idea, Knob, Level, Risk, Scalar, Scope, Site, Space

MOST = 12
"""Ideas taken from one answer."""
CANDIDATES = 3
"""Structural ideas asked for when the search must leap (paper 3.7.3)."""
_PROMISE = (0.3, 0.95)
_FAVORED = 0.9


class Values(BaseModel):
    """A knob and where better values of it may lie."""

    knob: str = Field(description="short name of the knob from the list, like K3")
    low: float | None = None
    high: float | None = None
    choices: list[str | float | bool] = Field(default_factory=list, description="instead of low and high: values to try")


class Proposed(BaseModel):
    """One idea as a model words it."""

    title: str = Field(description="what changes, at most 12 words")
    why: str = Field(default="", description="one or two sentences: the mechanism by which the metric gets better")
    values: list[Values] = Field(default_factory=list, description="only for ideas that are about values of listed knobs")
    lever: str = Field(default="", description="only for ideas that are one of the listed levers: its name")
    files: list[str] = Field(default_factory=list, description="free files that change")
    instructions: str = Field(default="", description="for code changes: what exactly to write, where; formulas, names, defaults")
    algorithm: bool = Field(default=False, description="true where the method itself changes, not only its code")
    risk: str = Field(default="medium", description="low, medium or high")
    promise: float = Field(default=0.5, description="0 to 1: how likely it beats the baseline beyond noise")


class Library(BaseModel):
    """Ideas beyond those that rules found."""

    ideas: list[Proposed] = Field(default_factory=list)
    first: list[str] = Field(default_factory=list, description="ids of ideas from the list that should be tried first")


class Notes(BaseModel):
    """What is known about methods like this one (paper 3.7.1)."""

    class Note(BaseModel):
        """One finding."""

        finding: str = Field(description="one sentence: what helps or hurts methods like this one, and when")
        source: str = Field(
            default="", description="where it is known from: a listed reference, or a publication you are sure of"
        )
        here: str = Field(default="", description="file and function of this code that it speaks to")

    notes: list[Note] = Field(default_factory=list)


@dataclass(frozen=True)
class Sorted:
    """What an answer came to."""

    ideas: tuple[Idea, ...]
    taken: tuple[str, ...]
    dropped: tuple[str, ...]


def sort(
    proposed: Sequence[Proposed], *, knobs: Sequence[Knob], sites: Sequence[Site], tree: Mapping[str, bytes],
    library: Sequence[Idea], source: str = "model", leap: bool = False,
) -> Sorted:  # fmt: skip
    """Proposals as ideas of the library. Those that say nothing that can be done are dropped with a reason."""
    names = showing.knob_names(knobs)
    ideas: dict[str, Idea] = {}
    taken, dropped = [], [f"{len(proposed) - MOST} ideas beyond {MOST}"] if len(proposed) > MOST else []
    known = {idea.id for idea in library}
    for item in proposed[:MOST]:
        title = showing.clip(item.title, 120) or "an idea without a title"
        made = _values(item, names, knobs, source) or _lever(item, sites, library) or _code(item, tree, source, leap)
        if isinstance(made, str):
            dropped.append(f"{title}: {made}")
        elif made.id in ideas or (made.id in known and made.source == source):
            dropped.append(f"{title}: already in the library")
        else:
            ideas[made.id] = made
            taken.append(f"{made.level} {title}")
    return Sorted(tuple(ideas.values()), tuple(taken), tuple(dropped))


def favored(first: Sequence[str], library: Sequence[Idea]) -> tuple[Idea, ...]:
    """Ideas of the library that a model would try first, moved up a little, at most five."""
    wanted = [name.strip() for name in first[:5]]
    found = {idea.id: idea for idea in library if idea.id in wanted}
    return tuple(
        idea.model_copy(update={"priority": round(min(_FAVORED, idea.priority + 0.1), 4)})
        for idea in found.values() if idea.priority < _FAVORED
    )  # fmt: skip


# ── one proposal ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _values(item: Proposed, names: Mapping[str, Knob], knobs: Sequence[Knob], source: str) -> Idea | str | None:
    """A search space over knobs that exist; None where the idea is not about values."""
    if not item.values:
        return None
    found: list[Knob] = []
    for wish in item.values[:6]:
        knob = named(wish.knob, names, knobs)
        narrowed = _narrowed(knob, wish) if knob is not None else None
        if narrowed is not None and all(narrowed.id != other.id for other in found):
            found.append(narrowed)
    if not found:
        return None if item.instructions.strip() or item.lever else "names no knob that exists, or no value in its range"
    return space_idea(found, item.title, item.why, source=source, priority=_priority(item), risk=_risk(item.risk))


def named(wanted: str, names: Mapping[str, Knob], knobs: Sequence[Knob]) -> Knob | None:
    """The knob meant by a short name, an id, or a name that only one knob has."""
    wanted = wanted.strip().strip("`")
    if wanted.upper() in names:
        return names[wanted.upper()]
    exact = [knob for knob in knobs if wanted == knob.id]
    bare = re.sub(r"^--?", "", wanted).replace("-", "_").lower()
    alike = exact or [knob for knob in knobs if bare and bare == knob.name.lstrip("-").replace("-", "_").lower()]
    return alike[0] if len(alike) == 1 else None


def _narrowed(knob: Knob, wish: Values) -> Knob | None:
    """The knob with the range wished for, inside the range that rules allow."""
    space = knob.space
    if wish.choices or space.kind == "choice":
        values = [
            value for value in (valued(knob, each) for each in wish.choices[:8]) if value is not None and allowed(space, value)
        ]
        options = tuple(dict.fromkeys((knob.value, *values)))
        return knob.model_copy(update={"space": Space(kind="choice", choices=options)}) if len(options) > 1 else None
    low = max(space.low if space.low is not None else wish.low or 0.0, wish.low if wish.low is not None else -float("inf"))
    high = min(space.high if space.high is not None else wish.high or 0.0, wish.high if wish.high is not None else float("inf"))
    if not low < high:
        return None
    return knob.model_copy(update={"space": space.model_copy(update={"low": low, "high": high, "log": space.log and low > 0})})


def valued(knob: Knob, value: str | float | bool) -> Scalar:
    """A value in the knob's own type; None where it has none in it."""
    kind = knob.space.kind
    if kind == "choice":
        same = [choice for choice in knob.space.choices if str(choice) == str(value)]
        return same[0] if same else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if number != number or abs(number) == float("inf"):
        return None
    return int(number) if kind == "int" and number == int(number) else None if kind == "int" else number


def allowed(space: Space, value: Scalar) -> bool:
    """Does the value lie in the space?"""
    if space.kind == "choice":
        return value in space.choices
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return (space.low is None or value >= space.low) and (space.high is None or value <= space.high)


def space_idea(knobs: Sequence[Knob], title: str, why: str, *, source: str, priority: float, risk: Risk = "low") -> Idea:
    """A PARAM idea over knobs whose spaces are set."""
    key = "|".join(sorted(f"{knob.id}={knob.space.model_dump_json()}" for knob in knobs))
    scope: Scope = "micro" if len(knobs) == 1 else "meso"
    return Idea(
        id=f"{source}-{_digest(key)}", title=showing.clip(title, 120), level="PARAM", scope=scope, risk=risk, priority=priority,
        rationale=showing.clip(why, 400), source=source, knobs=tuple(knobs),
    )  # fmt: skip


def _lever(item: Proposed, sites: Sequence[Site], library: Sequence[Idea]) -> Idea | str | None:
    """The library's own idea for a lever, moved up; None where the idea is none."""
    name = item.lever.strip().strip("`")
    if not name:
        return None
    matching = [idea for idea in library if idea.source == f"lever:{name}" and idea.site is not None]
    near = [idea for idea in matching if idea.site and idea.site.file in item.files] or matching
    if not near:
        return None if item.instructions.strip() else f"the lever {showing.clip(name, 40)} applies nowhere"
    return near[0].model_copy(update={"priority": max(near[0].priority, min(_FAVORED, _priority(item)))})


def _code(item: Proposed, tree: Mapping[str, bytes], source: str, leap: bool) -> Idea | str:
    """A change for a coding agent."""
    words = item.instructions.strip()
    if len(words) < 20:
        return "neither a knob, nor a lever, nor instructions that say what to write"
    files = [path for path in item.files[:6] if path in tree]
    level: Level = "ALGO" if item.algorithm else "CODE"
    where = f"Files: {', '.join(files)}\n" if files else ""
    return Idea(
        id=f"{source}-{_digest(item.title, words)}", title=showing.clip(item.title, 120), level=level,
        scope="macro" if item.algorithm else "meso", risk=_risk(item.risk), priority=_priority(item),
        rationale=showing.clip(item.why, 400), source=source, leap=leap or item.algorithm, instructions=where + words[:4_000],
    )  # fmt: skip


def _priority(item: Proposed) -> float:
    low, high = _PROMISE
    promise = item.promise if item.promise == item.promise else 0.5
    return round(min(high, max(low, low + (high - low) * promise)), 4)


def _risk(word: str) -> Risk:
    return "low" if word == "low" else "high" if word == "high" else "medium"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
