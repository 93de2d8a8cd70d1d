"""What the evaluation reaches, in words, for people and for prompts: files, entry points, model families, loops (paper 3.7)."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

from autosota.levers.base import View
from autosota.levers.source import Source
from autosota.records import Case, Knob, Site

_FRAMEWORKS = (
    "sklearn",
    "torch",
    "tensorflow",
    "keras",
    "jax",
    "xgboost",
    "lightgbm",
    "catboost",
    "statsmodels",
    "numpy",
    "scipy",
    "pandas",
)
_MOST = 12


def survey(view: View, case: Case, knobs: Sequence[Knob], sites: Sequence[Site]) -> tuple[str, tuple[str, ...]]:
    """(Markdown summary, notes on what could not be read)."""
    sources, zones = view.sources, case.environment.zones
    primary = case.rubric.primary
    lines = [
        f"The primary metric is **{primary.name}** ({'higher' if primary.direction == 'max' else 'lower'} is better).",
        "",
        "## What the evaluation reaches",
        "",
        *_files(sources, view, case),
        "",
        f"Frameworks: {_listed(_frameworks(sources)) or 'the standard library only'}.",
        f"Models and transforms: {_listed(_models(sources)) or 'none recognized by name'}.",
        "",
        "## Where time goes",
        "",
        *(_loops(sources) or ["No nested or long loops in Python."]),
        "",
        "## What can be changed",
        "",
        f"{len(knobs)} tunable values" + (f", most in {_listed(_where(knobs))}." if knobs else "."),
        f"{len(sites)} places where a known improvement applies" + (f": {_listed(_by_lever(sites))}." if sites else "."),
    ]
    unread = [path for path in view.reached if view.source(path) is None]
    notes = [f"not read (syntax, encoding or size): {', '.join(unread[:_MOST])}"] if unread else []
    if not zones.reached:
        notes.append("no traced run names the files the evaluation reads; all Python files outside tests were looked at")
    return "\n".join(lines), tuple(notes)


def _files(sources: Sequence[Source], view: View, case: Case) -> list[str]:
    zones = case.environment.zones
    rows = []
    for source in sources[:_MOST]:
        definitions = [node.name for node in source.module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        marks = ["entry point"] if "__main__" in source.text else []
        if zones.is_protected(source.path):
            marks.append("protected")
        elif zones.symbols.get(source.path):
            marks.append(f"free except {_listed(zones.symbols[source.path])}")
        mark = f" ({', '.join(marks)})" if marks else ""
        rows.append(f"- `{source.path}`{mark}: {source.text.count(chr(10))} lines; {_listed(definitions) or 'no definitions'}")
    if len(sources) > _MOST:
        rows.append(f"- and {len(sources) - _MOST} more files")
    return rows or ["- no Python file"]


def _listed(words: Sequence[str], most: int = 8) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _frameworks(sources: Sequence[Source]) -> list[str]:
    used = {meaning.split(".")[0] for source in sources for meaning in source.imports.values()}
    return [name for name in _FRAMEWORKS if name in used]


def _models(sources: Sequence[Source]) -> list[str]:
    """Classes of known frameworks that the files make, most frequent first, then their own classes with `fit` or `forward`."""
    made: Counter[str] = Counter()
    own: list[str] = []
    for source in sources:
        for call in source.calls():
            name = source.name(call.func)
            last = name.rsplit(".", 1)[-1]
            if name.split(".")[0] in _FRAMEWORKS[:9] and last[:1].isupper():
                made[last] += 1
        for node in source.module.body:
            if isinstance(node, ast.ClassDef):
                methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
                if methods & {"fit", "forward", "predict", "step"}:
                    own.append(f"{node.name} (own)")
    return [*(name for name, _ in made.most_common()), *own]


def _loops(sources: Sequence[Source]) -> list[str]:
    """Outermost loops that hold another loop or an optimizer step."""
    rows: list[str] = []
    for source in sources:
        for node in source.walk():
            if not isinstance(node, ast.For | ast.While) or any(
                isinstance(each, ast.For | ast.While) for each in source.ancestors(node)
            ):
                continue
            inner = [each for each in source.walk(node) if each is not node and isinstance(each, ast.For | ast.While)]
            if inner:
                head = source.segment(node).split("\n")[0].strip().rstrip(":")[:80]
                scope = source.scope(node) or "module level"
                rows.append(f"- `{source.path}` line {node.lineno}, {scope}: `{head}` with {len(inner)} inner loop(s)")
    return rows[:_MOST]


def _where(knobs: Sequence[Knob]) -> list[str]:
    return [f"`{file}` ({count})" for file, count in Counter(knob.file for knob in knobs).most_common(4)]


def _by_lever(sites: Sequence[Site]) -> list[str]:
    return [name if count == 1 else f"{name} ({count})" for name, count in Counter(site.lever for site in sites).most_common()]
