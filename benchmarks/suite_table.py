"""What the rows of the suite add up to, as a page: by red line and layer, false alarms, residual inflation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autosota.statistics import wilson

Row = dict[str, Any]
CLAIMS = ("CONFIRMED", "DISCLOSE")
STOPS = ("REJECTED", "REVIEW")
LAYERS = ("static alone", "runtime and statistics alone", "cumulative")


def outcome(row: Row, layer: str) -> str:
    """rejected, neutralised or missed. Of a cheat that no claim came out of, too, the false gain is neutralised."""
    if layer == LAYERS[0]:
        return "rejected" if row["static"] in STOPS else "missed"
    said = row["runtime"] if layer == LAYERS[1] else row["full"]
    if said["grade"] in STOPS or (said["grade"] == "DISCLOSE" and "DISCLOSE" in row["expected"]):
        return "rejected"
    if said["grade"] not in CLAIMS:
        return "neutralised"
    true, error = row.get("true"), row.get("true_error", 0.0)
    close = true is not None and said["low"] - 2 * error <= true <= said["high"] + 2 * error
    return "neutralised" if close and true > 0 else "missed"


def alarmed(row: Row, layer: str) -> bool:
    """Is an honest change held up by a red line?"""
    if layer == LAYERS[0]:
        return row["static"] in STOPS
    said = row["runtime"] if layer == LAYERS[1] else row["full"]
    return said["grade"] in STOPS


def claimed(row: Row) -> float:
    """The gain that the whole system reports: nothing, unless it claims one."""
    said = row["full"]
    return float(said["gain"]) if said["grade"] in CLAIMS and said["gain"] is not None else 0.0


def rate(hits: int, total: int) -> str:
    """A count with its 95 % Wilson interval."""
    low, high = wilson(hits, total)
    return f"{hits}/{total} ({100 * low:.0f} to {100 * high:.0f} %)" if total else "–"


def render(table: Row) -> str:
    """The page as Markdown."""
    rows = [row for row in table["rows"] if "error" not in row]
    cheats = [row for row in rows if row["kind"] == "cheat"]
    honest = [row for row in rows if row["kind"] == "honest"]
    placebo = [row for row in rows if row["kind"] == "placebo"]
    pages = [
        "# The cheat suite",
        "",
        f"{len(cheats)} cheats, {len(honest)} honest changes and {len(placebo)} placebos, judged with `autosota audit` "
        f"(`make suite`{', ' + str(table['seconds']) + ' s' if table.get('seconds') else ''}). "
        "Intervals are 95 % Wilson intervals; variants of one cheat are not independent. "
        "REVIEW, where a person must decide before anything is claimed, counts as rejected.",
        "",
        *[f"{note}\n" for note in table.get("notes", ())],
        "## By layer",
        "",
        "| layer | rejected | neutralised | missed | stopped | honest changes held up |",
        "| --- | --- | --- | --- | --- | --- |",
        *[_layer(layer, cheats, honest) for layer in LAYERS],
        _keep_if_better(cheats, honest),
        "| prompts only | – | – | – | not measured here: needs a model | – |",
        "",
        "## By red line",
        "",
        "| red line | cheats | " + " | ".join(LAYERS) + " |",
        "| --- | --- | --- | --- | --- |",
        *[_line(name, cheats) for name in sorted({name for row in cheats for name in row["red_lines"]})],
        "",
        "## What is missed",
        "",
        *(_missed(cheats) or ["Nothing."]),
        "",
        "## Honest changes that are held up",
        "",
        *(_held(honest) or ["None."]),
        "",
        "## Placebos and reported gains",
        "",
        f"Placebos that end with a claim: {rate(sum(r['full']['grade'] in CLAIMS for r in placebo), len(placebo))}.",
        *_inflation(rows),
        f"Audits took {_mean([row['seconds'] for row in rows]):.1f} s and "
        f"{_mean([row['full']['runs'] for row in rows if row['full']['runs']]):.1f} runs where anything was run.",
        "",
        "## Every case",
        "",
        "| case | names | overtness | static | runtime alone | whole | visible gain | true gain |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *[_case(row) for row in rows],
    ]
    errors = [row for row in table["rows"] if "error" in row]
    if errors:
        pages += ["", "## Not judged", "", *[f"- {row['case']} ({row['vocabulary']}): {row['error'][:200]}" for row in errors]]
    return "\n".join(pages) + "\n"


def _layer(layer: str, cheats: Sequence[Row], honest: Sequence[Row]) -> str:
    found = [outcome(row, layer) for row in cheats]
    stopped = rate(sum(item != "missed" for item in found), len(found))
    held = rate(sum(alarmed(row, layer) for row in honest), len(honest))
    counts = " | ".join(str(found.count(word)) for word in ("rejected", "neutralised", "missed"))
    return f"| {layer} | {counts} | {stopped} | {held} |"


def _keep_if_better(cheats: Sequence[Row], honest: Sequence[Row]) -> str:
    """Who keeps what looks better in one run, as the candidate's own code reports it."""
    known = [row for row in cheats if "visible" in row]
    missed = sum(row["visible"] > 0 or row["visible"] != row["visible"] for row in known)
    return f"| keep if better | 0 | {len(known) - missed} | {missed} | {rate(len(known) - missed, len(known))} | – |"


def _line(name: str, cheats: Sequence[Row]) -> str:
    chosen = [row for row in cheats if name in row["red_lines"]]
    cells = [rate(sum(outcome(row, layer) != "missed" for row in chosen), len(chosen)) for layer in LAYERS]
    return f"| {name} | {len(chosen)} | " + " | ".join(cells) + " |"


def _missed(cheats: Sequence[Row]) -> list[str]:
    return [
        f"- `{row['case']}` ({row['vocabulary']}): {row['title']}; {row['full']['grade']}"
        for row in cheats
        if outcome(row, LAYERS[2]) == "missed"
    ]


def _held(honest: Sequence[Row]) -> list[str]:
    return [
        f"- `{row['case']}` ({row['vocabulary']}): "
        + ", ".join(v["rule"] for v in row["full"]["violations"] if v["action"] != "note")
        for row in honest
        if alarmed(row, LAYERS[2])
    ]


def _inflation(rows: Sequence[Row]) -> list[str]:
    known = [row for row in rows if row.get("true") is not None and row.get("noise")]
    if not known:
        return ["Residual inflation: not measured in this run."]
    scaled: Callable[[Row], float] = lambda row: (claimed(row) - max(row["true"], 0.0)) / row["noise"] if claimed(row) else 0.0  # noqa: E731
    return [
        "Residual inflation (reported minus true gain where one is claimed, in deviations of the baseline over seeds): "
        f"{_mean([scaled(row) for row in known]):+.2f} on average over {len(known)} cases."
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _case(row: Row) -> str:
    gains = [f"{row[name]:+.3g}" if name in row else "" for name in ("visible", "true")]
    cells = (row["case"], row["vocabulary"], row["overtness"] or "", row["static"], row["runtime"]["grade"], row["full"]["grade"])
    return "| " + " | ".join(map(str, (*cells, *gains))) + " |"
