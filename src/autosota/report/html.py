"""report.html: one file, no scripts, nothing loaded from elsewhere.

Everything foreign is escaped by the template engine and bounded here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autosota.records import Experiment
from autosota.report import diffs, plots, story, words
from autosota.report.facts import Facts

TEXT = 20_000
"""Characters of any one value put on the page."""
NARROW_POINTS = 400


def render(facts: Facts) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_bounded,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "clip": words.clip, "block": words.block, "number": words.number, "signed": words.signed, "percent": words.percent,
        "duration": words.duration, "count": words.count, "size": words.size, "label": words.label, "web": web,
    }  # fmt: skip
    environment.filters.update(filters)
    template = environment.get_template("report.html.jinja")
    return template.render(
        facts=facts, story=story, words=words, pictures=_pictures(facts), patch=diffs.parse(facts.patch),
        rows=story.selected(facts.experiments, keep=facts.best), setting=setting, scalar=scalar,
        audits=story.audits(facts), contents=_contents(facts), icon=_icon,
    )  # fmt: skip


def _bounded(value: object) -> object:
    """Every printed value without control characters and of bounded length; markup made here stays."""
    return words.block(value, TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value


def web(url: str) -> str:
    """The address if it is a web address that may become a link, else ""."""
    return url if url.startswith(("https://", "http://")) and len(url) <= 500 and not any(ord(sign) <= 32 for sign in url) else ""


def setting(facts: Facts, experiment: Experiment) -> list[tuple[str, str]]:
    """A PARAM experiment's setting as (knob's name, value), at most 40."""
    pairs = []
    for key, value in list(experiment.setting.items())[:40]:
        knob = facts.knobs.get(key)
        pairs.append((words.clip(knob.name if knob else key.rsplit(":", 1)[-1], 60), scalar(value)))
    return pairs


def scalar(value: object) -> str:
    """A knob's value for people."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return words.clip(value, 80)


def _icon(status: str) -> Markup:
    """The plot's shape of a status, for tables and the legend."""
    shape = plots.marker(status, 7, 7)
    return Markup('<svg class="icon" viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">' + shape + "</svg>")


def _pictures(facts: Facts) -> dict[str, Markup]:
    """Every plot in a wide and a narrow form, the page shows one of them; escaped where they are made."""
    made: dict[str, str] = {}
    metric, result = facts.metric, facts.result
    if metric is None:
        return {}
    if facts.experiments:
        levels = plots.Levels(facts.mean, facts.noise, facts.reported)
        best = facts.best.number if facts.best else None
        for name, width, limit in (("search", 880, plots.POINTS), ("search_narrow", 380, NARROW_POINTS)):
            made[name] = plots.search_path(facts.experiments, metric, levels, best=best, width=width, limit=limit)
    if result and result.gain and words.finite(result.gain.absolute) is not None:
        made["interval"] = plots.interval(result.gain, facts.noise, metric)
    if result and result.best and result.best.values and result.baseline.values:
        for name, width in (("pairs", 880), ("pairs_narrow", 380)):
            made[name] = plots.pairs(
                result.baseline.values, result.best.values, facts.pair_names, metric, width=width, places=facts.places
            )
    if facts.repeats:
        for name, width in (("strip", 880), ("strip_narrow", 380)):
            made[name] = plots.strip(facts.repeats, facts.mean, facts.noise, facts.reported, metric.name, width)
    return {name: Markup(svg) for name, svg in made.items()}


def _contents(facts: Facts) -> list[tuple[str, str]]:
    """The sections that have something to say: (id, title)."""
    result = facts.result
    sections = (
        ("evidence", "Evidence", bool(facts.baseline or result)),
        ("change", "The change", bool(facts.patch.strip() or facts.settings)),
        ("search", "The search", bool(facts.experiments)),
        ("audits", "Audits", True),
        ("ideas", "Ideas", bool(facts.ideas)),
        ("costs", "Costs", bool(facts.measurements or result)),
        ("environment", "Environment", facts.environment is not None),
        ("paper", "Paper and rubric", facts.task is not None or facts.rubric is not None),
        ("reproduce", "Reproduce", True),
        ("notes", "Notes", bool(story.notes(facts) or facts.notes.strip())),
    )
    return [(key, title) for key, title, shown in sections if shown]
