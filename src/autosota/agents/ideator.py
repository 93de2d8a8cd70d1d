"""AgentIdeator (paper 3.7): reads what the evaluation reaches, and lists what could make it better.

By rule: tunable values found in the code, grouped into search spaces (PARAM), and levers that apply (CODE, ALGO). Ideas carry ids
made from what they touch, so that an idea that was tried is recognized whenever the list is made again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota import knobs as knob_finder
from autosota import levers
from autosota.agents.inventor import Inventor
from autosota.errors import UsageError
from autosota.levers.base import Lever, PythonLever, View
from autosota.records import Analysis, Case, Change, Experiment, Idea, Knob, Scalar, Scope, Site
from autosota.survey import survey

LARGEST_GROUP = 8
"""Knobs in one PARAM idea: more than a batch of eight evaluations can tell apart."""
_ENOUGH = 10
_SINGLES = 6
_TOGETHER = 8
"""Knobs in the idea that is tried first: what one batch can still explore."""


@dataclass(frozen=True)
class Theme:
    """What a group of knobs is about."""

    name: str
    pattern: re.Pattern[str]
    priority: float
    rationale: str


def _theme(name: str, pattern: str, priority: float, rationale: str) -> Theme:
    return Theme(name, re.compile(pattern, re.IGNORECASE), priority, rationale)


THEMES = (
    _theme(
        "regularization",
        r"^c$|alpha|weight_?decay|^wd$|dropout|drop_?rate|^reg|_reg$|ridge|shrink|penalty|lambda|^lam|l1|l2|smooth|noise|clip|min_samples"
        r"|min_child|subsample|colsample|max_leaf|ccp|bandwidth",
        0.72,
        "How strongly the model is held back decides between under- and overfitting, and published defaults are rarely "
        "right for one data set "
        "(Hastie et al. 2009, chapter 7).",
    ),
    _theme(
        "optimization",
        r"lr|learning_?rate|eta|step_?size|momentum|beta|epoch|iter|batch|optim|warm_?up|sched|decay|tol|patience|solver|anneal|temperature"
        r"|cooling|averag",
        0.70,
        "The learning rate and what goes with it (batch, epochs, momentum, schedule) interact and are the most "
        "consequential settings of "
        "iterative training (Bengio 2012, Practical recommendations; Bergstra and Bengio 2012).",
    ),
    _theme(
        "architecture",
        r"hidden|layer|dim|width|depth|unit|channel|head|kernel|gamma|degree|n_estimators|n_clusters|n_components|activation|rank|size|order"
        r"|neighbo|leaf|bins|rounds|trees|population|pop_|elite|mutation|crossover|sigma|scale",
        0.62,
        "Capacity and kernel shape set what can be represented at all; the best value depends on the amount of data.",
    ),
    _theme(
        "features and data",
        r"window|lag|ngram|min_df|max_df|max_features|augment|crop|flip|jitter|normal|standard|season|period|horizon|poly|feature|trend|diff"
        r"|impute|whiten",
        0.6,
        "What the model is shown often matters more than which model it is (Domingos 2012, A few useful things to know).",
    ),
)
_REST = _theme(
    "remaining settings", r"", 0.4, "Settings without a known role; searched together because none is expected to matter alone."
)


class Ideator:
    """Finds knobs and lever sites, and makes the library of ideas. `inventor` asks a model for what rules do not find."""

    def __init__(self, inventor: Inventor | None = None) -> None:
        self._inventor = inventor

    def analyse(self, case: Case, site_packages: Path | None) -> Analysis:
        """What the evaluation reaches, in words; its knobs; where levers apply; the paper's constraints."""
        knobs = self._knobs(case, case.tree, site_packages)
        sites = self._sites(case, case.tree)
        summary, notes = survey(View(case.tree, case.environment.zones, case.packages), case, knobs, sites)
        known = self._inventor.knowledge(case, summary) if self._inventor else ()
        return Analysis(
            summary=summary, knobs=knobs, sites=sites, constraints=case.rubric.constraints, notes=notes, knowledge=known
        )  # fmt: skip

    def propose(self, case: Case, tried: Sequence[Experiment] = (), tree: Mapping[str, bytes] | None = None) -> tuple[Idea, ...]:
        """The library, best first. `tree` is a later state: its new knobs and sites become ideas, those that are gone vanish."""
        analysis = case.analysis or self.analyse(case, _site_packages(case))
        if tree is None:
            now, sites = {knob.id: knob for knob in analysis.knobs}, analysis.sites
        else:
            now = {knob.id: knob for knob in self._knobs(case, tree, _site_packages(case))}
            sites = self._sites(case, tree)
        ideas = [*_lever_ideas(sites), *_search_spaces(analysis.knobs, now)]
        unique = {idea.id: idea for idea in reversed(_with_history(ideas, tried))}
        return tuple(sorted(unique.values(), key=lambda idea: (-idea.priority, idea.id)))

    def invent(self, case: Case, library: Sequence[Idea]) -> tuple[Idea, ...]:
        """Ideas beyond those of rules, and library ideas moved up under their old ids; none without a model."""
        return self._inventor.library(case, library) if self._inventor else ()

    def leap(
        self, case: Case, tried: Sequence[Experiment], library: Sequence[Idea], tree: Mapping[str, bytes], paths: Sequence[str]
    ) -> tuple[Idea, ...]:
        """Structural candidates for a later state `tree`, which differs in `paths`; none without a model."""
        return self._inventor.leap(case, tried, library, tree, paths) if self._inventor else ()

    def write(self, idea: Idea, setting: Mapping[str, Scalar], tree: Mapping[str, bytes]) -> tuple[Change, ...]:
        """The idea as changed files. LookupError where its lever no longer applies; UsageError for a value no place holds."""
        if idea.level == "PARAM":
            return knob_finder.write(tree, setting)
        if idea.site is None:
            raise UsageError(f"idea {idea.id} has no lever: a coding agent must carry it out", "choose one with --coder")
        return levers.get(idea.site.lever).apply(tree, idea.site)

    def _knobs(self, case: Case, tree: Mapping[str, bytes], site_packages: Path | None) -> tuple[Knob, ...]:
        return knob_finder.find(
            tree,
            case.environment.zones,
            constraints=case.rubric.constraints,
            metrics=case.rubric.metrics,
            site_packages=site_packages,
        )

    def _sites(self, case: Case, tree: Mapping[str, bytes]) -> tuple[Site, ...]:
        zones, primary = case.environment.zones, case.rubric.primary.name
        view = View(tree, zones, case.packages)
        found: list[Site] = []
        for lever in levers.load():
            if lever.metrics and not re.search(lever.metrics, primary, re.IGNORECASE):
                continue
            found += lever.look(view) if isinstance(lever, PythonLever) else lever.detect(tree, zones, case.packages)
        return tuple(found)


def _site_packages(case: Case) -> Path | None:
    """The environment's installed packages, where the recipe's folder has them."""
    found = (
        sorted(Path(case.environment.recipe.prefix).glob("lib/python3*/site-packages")) if case.environment.recipe.prefix else []
    )
    return found[0] if found else None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def _lever_ideas(sites: Iterable[Site]) -> list[Idea]:
    """One idea a site; further sites of one lever come a little later, so that levers take turns."""
    ideas: list[Idea] = []
    count: dict[str, int] = {}
    for site in sites:
        lever: Lever = levers.get(site.lever)
        repeats = count[site.lever] = count.get(site.lever, 0) + 1
        ideas.append(
            Idea(
                id=f"{lever.name}-{_digest(lever.name, site.file, site.detail)}",
                title=f"{lever.title} ({site.file}: {site.detail})" if site.detail else f"{lever.title} ({site.file})",
                level=lever.level,
                scope=lever.scope,
                risk=lever.risk,
                priority=round(max(0.01, lever.priority * 0.93 ** (repeats - 1)), 4),
                rationale=lever.rationale,
                source=f"lever:{lever.name}",
                leap=lever.leap,
                site=site,
            )
        )
    return ideas


def theme_of(knob: Knob) -> Theme:
    """The theme a knob belongs to."""
    return next((theme for theme in THEMES if theme.pattern.search(knob.name)), _REST)


def _search_spaces(first: Sequence[Knob], now: Mapping[str, Knob]) -> list[Idea]:
    """PARAM ideas. Groups are formed over the baseline's knobs, so ids stay; a later state's new knobs form their own."""
    ideas = _groups(first, "")
    known = {knob.id for knob in first}
    ideas += _groups([knob for knob in now.values() if knob.id not in known], "new ")
    current = (idea.model_copy(update={"knobs": tuple(now[knob.id] for knob in idea.knobs if knob.id in now)}) for idea in ideas)
    alive = [idea for idea in current if idea.knobs]
    seen: set[frozenset[str]] = set()
    unique: list[Idea] = []
    for idea in sorted(alive, key=lambda idea: -idea.priority):
        members = frozenset(knob.id for knob in idea.knobs)
        if members not in seen:
            seen.add(members)
            unique.append(idea)
    return unique


def _groups(knobs: Sequence[Knob], prefix: str) -> list[Idea]:
    """The most important together, then by theme, by owner and file, and the most important alone."""
    if not knobs:
        return []
    ranked = sorted(knobs, key=lambda knob: (-knob_finder.importance(knob), knob.id))
    ideas: list[Idea] = []
    if len(ranked) > 1:
        bar = 0.4 * knob_finder.importance(ranked[0])
        top = [knob for knob in ranked if knob_finder.importance(knob) >= bar][:_TOGETHER]
        words = "The settings that usually decide most, searched together for their interaction (Bergstra and Bengio 2012)."
        ideas.append(_space(f"{prefix}most important settings", top, 0.86, words))
    for theme in (*THEMES, _REST):
        members = [knob for knob in ranked if theme_of(knob) is theme]
        for part, chunk in enumerate(_chunks(members)):
            name = f"{prefix}{theme.name}" + (f", part {part + 1}" if part else "")
            ideas.append(_space(name, chunk, max(0.1, theme.priority - 0.12 * part), theme.rationale))
    owners: dict[tuple[str, str], list[Knob]] = {}
    for knob in ranked:
        owners.setdefault((knob.file, knob.owner), []).append(knob)
    for (file, owner), members in owners.items():
        if len(owners) > 1 and len(members) > 1:
            words = f"These settings belong to one part, {owner or file}, and act on each other."
            worth = 0.4 + 0.2 * knob_finder.importance(members[0])
            ideas.append(_space(f"{prefix}{owner or 'settings'} in {file}", members[:LARGEST_GROUP], worth, words))
    singles = max(_SINGLES, _ENOUGH - len(ideas))
    for knob in ranked[:singles]:
        words = f"One setting at a time shows its own effect most clearly. {knob.reason}".strip()
        ideas.append(
            _space(f"{prefix}{knob.name} of {knob.owner or knob.file}", [knob], 0.2 + 0.25 * knob_finder.importance(knob), words)
        )
    return ideas


def _chunks(members: Sequence[Knob]) -> list[Sequence[Knob]]:
    return [members[start : start + LARGEST_GROUP] for start in range(0, len(members), LARGEST_GROUP)]


def _space(name: str, knobs: Sequence[Knob], priority: float, rationale: str) -> Idea:
    scope: Scope = "micro" if len(knobs) == 1 else "meso"
    listing = ", ".join(dict.fromkeys(knob.name for knob in knobs))
    return Idea(
        id=f"search-{_digest(*sorted(knob.id for knob in knobs))}",
        title=f"Search {name}: {listing}",
        level="PARAM",
        scope=scope,
        risk="low",
        priority=round(priority, 4),
        rationale=rationale,
        source="knobs",
        knobs=tuple(knobs),
    )


def _with_history(ideas: Sequence[Idea], tried: Sequence[Experiment]) -> list[Idea]:
    """A lever that failed wherever it was tried comes later at its other sites. Everything stays listed: whether an
    idea was tried is the search's to know, by its id."""
    outcome: dict[str, float] = {}
    for experiment in tried:
        lever = experiment.idea.rsplit("-", 1)[0]
        outcome[lever] = max(outcome.get(lever, 0.0), 1.0 if experiment.status == "improved" else 0.8)
    known = {experiment.idea for experiment in tried}
    kept: list[Idea] = []
    for idea in ideas:
        factor = outcome.get(idea.id.rsplit("-", 1)[0], 1.0) if idea.site is not None and idea.id not in known else 1.0
        kept.append(idea if factor == 1.0 else idea.model_copy(update={"priority": round(idea.priority * factor, 4)}))
    return kept
