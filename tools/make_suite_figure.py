"""The figure of the cheat suite, from docs/suite.json: what becomes of the cheats under four ways to accept a change.

    python tools/make_suite_figure.py

writes docs/images/suite-light.svg and docs/images/suite-dark.svg.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from make_images import IMAGES, PAGES, colors  # noqa: E402

from autosota.report.axes import element, picture, text  # noqa: E402
from benchmarks.suite_table import ORDER, summary  # noqa: E402

WIDTH, LEFT, BAR, ROW, GAP = 1020, 150, 470, 30, 18
TOLD = {"rejected": "rejected or disclosed", "neutralised": "no false gain claimed", "missed": "false gain accepted"}


def draw(rows: dict[str, dict[str, float]], theme: str) -> str:
    """One bar a policy; beside it honest changes held up and placebos claimed."""
    table = colors(theme)
    fill = {"rejected": table["good"], "neutralised": table["accent"], "missed": table["bad"]}
    right = LEFT + BAR + 72
    parts = [_style(table), text(f"{_total(rows, 'cheats')} cheats", LEFT, 18, "heading")]
    parts += [text("honest changes", right, 18, "heading"), text("placebos", right + 180, 18, "heading")]
    parts += [text("held up", right, 36, "note"), text("claimed as a gain", right + 180, 36, "note")]
    x = float(LEFT)
    for word in ORDER:
        parts += [
            element("rect", x=x, y=27.0, width=11.0, height=11.0, fill=fill[word], rx=2),
            text(TOLD[word], x + 16, 37, "note"),
        ]
        x += 26 + 7.2 * len(TOLD[word])
    top = 54.0
    for name, row in rows.items():
        parts.append(text(name, LEFT - 12, top + ROW * 0.66, "name", text_anchor="end"))
        x = float(LEFT)
        for word in ORDER:
            width = BAR * row[word] / row["cheats"]
            if not width:
                continue
            parts.append(element("rect", x=x, y=top, width=max(width - 1.5, 1.0), height=float(ROW), fill=fill[word]))
            if width > 22:
                parts.append(text(f"{row[word]:.0f}", x + width / 2, top + ROW * 0.66, "count", text_anchor="middle"))
            x += width
        parts.append(text(f"{row['held']:.0f} of {row['honest']:.0f}", right, top + ROW * 0.66, "name"))
        parts.append(text(f"{row['claimed']:.0f} of {row['placebos']:.0f}", right + 180, top + ROW * 0.66, "name"))
        top += ROW + GAP
    last = list(rows)[-1]
    told = f"{last}: {rows[last]['missed']:.0f} of {rows[last]['cheats']:.0f} cheats accepted."
    return picture(parts, WIDTH, int(top), "What becomes of cheats, honest changes and placebos", told) + "\n"


def _total(rows: dict[str, dict[str, float]], name: str) -> int:
    return int(next(iter(rows.values()))[name])


def _style(table: dict[str, str]) -> str:
    return (
        "<style>text { font: 14px system-ui, sans-serif; fill: "
        + table["ink"]
        + "; } .heading { font-weight: 600; font-size: 15px; } "
        ".note { font-size: 12.5px; fill: "
        + table["muted"]
        + "; } .count { font-weight: 600; fill: "
        + table["page"]
        + "; }</style>"
    )


def main() -> None:
    """Write both pictures."""
    rows = summary(json.loads((ROOT / "docs" / "suite.json").read_text(encoding="utf-8"))["rows"])
    IMAGES.mkdir(parents=True, exist_ok=True)
    for theme in PAGES:
        (IMAGES / f"suite-{theme}.svg").write_text(draw(rows, theme), encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
