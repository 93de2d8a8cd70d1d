"""The paper's own files as views of the records: code_analysis.md, idea_library.md, research_report.md, scores.jsonl."""

from __future__ import annotations

import json

from autosota.records import Idea, Space, Verdict
from autosota.report import words
from autosota.report.facts import Facts
from autosota.report.html import scalar
from autosota.report.markdown import verdict
from autosota.report.markup import code, document, plain, table

CODE_ANALYSIS, IDEA_LIBRARY, RESEARCH_REPORT, SCORES = "code_analysis.md", "idea_library.md", "research_report.md", "scores.jsonl"


def render(facts: Facts) -> dict[str, str]:
    """File name → content, for the views whose records exist."""
    files: dict[str, str] = {}
    if facts.analysis or facts.environment:
        files[CODE_ANALYSIS] = code_analysis(facts)
    if facts.ideas:
        files[IDEA_LIBRARY] = idea_library(facts)
    if facts.task:
        files[RESEARCH_REPORT] = research_report(facts)
    if facts.baseline or facts.experiments:
        files[SCORES] = scores(facts)
    return files


def code_analysis(facts: Facts) -> str:
    """What the code is, what may be changed, what is tunable, where levers apply."""
    analysis, environment = facts.analysis, facts.environment
    parts = ["# Code analysis"]
    if analysis:
        parts.append(plain(analysis.summary, 4000))
        if analysis.estimate_seconds:
            parts.append(f"Search and confirmation are expected to take {words.duration(analysis.estimate_seconds)}.")
    if environment:
        zones = environment.zones
        parts += ["## Files", table(["file", "may it change?"], [
            *([code(path, 200), "no: protected"] for path in zones.protected[:300]),
            *([code(path, 200), "yes, but not " + ", ".join(code(name, 80) for name in zones.symbols[path][:20])
               if path in zones.symbols else "yes"]
              for path in zones.reached[:300] if not zones.is_protected(path))])]  # fmt: skip
    if analysis:
        if analysis.constraints:
            parts += ["## Constraints", "\n".join(f"- {plain(entry.text)}" for entry in analysis.constraints[:60])]
        parts += ["## Knobs" if analysis.knobs else "", table(["knob", "where", "value", "range", "why"], [
            [plain(knob.name, 80), code(f"{knob.file}:{knob.line}", 200), code(scalar(knob.value)), plain(space(knob.space)),
             plain(knob.reason, 160)] for knob in analysis.knobs[:500]])]  # fmt: skip
        parts += ["## Levers" if analysis.sites else "", table(["lever", "where", "detail"], [
            [plain(site.lever, 80), code(f"{site.file}:{site.line}", 200), plain(site.detail, 160)]
            for site in analysis.sites[:300]])]  # fmt: skip
        parts += ["\n".join(f"- {plain(note, 400)}" for note in analysis.notes[:60])]
    return document(parts)


def space(known: Space) -> str:
    """A knob's values in words."""
    if known.kind == "choice":
        return ", ".join(scalar(choice) for choice in known.choices[:20])
    log = ", log scale" if known.log else ""
    return f"{words.number(known.low)} to {words.number(known.high)}{log}"


def idea_library(facts: Facts) -> str:
    """Every idea with its verdict and what became of it."""
    parts = ["# Idea library", f"{words.count(len(facts.ideas), 'idea')}, in the order they came."]
    outcome: dict[str, list[str]] = {}
    for entry in facts.experiments:
        known = outcome.setdefault(entry.idea, [])
        if len(known) < 60:
            known.append(f"{entry.number} {words.STATUSES[entry.status]} ({words.signed(entry.gain, facts.places)})")
    for idea, judged in facts.ideas[:1000]:
        parts += _idea(idea, judged, outcome.get(idea.id, []))
    return document(parts)


def _idea(idea: Idea, judged: Verdict | None, outcome: list[str]) -> list[str]:
    lines = [
        f"- {idea.level}, {idea.scope}, risk {idea.risk}, priority {idea.priority:.2f}, from {plain(idea.source, 60)}"
        + (", leap" if idea.leap else ""),
        f"- id: {code(idea.id, 120)}",
        f"- verdict: {verdict(judged)}",
    ]
    lines += [f"- {plain(violation.evidence, 400)}" for violation in (judged.violations if judged else ())]
    if idea.site:
        lines.append(f"- where: {code(f'{idea.site.file}:{idea.site.line}', 200)} {plain(idea.site.detail, 120)}")
    if idea.knobs:
        lines.append("- knobs: " + ", ".join(code(knob.id, 160) for knob in idea.knobs[:60]))
    lines.append("- experiments: " + ("; ".join(outcome) if outcome else "not tried"))
    return [f"## {plain(idea.title, 160)}", plain(idea.rationale, 1500), plain(idea.instructions, 1500), "\n".join(lines)]


def research_report(facts: Facts) -> str:
    """What the paper says, as far as it bears on the run."""
    assert facts.task is not None
    paper, repository = facts.task.paper, facts.task.repository
    parts = ["# Research report"]
    if paper:
        parts += [f"## {plain(paper.title)}", plain(paper.abstract, 4000)]
        kind = facts.task.classification
        parts += [f"Read as a {kind.kind} paper: {plain(kind.reason, 300)}."] if kind else []
        outline = [f"{'  ' * min(max(section.level - 1, 0), 5)}- {plain(section.title, 160)}"
                   + (f", page {section.page}" if section.page else "") for section in paper.sections[:200]]  # fmt: skip
        parts += ["### Outline" if outline else "", "\n".join(outline)]
        for entry in paper.tables[:40]:
            caption = plain(entry.caption, 300) + (f" (page {entry.page})" if entry.page else "")
            cells = [[plain(cell, 80) for cell in row[:20]] for row in entry.rows[:60]]
            parts += [f"### {caption}", table([plain(name, 80) for name in entry.header[:20]], cells)]
    if facts.rubric:
        parts += ["## What counts", table(["metric", "better", "paper", "read from"], [
            [plain(spec.name, 80), "higher" if spec.direction == "max" else "lower", words.number(spec.reported),
             plain((f"page {spec.evidence.page}: " if spec.evidence.page else "") + spec.evidence.quote) if spec.evidence else ""]
            for spec in facts.rubric.metrics[:60]], (2,))]  # fmt: skip
    parts += ["## Repository", f"{code(repository.source)}" + (f" at {code(repository.commit)}" if repository.commit else "")]
    parts.append("\n".join(f"- {plain(reason, 300)}" for reason in facts.task.readiness.reasons[:60]))
    parts += ["## Assets" if facts.task.assets else "", table(["kind", "name", "where", "size", "present"], [
        [asset.kind, plain(asset.name, 120), code(asset.path or asset.url or "", 200), words.size(asset.bytes),
         "yes" if asset.present else "no"] for asset in facts.task.assets[:200]], (3,))]  # fmt: skip
    return document(parts)


def scores(facts: Facts) -> str:
    """One JSON line per experiment after one for the baseline: number, score, best so far, status."""
    metric, best = facts.metric, facts.mean
    lines = [json.dumps({"experiment": 0, "idea": "baseline", "score": facts.mean, "best": facts.mean, "status": "baseline"})]
    for entry in facts.experiments:
        score = words.finite(entry.score)
        if entry.status == "improved" and score is not None and metric and (best is None or metric.gain(best, score) > 0):
            best = score
        lines.append(json.dumps({
            "experiment": entry.number, "idea": entry.idea, "title": words.clip(entry.title, 200), "score": score, "best": best,
            "status": entry.status, "commit": entry.commit,
        }))  # fmt: skip
    return "\n".join(lines) + "\n"
