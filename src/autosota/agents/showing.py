"""What a question shows of a repository and of a run, chosen by code: bounded, and the same for the same records.

Everything here is text for prompts. Nothing holds times, random names or absolute paths, so that the same run asks the same.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from autosota import knobs, redlines
from autosota.records import Case, Experiment, Idea, Knob, MetricSpec, Paper, Site, Zones

CODE = 24_000
"""Characters of code in one question."""
FILE = 9_000
"""Characters of one file; of a longer one the parts around what can be changed are shown."""
_AROUND = 14
_TEXT = re.compile(r"\.(?:py|ya?ml|json|toml|ini|cfg|sh|ipynb|txt|md)$")
_KNOBS = 40
_RECENT, _LEAVE = 8, 4
_BEST = 6


def clip(text: str, most: int) -> str:
    """One line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def red_lines() -> str:
    """The seven rules, in the words of their classes."""
    return "\n".join(f"- **{line.id}** {line.title}. {line.text}" for line in redlines.ALL)


def metric(rubric_metrics: Sequence[MetricSpec]) -> str:
    """Which number decides and which are guarded."""
    first, *rest = rubric_metrics
    words = f"`{first.name}` ({'higher' if first.direction == 'max' else 'lower'} is better)"
    guarded = ", ".join(f"`{spec.name}`" for spec in rest[:8])
    return words + (f"; guarded, may not get worse: {guarded}" if guarded else "")


# ── code ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def numbered(text: str, first: int = 1) -> str:
    """A text with line numbers, as quoted in questions."""
    return "\n".join(f"{number:>4} {line}" for number, line in enumerate(text.split("\n"), first))


def code(case: Case, tree: Mapping[str, bytes] | None = None, most: int = CODE) -> str:
    """The files that matter, free ones first, whole where they are short; protected ones as far as there is room."""
    shown = case.tree if tree is None else tree
    zones = case.environment.zones
    marks = _marks(case)
    parts: list[str] = []
    left = most
    for path in _ordered(shown, zones, marks):
        part = _file(path, shown, zones, marks.get(path, ()), min(FILE, left))
        if part and len(part) <= left:
            parts.append(part)
            left -= len(part)
    rest = [path for path in _ordered(shown, zones, marks) if not any(part.startswith(f"### {path} ") for part in parts)]
    if rest:
        parts.append(f"Not shown: {', '.join(rest[:20])}" + (" and more" if len(rest) > 20 else ""))
    return "\n\n".join(parts)


def _marks(case: Case) -> dict[str, tuple[int, ...]]:
    """File → lines where something can be changed."""
    found: dict[str, list[int]] = {}
    places: list[Knob | Site] = [*case.analysis.knobs, *case.analysis.sites] if case.analysis else []
    for place in places:
        found.setdefault(place.file, []).append(place.line)
    return {path: tuple(sorted(lines)) for path, lines in found.items()}


def _ordered(tree: Mapping[str, bytes], zones: Zones, marks: Mapping[str, Sequence[int]]) -> list[str]:
    reached = set(zones.reached)
    paths = [path for path in tree if _TEXT.search(path) and (path in reached or path in marks)]
    if not reached:
        paths += [path for path in tree if path.endswith(".py") and path not in marks]
    return sorted(
        dict.fromkeys(paths),
        key=lambda path: (zones.is_protected(path), -len(marks.get(path, ())), not path.endswith(".py"), path),
    )


def _file(path: str, tree: Mapping[str, bytes], zones: Zones, lines: Sequence[int], most: int) -> str:
    try:
        text = tree[path].decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return ""
    if not text.strip():
        return ""
    if zones.is_protected(path):
        state = "(protected: no change here ever counts)"
    elif zones.symbols.get(path):
        state = f"(free except {', '.join(zones.symbols[path][:8])})"
    else:
        state = "(free)"
    head = f"### {path} {state}\n"
    whole = head + numbered(text.rstrip("\n"))
    if len(whole) <= most:
        return whole
    return head + _excerpt(text, path, lines, most - len(head))


def _excerpt(text: str, path: str, marks: Sequence[int], most: int) -> str:
    """The file's definitions, then the parts around what can be changed, as many as fit."""
    rows = text.split("\n")
    out = _definitions(text) if path.endswith(".py") else ""
    spans: list[list[int]] = []
    for mark in marks or range(1, len(rows), 2 * _AROUND):
        low, high = max(1, mark - _AROUND), min(len(rows), mark + _AROUND)
        if spans and low <= spans[-1][1] + 1:
            spans[-1][1] = high
        else:
            spans.append([low, high])
    for low, high in spans:
        part = "\n…\n" + numbered("\n".join(row[:200] for row in rows[low - 1 : high]), low)
        if len(out) + len(part) > most:
            break
        out += part
    return out[:most]


def _definitions(text: str) -> str:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    found = [node for node in ast.walk(module) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
    rows = text.split("\n")
    return "\n".join(f"{node.lineno:>4} {rows[node.lineno - 1][:120].rstrip()}" for node in found[:40])


def changes(before: Mapping[str, bytes], after: Mapping[str, bytes], paths: Iterable[str], most: int = 4_000) -> str:
    """A unified difference of text files, at most `most` characters; empty where nothing differs."""
    parts = []
    for path in sorted(paths):
        old, new = _lines(before, path), _lines(after, path)
        if old != new:
            parts.append("\n".join(difflib.unified_diff(old, new, path, path, lineterm="", n=1)))
    text = "\n".join(parts)
    return text if len(text) <= most else text[:most] + "\n… (cut)"


def _lines(tree: Mapping[str, bytes], path: str) -> list[str]:
    try:
        return tree[path].decode("utf-8", "replace").split("\n")
    except KeyError:
        return []


# ── what rules found ──────────────────────────────────────────────────────────────────────────────────────────────────


def knob_names(found: Sequence[Knob]) -> dict[str, Knob]:
    """Short names of the knobs that matter most, K1 and so on, the same for the same analysis."""
    ranked = sorted(found, key=lambda knob: (-knobs.importance(knob), knob.id))
    return {f"K{number}": knob for number, knob in enumerate(ranked[:_KNOBS], 1)}


def knob_list(found: Sequence[Knob]) -> str:
    """The knobs with their values and ranges, one a line."""
    return (
        "\n".join(f"- {name} `{knob.id}` = {knob.value!r}, {space(knob)}" for name, knob in knob_names(found).items()) or "- none"
    )


def space(knob: Knob) -> str:
    """A knob's range in words."""
    if knob.space.kind == "choice":
        return "one of " + ", ".join(repr(value) for value in knob.space.choices[:8])
    return f"{knob.space.low:g} to {knob.space.high:g}" if knob.space.low is not None and knob.space.high is not None else "any"


def site_list(sites: Sequence[Site]) -> str:
    """Levers that apply, with how often."""
    counted = Counter(site.lever for site in sites)
    return ", ".join(name if count == 1 else f"{name} ({count} places)" for name, count in counted.most_common(20)) or "none"


# ── the run so far ────────────────────────────────────────────────────────────────────────────────────────────────────


def history(experiments: Sequence[Experiment], spec: MetricSpec) -> str:
    """The best and the latest experiments, one a line, at most eighteen, however long the run: then the counts.

    What changes stands last and old lines leave four at a time, so that a question begins like the one before it.
    """
    if not experiments:
        return "Nothing has been tried."
    scored = [item for item in experiments if item.score is not None and item.status == "improved"]
    best = sorted(scored, key=lambda item: (-spec.gain(0.0, item.score or 0.0), item.number))[:_BEST]
    recent = [item for item in experiments if item.level != "PARAM" or item.status != "not_improved"]
    recent = recent[max(0, len(recent) - _RECENT) // _LEAVE * _LEAVE :]
    counts = Counter(item.status for item in experiments)
    last = f"{len(experiments)} experiments: " + ", ".join(
        f"{count} {status.replace('_', ' ')}" for status, count in sorted(counts.items())
    )
    older = [item for item in best if item.number < recent[0].number] if recent else best
    return "\n".join([*(_experiment(item) for item in (*sorted(older, key=lambda item: item.number), *recent)), last])


def _experiment(item: Experiment) -> str:
    score = f"{item.score:.5g}" if item.score is not None else "no number"
    gain = f", {item.gain:+.3g} over its parent" if item.gain is not None else ""
    note = f" ({clip(item.note, 80)})" if item.note and item.status in ("failed", "stopped", "rejected") else ""
    return f"- {item.number} {item.level} {clip(item.title, 90)}: {item.status.replace('_', ' ')}, {score}{gain}{note}"


def idea_list(ideas: Sequence[Idea], tried: Iterable[str] | None = None, most: int = 14) -> str:
    """The most promising ideas of the library, structural ones first, one a line. With `tried`, ids: in an order that stays the
    same from question to question, and which of them were tried."""
    chosen = sorted(ideas, key=lambda idea: (idea.level == "PARAM", -idea.priority, idea.id))[:most]
    if tried is not None:
        chosen.sort(key=lambda idea: (idea.level == "PARAM", idea.id))
    lines = [f"- {idea.id}: {clip(idea.title, 70)}" for idea in chosen]
    done = sorted({idea.id for idea in chosen} & set(tried or ()))
    return "\n".join([*lines, *([f"Tried of these: {', '.join(done)}"] if done else [])]) or "- none"


# ── the paper ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def abstract(paper: Paper | None, most: int = 1_200) -> str:
    """Title and abstract."""
    if paper is None:
        return "No paper is at hand; the repository alone says what it does."
    return f"{clip(paper.title, 200)}. {clip(paper.abstract, most)}"


def outline(paper: Paper | None) -> str:
    """The paper's headings, one line."""
    return "; ".join(clip(section.title, 60) for section in paper.sections[:30]) if paper else ""


def passages(paper: Paper | None, words: str, count: int = 4, most: int = 600) -> list[str]:
    """The paragraphs of the paper nearest to some words, in the paper's order, each at most `most` characters."""
    if paper is None:
        return []
    wanted = set(_terms(words))
    scored: list[tuple[float, int, str]] = []
    position = 0
    for section in paper.sections:
        if re.fullmatch(r"(?i)[\d.\s]*(references|bibliography)", section.title.strip()):
            continue
        for paragraph in re.split(r"\n\s*\n", section.text):
            terms = Counter(_terms(f"{section.title} {paragraph}"))
            overlap = sum(1 for term in wanted if term in terms)
            if overlap:
                scored.append((overlap / (4 + len(terms)) ** 0.5, position, paragraph))
            position += 1
    best = sorted(sorted(scored, reverse=True)[:count], key=lambda item: item[1])
    return [clip(paragraph, most) for _, _, paragraph in best]


def _terms(text: str) -> list[str]:
    return re.findall(r"[a-z]{4,}", text.lower())
