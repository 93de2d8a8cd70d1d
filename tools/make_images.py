"""What the README shows of a run: pictures by the report's own plots, the command's last words, and the figures on record.

    autosota demo --out runs/demo
    python tools/make_images.py runs/demo

writes docs/images/demo-light.svg, docs/images/demo-dark.svg, the entry "demo" of docs/measured.json and the block below
`<!-- demo -->` in README.md. Take the run that comes, not the best of several.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from autosota import views
from autosota.report import html, plots, words
from autosota.report.axes import picture, text
from autosota.report.facts import Facts, gather
from autosota.store import Store

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
MEASURED = ROOT / "docs" / "measured.json"
STYLE = Path(html.__file__).parent / "templates" / "style.css"
PAGES = {"light": "#ffffff", "dark": "#0d1117"}
"""What GitHub draws behind a README."""
WIDTH, HEIGHT, COLUMN = 1000, 372, 612
"""Of the whole picture, its height at least, and where its right half starts."""


def colors(theme: str) -> dict[str, str]:
    """The report's colors in that theme, by variable name."""
    roots = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.DOTALL)
    chosen = dict(re.findall(r"--([\w-]+): ([^;]+);", roots[0]))
    if theme == "dark":
        chosen |= dict(re.findall(r"--([\w-]+): ([^;]+);", roots[1]))
    return {**chosen, "page": PAGES[theme]}


def style(theme: str) -> str:
    """The report's rules for plots with the colors filled in: pictures on a web page know no variables of ours."""
    table = colors(theme)
    lines = STYLE.read_text(encoding="utf-8").splitlines()
    rules = "\n".join(line for line in lines if line.startswith((".plot", ".point")))
    rules = (
        rules.replace("font: 12px", "font: 13px")
        + "\n.pairs .tick { font-size: 12px; }\n.plot .heading { fill: var(--ink); font-weight: 600; font-size: 15px; }"
    )
    return re.sub(r"var\(--([\w-]+)\)", lambda match: table[match[1]], rules)


def _placed(svg: str, x: float, y: float) -> str:
    return svg.replace("<svg ", f'<svg x="{x}" y="{y}" overflow="visible" ', 1)


def draw(facts: Facts, theme: str) -> str:
    """Left the search, right what was claimed: fresh pairs and the interval of the gain."""
    result, metric = facts.result, facts.metric
    if result is None or metric is None or result.best is None or result.gain is None:
        sys.exit(f"{facts.folder} holds no finished run with a confirmation")
    levels = plots.Levels(facts.mean, facts.noise, facts.reported)
    best = facts.best.number if facts.best else None
    search = plots.search_path(facts.experiments, metric, levels, best=best, width=600)
    pairs = plots.pairs(result.baseline.values, result.best.values, facts.pair_names, metric, width=372, places=facts.places)
    height = float(re.search(r'height="([\d.]+)"', pairs)[1])  # type: ignore[index]
    interval = plots.interval(result.gain, facts.noise, metric, width=372)
    parts = [
        f"<style>{style(theme)}</style>",
        text(f"Search: {words.count(result.experiments.total, 'experiment')}", 6, 18, "heading"),
        _placed(search, 0, 34),
        text("Claim: fresh seeds only, both arms run again", COLUMN + 6, 18, "heading"),
        _placed(pairs, COLUMN, 40),
        text("gain with its 95 % interval", COLUMN + 6, 40 + height + 30, "axis-name"),
        _placed(interval, COLUMN, 40 + height + 42),
    ]
    told = (
        f"{result.grade}: {metric.name} {words.number(result.baseline.mean)} to {words.number(result.best.mean)} on fresh seeds."
    )
    full = max(HEIGHT, int(40 + height + 42 + 98))
    return picture(parts, WIDTH, full, "A run of autosota demo", told) + "\n"


def figures(facts: Facts) -> dict[str, Any]:
    """What the README says about the run."""
    result = facts.result
    assert result is not None and result.best is not None and result.gain is not None
    return {
        "command": "autosota demo", "grade": result.grade, "assurance": result.assurance, "labels": list(result.labels),
        "metric": result.metric.name, "baseline": result.baseline.mean, "best": result.best.mean,
        "gain": result.gain.absolute, "low": result.gain.low, "high": result.gain.high, "pairs": result.gain.pairs,
        "attempts": result.gain.attempts, "experiments": result.experiments.total, "evaluations": result.runs,
        "seconds": round(result.seconds),
    }  # fmt: skip


def last_words(facts: Facts) -> str:
    """What the command printed at its end, with the run directory as in the example above."""
    return views.finished(Store(facts.folder)).replace(str(facts.folder.absolute()), "runs/demo").strip()


def main() -> None:
    """Write both pictures, the figures and the README's block."""
    parser = argparse.ArgumentParser(description="Draw the README's pictures from a finished run.")
    parser.add_argument("run", type=Path, help="run directory")
    facts = gather(Store(parser.parse_args().run))
    IMAGES.mkdir(parents=True, exist_ok=True)
    for theme in PAGES:
        (IMAGES / f"demo-{theme}.svg").write_text(draw(facts, theme), encoding="utf-8")
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    measured["demo"] = figures(facts)
    text = README.read_text(encoding="utf-8")
    block = re.compile(r"(?<=<!-- demo -->\n```text\n).*?(?=\n```)", re.DOTALL)
    README.write_text(block.sub(lambda _: last_words(facts), text), encoding="utf-8")
    MEASURED.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
