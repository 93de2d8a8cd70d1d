"""Set an example paper, written in Markdown, as a PDF.

    uv run --no-project --with reportlab python tools/make_paper_pdf.py tools/papers/kitchen-sinks.md src/autosota/demo/paper.pdf

Understood: headings (# title, ## section, ### part), an `Authors: ` line, paragraphs, `- ` lists,
numbered references (`[1] …`), pipe tables under a `Table n: …` line, `$$ … $$` formulas on a line of their own, fenced
`chart` blocks, <sub> and <super>, **bold**, *italic*, `code` and [text](address). The same source always gives the same bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from reportlab import rl_config
from reportlab.graphics.charts.lineplots import LinePlot
from reportlab.graphics.shapes import Drawing, String
from reportlab.graphics.widgets.markers import makeMarker
from reportlab.lib.colors import HexColor, black
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

SERIF, BOLD = "Times-Roman", "Times-Bold"
INK, LINK = HexColor("#111111"), HexColor("#1a4f8b")
WIDTH = A4[0] - 5.2 * cm

BODY = ParagraphStyle("body", fontName=SERIF, fontSize=10.2, leading=13.2, alignment=TA_JUSTIFY, spaceAfter=5, textColor=INK)


def style(name: str, **changes: object) -> ParagraphStyle:
    """A style that differs from the body's in `changes`."""
    return ParagraphStyle(name, parent=BODY, **changes)


STYLES = {
    "title": style("title", fontName=BOLD, fontSize=16.5, leading=21, alignment=TA_CENTER, spaceAfter=9),
    "authors": style("authors", fontSize=11, alignment=TA_CENTER, spaceAfter=14),
    "abstract": style("abstract", fontSize=9.6, leading=12.3, leftIndent=1.1 * cm, rightIndent=1.1 * cm, spaceAfter=8),
    "section": style("section", fontName=BOLD, fontSize=12, leading=15, spaceBefore=9, spaceAfter=4, keepWithNext=1),
    "head": style("head", fontName=BOLD, fontSize=11, alignment=TA_CENTER, spaceAfter=4, keepWithNext=1),
    "part": style("part", fontName=BOLD, fontSize=10.2, spaceBefore=5, spaceAfter=2, keepWithNext=1),
    "formula": style("formula", alignment=TA_CENTER, spaceBefore=3, spaceAfter=8),
    "caption": style("caption", fontSize=9.2, leading=11.5, alignment=TA_CENTER, spaceBefore=4, spaceAfter=4),
    "cell": style("cell", fontSize=9.4, leading=11.5, alignment=0, spaceAfter=0),
    "number": style("number", fontSize=9.4, leading=11.5, alignment=TA_CENTER, spaceAfter=0),
    "list": style("list", leftIndent=14, bulletIndent=4, spaceAfter=2),
    "reference": style("reference", fontSize=9.2, leading=11.4, leftIndent=18, firstLineIndent=-18, spaceAfter=3),
}


def inline(text: str) -> str:
    """Markdown emphasis, code and links as reportlab's markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("&lt;sub&gt;", '<sub rise="2.2" size="7">').replace("&lt;super&gt;", '<super rise="4" size="7">')
    text = re.sub(r"&lt;(/(?:sub|super))&gt;", r"<\1>", text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", rf'<a href="\2" color="{LINK.hexval().replace("0x", "#")}">\1</a>', text)
    text = re.sub(r"`([^`]+)`", r'<font name="Courier" size="-1">\1</font>', text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"(?<!\*)\*([^*\s][^*]*)\*", r"<i>\1</i>", text)


def booktabs(rows: list[list[str]]) -> Table:
    """A table with three rules; the first column is text, the others are centered."""
    cells = [
        [Paragraph(inline(f"**{cell}**" if row == 0 and cell else cell), STYLES["number" if column else "cell"])
         for column, cell in enumerate(line)]
        for row, line in enumerate(rows)
    ]  # fmt: skip
    others = [max(2.2 * cm, 0.21 * cm * max(len(line[column]) for line in rows)) for column in range(1, len(rows[0]))]
    first = min(WIDTH - sum(others), max(3 * cm, 0.19 * cm * max(len(line[0]) for line in rows)))
    rules = [("LINEABOVE", (0, 0), (-1, 0), 0.9, black), ("LINEBELOW", (0, 0), (-1, 0), 0.5, black),
             ("LINEBELOW", (0, -1), (-1, -1), 0.9, black), ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
             ("TOPPADDING", (0, 0), (-1, -1), 2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5)]  # fmt: skip
    return Table(cells, colWidths=[first, *others], style=rules, hAlign="CENTER", spaceAfter=8)


def chart(lines: list[str]) -> list[Flowable]:
    """`x: a, b, …`, `y: …`, `xlabel:`, `ylabel:`, `caption:` → a small line plot with its caption."""
    given = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    points = list(zip(*([float(part) for part in given[axis].split(",")] for axis in "xy"), strict=True))
    drawing = Drawing(WIDTH, 142)
    plot = LinePlot()
    plot.x, plot.y, plot.width, plot.height = WIDTH / 2 - 110, 30, 230, 92
    plot.data = [points]
    plot.lines[0].strokeColor, plot.lines[0].strokeWidth = LINK, 1.4
    plot.lines[0].symbol = makeMarker("FilledCircle", size=4.5, fillColor=LINK, strokeColor=LINK)
    for axis, values, step in ((plot.xValueAxis, [x for x, _ in points], None), (plot.yValueAxis, [y for _, y in points], 0.1)):
        axis.labels.fontName, axis.labels.fontSize, axis.strokeWidth = SERIF, 8.5, 0.6
        axis.valueMin = 0 if step is None else step * (min(values) // step)
        axis.valueMax = max(values) * (1.04 if step is None else 1) if step is None else step * (max(values) // step + 1)
        axis.valueSteps = values if step is None else None
        axis.valueStep = step if step else None
    plot.yValueAxis.labelTextFormat = "%.1f"
    plot.yValueAxis.visibleGrid, plot.yValueAxis.gridStrokeColor = True, HexColor("#dddddd")
    drawing.add(plot)
    drawing.add(String(plot.x + 115, 4, given["xlabel"], fontName=SERIF, fontSize=9, textAnchor="middle"))
    drawing.add(String(plot.x - 34, 131, given["ylabel"], fontName=SERIF, fontSize=9))
    return [KeepTogether([Spacer(1, 6), drawing, Paragraph(inline(given["caption"]), STYLES["caption"]), Spacer(1, 4)])]


def flow(source: str) -> list[Flowable]:
    """The paper's body as reportlab's flowables."""
    out: list[Flowable] = []
    blocks = re.split(r"\n\s*\n", source.strip())
    abstract, caption = False, None
    for block in blocks:
        lines = block.split("\n")
        text = " ".join(line.strip() for line in lines)
        if block.startswith("# "):
            out.append(Paragraph(inline(text[2:]), STYLES["title"]))
        elif block.startswith("Authors: "):
            out.append(Paragraph(inline(text[9:]), STYLES["authors"]))
        elif block.startswith("## "):
            abstract = text[3:] == "Abstract"
            out.append(Paragraph(inline(text[3:]), STYLES["head" if abstract else "section"]))
        elif block.startswith("### "):
            out.append(Paragraph(inline(text[4:]), STYLES["part"]))
        elif block.startswith("```chart"):
            out.extend(chart(lines[1:-1]))
        elif block.startswith("$$"):
            out.append(Paragraph(inline(text.strip("$ ")), STYLES["formula"]))
        elif re.match(r"Table \d+[:.]", block):
            caption = Paragraph(inline(re.sub(r"^(Table \d+[:.])", r"**\1**", text)), STYLES["caption"])
        elif block.startswith("|"):
            rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
            out.append(KeepTogether([caption, booktabs([rows[0], *rows[2:]])] if caption else [booktabs([rows[0], *rows[2:]])]))
            caption = None
        elif block.startswith("- "):
            items = [item.strip() for item in re.split(r"(?:^|\n)- ", block) if item]
            out.extend(Paragraph(inline(item), STYLES["list"], bulletText="•") for item in items)
            out.append(Spacer(1, 4))
        elif re.match(r"\[\d+\] ", block):
            out.extend(Paragraph(inline(item), STYLES["reference"]) for item in re.split(r"\s(?=\[\d+\] )", text))
        else:
            out.append(Paragraph(inline(text), STYLES["abstract"] if abstract else BODY))
    return out


def number(canvas, document) -> None:  # type: ignore[no-untyped-def]
    """The page number at the foot."""
    canvas.setFont(SERIF, 9)
    canvas.drawCentredString(A4[0] / 2, 1.3 * cm, str(document.page))


def main() -> None:
    """Write the PDF."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    text = source.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    rl_config.invariant = 1
    document = SimpleDocTemplate(
        str(target), pagesize=A4, leftMargin=2.6 * cm, rightMargin=2.6 * cm, topMargin=2.3 * cm, bottomMargin=2.2 * cm,
        title=title[1] if title else source.stem, author="The autosota authors", invariant=1,
    )  # fmt: skip
    document.build(flow(text), onFirstPage=number, onLaterPages=number)


if __name__ == "__main__":
    main()
