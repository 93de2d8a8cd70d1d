"""Records → SVG. Pure functions; colors are the page's CSS variables, so plots follow dark mode and print.

Every plot works for no, one and ten thousand points, ignores what is not finite, and never tells by color alone: each status
has a shape of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from autosota.records import Experiment, Gain, MetricSpec
from autosota.report import words
from autosota.report.axes import Scale, apart, element, line, picture, text, tick_labels, ticks, widened

POINTS = 2000
"""At most about this many experiments are drawn; improved and extreme ones are kept."""
TITLES = 600
"""At most this many points carry a tooltip."""
STATUSES = ("improved", "not_improved", "stopped", "rejected", "failed")


@dataclass(frozen=True)
class Levels:
    """The horizontal lines of the search plot; each may be missing."""

    baseline: float | None = None
    noise: float | None = None
    """Standard deviation over seeds."""
    reported: float | None = None


def marker(status: str, x: float, y: float, inside: str = "", size: float = 1.0) -> str:
    """The shape of a status: disc, ring, open triangle, crossed square, cross."""
    if status == "improved":
        return element("circle", inside, cx=x, cy=y, r=4.5 * size, class_="point improved")
    if status == "not_improved":
        return element("circle", inside, cx=x, cy=y, r=3.5 * size, class_="point plain")
    half = 4.5 * size
    if status == "stopped":
        path, class_ = f"M{x - half:.1f} {y - half * 0.8:.1f}h{2 * half:.1f}l{-half:.1f} {half * 1.8:.1f}z", "point plain"
    elif status == "rejected":
        side = f"{2 * half:.1f}"
        path = f"M{x - half:.1f} {y - half:.1f}h{side}v{side}h-{side}zl{side} {side}m0 -{side}l-{side} {side}"
        class_ = "point rejected"
    else:
        path, class_ = (
            f"M{x - half:.1f} {y - half:.1f}l{2 * half:.1f} {2 * half:.1f}m0 {-2 * half:.1f}l{-2 * half:.1f} {2 * half:.1f}",
            "point failed",
        )
    return element("path", inside, d=path, class_=class_)


def thinned(experiments: Sequence[Experiment], limit: int = POINTS) -> list[Experiment]:
    """At most about `limit` experiments, in order: the improved ones first, then evenly spread others."""
    if len(experiments) <= limit:
        return list(experiments)
    improved = [entry for entry in experiments if entry.status == "improved"]
    kept = {entry.number for entry in _spread(improved, limit // 2)}
    kept |= {entry.number for entry in _spread([entry for entry in experiments if entry.number not in kept], limit - len(kept))}
    return [entry for entry in experiments if entry.number in kept]


def _spread(entries: Sequence[Experiment], limit: int) -> list[Experiment]:
    if len(entries) <= limit:
        return list(entries)
    return [entries[index * len(entries) // limit] for index in range(limit)]


def best_so_far(experiments: Sequence[Experiment], metric: MetricSpec, baseline: float | None) -> list[tuple[int, float]]:
    """(experiment number, best score from there on), one entry per change. Only improved experiments count."""
    best, steps = baseline, []
    for entry in experiments:
        score = words.finite(entry.score)
        if entry.status == "improved" and score is not None and (best is None or metric.gain(best, score) > 0):
            best = score
            steps.append((entry.number, score))
    return steps


def search_range(experiments: Sequence[Experiment], metric: MetricSpec, levels: Levels) -> tuple[float, float]:
    """The scores worth showing: everything near the baseline and the best; far outliers are drawn at the edge."""
    scores = sorted(
        score for entry in experiments if entry.status != "rejected" and (score := words.finite(entry.score)) is not None
    )
    core = list(scores)
    if len(scores) >= 5:
        cut = len(scores) // 5
        core = scores[cut:] if metric.direction == "max" else scores[: len(scores) - cut]
    if levels.baseline is not None:
        spread = 2 * (levels.noise or 0.0)
        core += [levels.baseline - spread, levels.baseline + spread]
    if not core:
        return 0.0, 1.0
    low, high = min(core), max(core)
    room = (high - low) * 0.5
    others = [words.finite(entry.score) for entry in experiments] + [words.finite(levels.reported)]
    for value in others:
        if value is not None and low - room <= value <= high + room:
            core.append(value)
    return widened(min(core), max(core))


def search_path(
    experiments: Sequence[Experiment],
    metric: MetricSpec,
    levels: Levels,
    *,
    best: int | None = None,
    width: int = 880,
    limit: int = POINTS,
) -> str:
    """The path of the search: a score per experiment, the best so far, the baseline in its noise, refusals and failures."""
    height = 400 if width > 600 else 330
    left, right, top = 58, width - (128 if width > 600 else 70), 26
    failed = [entry for entry in experiments if words.finite(entry.score) is None]
    bottom = height - (70 if failed else 48)
    low, high = search_range(experiments, metric, levels)
    last = max((entry.number for entry in experiments), default=1)
    across = Scale(0.0, max(last, 1) * 1.02, left, right)
    up = Scale(low, high, bottom, top)
    parts = _grid(across, up, metric, last, wanted=8 if width > 600 else 4, below=38 if failed else 18)
    parts += _levels(across, up, levels)
    parts += _best_line(experiments, metric, levels, across, up)
    parts += _points(thinned(experiments, limit), across, up, bottom + 20)
    if failed:
        parts.append(text("no score", left - 8, bottom + 24, "tick end"))
    parts += _chosen(experiments, best, across, up)
    parts += _names(experiments, metric, levels, right + 8, up, wide=width > 600)
    parts.append(text("experiment", (left + right) / 2, height - 6, "axis-name middle"))
    improved = sum(entry.status == "improved" for entry in experiments)
    description = (
        f"{words.count(len(experiments), 'experiment')}, {improved} improved. Baseline {words.number(levels.baseline)}. "
        f"{metric.name}: {'higher' if metric.direction == 'max' else 'lower'} is better."
    )
    return picture(parts, width, height, "Path of the search", description, "search")


def _grid(across: Scale, up: Scale, metric: MetricSpec, last: int, *, wanted: int, below: int) -> list[str]:
    parts = []
    marks = ticks(up.low, up.high, 5)
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        parts.append(line(across.start, up(mark), across.end, up(mark), "grid"))
        parts.append(text(label, across.start - 8, up(mark) + 4, "tick end"))
    for mark in ticks(0, max(last, 1), min(wanted, max(last, 1))):
        if mark == int(mark):
            parts.append(line(across(mark), up.start, across(mark), up.start + 4, "axis"))
            parts.append(text(f"{int(mark):,}", across(mark), up.start + below, "tick middle"))
    parts.append(line(across.start, up.start, across.end, up.start, "axis"))
    better = "higher is better ↑" if metric.direction == "max" else "lower is better ↓"
    parts.append(text(f"{words.clip(metric.name, 30)} · {better}", across.start, 14, "axis-name"))
    return parts


def _levels(across: Scale, up: Scale, levels: Levels) -> list[str]:
    parts = []
    if levels.baseline is not None:
        if levels.noise:
            upper, lower = up.bound(levels.baseline + levels.noise), up.bound(levels.baseline - levels.noise)
            parts.append(
                element(
                    "rect",
                    x=across.start,
                    y=upper,
                    width=across.end - across.start,
                    height=max(lower - upper, 1.0),
                    class_="band",
                )
            )
        parts.append(line(across.start, up.bound(levels.baseline), across.end, up.bound(levels.baseline), "baseline"))
    if levels.reported is not None and up.low <= levels.reported <= up.high:
        parts.append(line(across.start, up(levels.reported), across.end, up(levels.reported), "reported"))
    return parts


def _best_line(experiments: Sequence[Experiment], metric: MetricSpec, levels: Levels, across: Scale, up: Scale) -> list[str]:
    steps = best_so_far(experiments, metric, levels.baseline)
    if not steps:
        return []
    if len(steps) > POINTS:
        steps = [steps[index * len(steps) // POINTS] for index in range(POINTS)] + [steps[-1]]
    start = levels.baseline if levels.baseline is not None else steps[0][1]
    path = f"M{across(0 if levels.baseline is not None else steps[0][0]):.1f} {up.bound(start):.1f}"
    for number, score in steps:
        path += f"H{across(number):.1f}V{up.bound(score):.1f}"
    return [element("path", d=path + f"H{across.end:.1f}", class_="best-line")]


def _points(experiments: Sequence[Experiment], across: Scale, up: Scale, rail: float) -> list[str]:
    parts = []
    size = 1.0 if len(experiments) <= 150 else 0.75 if len(experiments) <= 600 else 0.5
    ordered = sorted(experiments, key=lambda entry: entry.status == "improved")
    for entry in ordered:
        score = words.finite(entry.score)
        inside = ""
        if len(experiments) <= TITLES:
            told = f"{entry.number}: {words.clip(entry.title, 80)}\n{words.number(score)}, {words.STATUSES[entry.status]}"
            inside = element("title", escape(told))
        x = across(entry.number)
        if score is None:
            parts.append(marker("failed" if entry.status != "rejected" else "rejected", x, rail, inside, size))
        elif up.low <= score <= up.high:
            parts.append(marker(entry.status, x, up(score), inside, size))
        else:
            y = up.bound(score)
            away = 1 if score < up.low else -1
            parts.append(marker(entry.status, x, y - 12 * away, inside, size))
            parts.append(element("path", d=f"M{x - 3:.1f} {y - 4 * away:.1f}l3 {4 * away}l3 {-4 * away}", class_="off-scale"))
        if entry.leap and score is not None:
            parts.append(element("circle", cx=x, cy=up.bound(score), r=8.0, class_="leap"))
    return parts


def _chosen(experiments: Sequence[Experiment], best: int | None, across: Scale, up: Scale) -> list[str]:
    for entry in experiments:
        score = words.finite(entry.score)
        if entry.number == best and score is not None:
            x, y = across(entry.number), up.bound(score)
            side = "end" if x > across.start + 60 else "start"
            return [element("circle", cx=x, cy=y, r=9.0, class_="chosen"),
                    text(f"best: {entry.number}", x - (13 if side == "end" else -13), y - 8, f"name best {side}")]  # fmt: skip
    return []


def _names(
    experiments: Sequence[Experiment], metric: MetricSpec, levels: Levels, x: float, up: Scale, *, wide: bool
) -> list[str]:
    steps = best_so_far(experiments, metric, levels.baseline)
    places = words.decimals([levels.baseline], levels.noise)
    found: list[tuple[str, float, str]] = []
    if levels.baseline is not None:
        found.append(("baseline", levels.baseline, "name"))
    if levels.reported is not None:
        arrow = " ↑" if levels.reported > up.high else " ↓" if levels.reported < up.low else ""
        found.append(("paper" + arrow, levels.reported, "name"))
    if steps:
        found.append(("best", steps[-1][1], "name best"))
    distance = 15 if wide else 26
    heights = apart([up.bound(value) for _, value, _ in found], distance, up.end, up.start)
    parts = []
    for (word, value, class_), y in zip(found, heights, strict=True):
        shown = words.number(value, places)
        if wide:
            parts.append(text(f"{word} {shown}", x, y + 4, class_))
        else:
            parts.append(text(word, x, y - 2, class_) + text(shown, x, y + 10, class_))
    return parts


def pairs(
    before: Sequence[float],
    after: Sequence[float],
    names: Sequence[str],
    metric: MetricSpec,
    *,
    width: int = 880,
    places: int = 4,
) -> str:
    """Fresh confirmation runs: one row per seed, the baseline's ring joined to the candidate's disc."""
    rows = [
        (name, old, new)
        for name, first, second in zip(names, before, after, strict=False)
        if (old := words.finite(first)) is not None and (new := words.finite(second)) is not None
    ]
    step, top, left, right = 30, 34, 100 if width > 600 else 92, width - 76
    shown = rows[:60]
    bottom = top + step * max(len(shown), 1)
    every = [value for _, old, new in shown for value in (old, new)]
    low, high = widened(min(every), max(every), 0.1) if every else (0.0, 1.0)
    across = Scale(low, high, left, right)
    marks = ticks(low, high, 6 if width > 600 else 3)
    parts = [text(words.clip(metric.name, 30), left, 14, "axis-name"), text("difference", width - 4, 14, "axis-name end")]
    if shown and all(name.startswith("seed ") for name, _, _ in shown):
        parts.append(text("seed", left - 12, 14, "axis-name end"))
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        parts.append(line(across(mark), top - 8, across(mark), bottom, "grid"))
        parts.append(text(label, across(mark), bottom + 18, "tick middle"))
    for index, (name, old, new) in enumerate(shown):
        y = top + step * (index + 0.5) - 4
        better = metric.gain(old, new)
        parts.append(text(words.clip(name.removeprefix("seed "), 16), left - 12, y + 4, "tick end"))
        parts.append(line(across(old), y, across(new), y, "pair" if better > 0 else "pair worse"))
        parts.append(element("circle", cx=across(old), cy=y, r=5.0, class_="point plain"))
        parts.append(element("circle", cx=across(new), cy=y, r=5.5, class_="point improved" if better > 0 else "point worse"))
        parts.append(text(words.signed(new - old, places), width - 4, y + 4, "tick end strong"))
    told = f"{len(rows)} fresh pairs; the candidate is better in {sum(metric.gain(old, new) > 0 for _, old, new in rows)}."
    return picture(parts, width, bottom + 26, "Fresh confirmation runs, paired by seed", told, "pairs")


def interval(gain: Gain, noise: float | None, metric: MetricSpec, *, width: int = 420) -> str:
    """The gain with its interval beside nothing and beside the baseline's noise. Right is better, whatever the direction."""
    low, high, middle = words.finite(gain.low), words.finite(gain.high), words.finite(gain.absolute) or 0.0
    ends = [0.0, middle, *(value for value in (low, high) if value is not None)]
    if noise:
        ends += [-noise, noise]
    across = Scale(*widened(min(ends), max(ends), 0.12), 10, width - 10)
    top, y, floor = 26, 50, 76
    parts = []
    if noise:
        start, end = across(-noise), across(noise)
        parts.append(element("rect", x=start, y=float(top), width=end - start, height=float(floor - top), class_="band"))
        if end - start > 30 and abs(across(middle) - (start + end) / 2) > 60:
            parts.append(text("noise", (start + end) / 2, 16, "tick middle"))
    parts.append(line(across(0), top, across(0), floor, "baseline"))
    parts.append(line(10, floor, width - 10, floor, "axis"))
    if low is not None and high is not None:
        parts.append(line(across.bound(low), y, across.bound(high), y, "whisker"))
        parts += [line(across(end), y - 8, across(end), y + 8, "whisker") for end in (low, high)]
    parts.append(
        element("circle", cx=across(middle), cy=float(y), r=7.0, class_="point improved" if middle > 0 else "point worse")
    )
    parts.append(text(words.signed(middle, words.decimals([middle], noise)), across(middle), 16, "name best middle"))
    marks = ticks(across.low, across.high, 5)
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        parts.append(line(across(mark), floor, across(mark), floor + 4, "axis"))
        parts.append(text(label, across(mark), floor + 18, "tick middle"))
    told = (
        f"Gain in {metric.name}: {words.signed(middle)}, 95 % interval {words.signed(low)} to {words.signed(high)}; no gain is 0."
    )
    return picture(parts, width, 98, "Gain with its 95 % interval", told, "interval")


def strip(
    values: Sequence[float], mean: float | None, noise: float | None, reported: float | None, name: str, width: int = 880
) -> str:
    """The baseline's repeats on a line, with their mean, one standard deviation and the paper's number."""
    known = [value for value in values if words.finite(value) is not None]
    ends = [*known, *(value for value in (mean, reported) if words.finite(value) is not None and value is not None)]
    if mean is not None and noise:
        ends += [mean - noise, mean + noise]
    low, high = widened(min(ends), max(ends), 0.08) if ends else (0.0, 1.0)
    across = Scale(low, high, 14, width - 14)
    marks = ticks(low, high, 7 if width > 600 else 4)
    parts = [line(14, 62, width - 14, 62, "axis")]
    for mark, label in zip(marks, tick_labels(marks), strict=True):
        parts.append(line(across(mark), 62, across(mark), 66, "axis"))
        parts.append(text(label, across(mark), 80, "tick middle"))
    if mean is not None:
        if noise:
            parts.append(element("rect", x=across(mean - noise), y=30.0, width=across(mean + noise) - across(mean - noise),
                                 height=32.0, class_="band"))  # fmt: skip
        parts.append(line(across(mean), 26, across(mean), 62, "baseline"))
    if reported is not None:
        parts.append(line(across(reported), 26, across(reported), 62, "reported"))
    named = [(word, across(value)) for word, value in (("mean", mean), ("paper", reported)) if value is not None]
    for (word, _), x in zip(named, apart([x for _, x in named], 46, 24, width - 24), strict=True):
        parts.append(text(word, x, 18, "tick middle"))
    parts += [element("circle", cx=across(value), cy=46.0, r=5.0, class_="point plain") for value in known[:500]]
    told = f"{len(known)} baseline runs of {name}, mean {words.number(mean)}, standard deviation {words.number(noise)}."
    return picture(parts, width, 88, "Noise of the baseline", told, "strip")
