"""What a PDF's lines mean: title, abstract, sections, tables, and where each address stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from autosota.paper import links
from autosota.paper.pdf import Cell, Line, Pages
from autosota.paper.tables import CAPTION, amount, build
from autosota.records import Link, Section, Table

_KNOWN = frozenset(
    ("abstract", "introduction", "related work", "background", "method", "methods", "methodology", "approach", "experiments",
     "experimental setup", "experimental results", "evaluation", "results", "discussion", "conclusion", "conclusions",
     "limitations", "references", "bibliography", "acknowledgments", "acknowledgements", "acknowledgment", "acknowledgement",
     "appendix", "broader impact", "data availability", "code availability", "supplementary material",
     "conclusion and future work")
)  # fmt: skip
_NUMBERED = re.compile(r"^(?:(\d{1,2}(?:\.\d{1,2}){0,3})\.?|([IVX]{1,5})\.|([A-Z](?:\.\d{1,2}){0,3})\.?)\s+([A-Z“\"].{1,90})$")
_ABSTRACT = re.compile(r"^abstract\s*[.:—–-]+\s*(.*)$", re.IGNORECASE)
_ABSTRACT_END = re.compile(
    r"^(?:index terms|key ?words|ccs concepts|acm reference|1\.?\s+introduction|i\.\s+introduction)\b", re.IGNORECASE
)
_REFERENCES = re.compile(r"^(?:[\dA-Z]{1,3}\.?\s+)?(?:references|bibliography|literature cited)$", re.IGNORECASE)
LONGEST_TABLE = 80


def body_size(lines: Sequence[Line]) -> float:
    """The size most letters are printed in."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def title(pages: Pages) -> str:
    """The largest lines in the upper part of page 1; the metadata's title where the page has none."""
    height = pages.heights[0] if pages.heights else 792.0
    lines = [
        line
        for line in pages.lines
        if line.page == 1 and line.bottom > 0.45 * height and not re.match(r"arxiv:\s*\d|^\d+$", line.text, re.IGNORECASE)
    ]
    wordy = [line for line in lines if sum(character.isalpha() for character in line.text) >= 4]
    if not wordy:
        return pages.title.strip()
    largest = max(line.size for line in wordy)
    chosen: list[Line] = []
    for line in lines:
        if line.size >= 0.93 * largest and len(chosen) < 6:
            chosen.append(line)
        elif chosen and line.size < 0.93 * largest:
            break
    found = _join(chosen)
    if (
        largest < 1.12 * body_size(pages.lines)
        and 10 < len(pages.title) < 250
        and not pages.title.lower().endswith((".dvi", ".tex", ".pdf", ".docx"))
    ):
        return pages.title.strip()
    return found[:300]


# ── sections ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def sections(pages: Pages) -> tuple[str, tuple[Section, ...]]:
    """The abstract, and the headed parts in order."""
    size = body_size(pages.lines)
    found: list[tuple[str, int, int, list[Line]]] = []
    front: list[Line] = []
    abstract: list[Line] = []
    inline = ""
    in_abstract = False
    marks = (index for index, line in enumerate(pages.lines) if _is_introduction(line) or _ABSTRACT.match(line.text + ":"))
    body = next(marks, 0)
    for index, line in enumerate(pages.lines):
        start = None if abstract or inline else _ABSTRACT.match(line.text)
        if start and line.page <= 2:
            in_abstract, inline = True, start[1] or " "
            continue
        previous = pages.lines[index - 1] if index else None
        if found and not found[-1][3] and previous is not None and _same_heading(previous, line, size):
            found[-1] = (f"{found[-1][0]} {line.text.strip()}", *found[-1][1:])
            continue
        heading = _heading(line, size)
        if heading and index < body and heading[0].lower() not in _KNOWN:
            heading = None
        if heading and heading[0].lower() == "abstract":
            in_abstract = line.page <= 2
            continue
        if heading or (in_abstract and _ABSTRACT_END.match(line.text)):
            in_abstract = False
            if heading:
                found.append((heading[0], heading[1], line.page, []))
                continue
        if in_abstract:
            abstract.append(line)
        elif found:
            found[-1][3].append(line)
        else:
            front.append(line)
    text = f"{inline} {_join(abstract)}".strip() or _longest_paragraph(front)
    return text[:6000], tuple(Section(title=name, text=_join(body), level=level, page=page) for name, level, page, body in found)


def _same_heading(previous: Line, line: Line, size: float) -> bool:
    """Does `line` go on with the heading that `previous` began?"""
    alike = abs(line.size - previous.size) < 0.3 and line.bold == previous.bold and (line.size > 1.06 * size or line.bold)
    near = line.page == previous.page and 0 < previous.bottom - line.bottom < 2 * line.size
    return (
        alike and near and len(line.text) < 80 and previous.right - previous.left > 15 * size and not _NUMBERED.match(line.text)
    )


def _heading(line: Line, size: float) -> tuple[str, int] | None:
    """A heading's words and level; None for any other line."""
    text = line.text.strip().rstrip(".:")
    if len(text) > 100 or len(text) < 3 or line.text.rstrip().endswith((",", ";")) or CAPTION.match(text):
        return None
    stands_out = line.bold or line.size > 1.06 * size
    words = re.sub(r"^[\dIVXA-Z.]{1,7}\s+", "", text)
    if words.lower() in _KNOWN and (stands_out or words.isupper() or (words == text.strip() and words[0].isupper())):
        match = _NUMBERED.match(text)
        return words.capitalize() if words.isupper() else words, 1 + (match[1].count(".") if match and match[1] else 0)
    match = _NUMBERED.match(text)
    if not match or amount(match[4]) is not None or len(re.findall(r"\d", match[4])) > len(match[4]) / 3:
        return None
    if match[1] and stands_out:
        return match[4], match[1].count(".") + 1
    if match[2] and (match[4].isupper() or stands_out):
        return match[4].capitalize() if match[4].isupper() else match[4], 1
    if match[3] and line.size >= 0.95 * size and stands_out:
        return match[4], match[3].count(".") + 1
    return None


def _longest_paragraph(front: Sequence[Line]) -> str:
    """Of lines before the first heading, the longest run of the same size: an abstract without a heading."""
    best: list[Line] = []
    run: list[Line] = []
    for line in front:
        if run and (abs(line.size - run[-1].size) > 0.6 or line.page != run[-1].page):
            run = []
        run.append(line)
        if sum(len(each.text) for each in run) > sum(len(each.text) for each in best):
            best = list(run)
    text = _join(best)
    return text if len(text) > 200 else ""


def _join(lines: Sequence[Line]) -> str:
    """Lines as running text; words cut at a line's end whole again."""
    text = ""
    for line in lines:
        part = line.text.strip()
        if text.endswith("\x02") or (re.search(r"[a-z]-$", text[-2:]) and part[:1].islower()):
            text = text[:-1] + part
        else:
            text = f"{text} {part}" if text else part
    return re.sub(r"[\x00-\x1f]+", "", text.replace("\x02", ""))


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tables(pages: Pages) -> tuple[Table, ...]:
    """Every captioned table whose rows stand as aligned text, below its caption or above it.

    Where rows stand on both sides, the caption's are on the side on which the paper's other captions have theirs."""
    found = []
    lines = pages.lines
    sides = [(index, _rows(lines, index, 1), _rows(lines, index, -1)) for index, line in enumerate(lines) if _is_caption(line)]
    votes = sum(bool(below[0]) - bool(above[0]) for _, below, above in sides)
    for index, below, above in sides:
        line = lines[index]
        down = bool(below[0]) and (not above[0] or votes >= 0)
        rows, last = below if down else above
        if not rows:
            continue
        caption = [line]
        stop = last if down else index + 4
        for following in lines[index + 1 : max(stop, index + 1)][:8]:
            if following.page != line.page or abs(following.size - line.size) > 1 or _heading(following, 99):
                break
            caption.append(following)
        built = build(_join(caption), _grid(rows), line.page)
        if built:
            found.append(built)
    return tuple(found)


def _is_caption(line: Line) -> bool:
    match = CAPTION.match(line.text)
    if not match:
        return False
    after = re.match(r"^\W{0,4}\w+\.?\s*[\dIVXA-Z.]+?\s*([:.|—–-]|$|\s+[A-Z])", line.text)
    return bool(after)


def _rows(lines: Sequence[Line], caption: int, step: int) -> tuple[list[list[Cell]], int]:
    """Rows of cells beside a caption, going down or up, and the index of the first; none where what stands there is text."""
    rows: list[list[Cell]] = []
    places: list[int] = []
    page, skipped = lines[caption].page, 0
    index = caption + step
    while 0 <= index < len(lines) and lines[index].page == page and len(rows) < LONGEST_TABLE and not _is_caption(lines[index]):
        same = [lines[index]]
        while _beside(lines, index + step, same, page):
            index += step
            same.append(lines[index])
        cells = sorted((cell for line in same for cell in line.cells), key=lambda cell: cell.left)
        numbers = sum(amount(cell.text) is not None for cell in cells[1:])
        words = sum(len(cell.text.split()) for cell in cells)
        tabular = len(cells) >= 2 and (numbers >= 1 or words <= 3.2 * len(cells)) and words <= 60
        started = any(_numbers(row) for row in rows)
        skipped = 0 if tabular else skipped + 1
        if started and (skipped > 2 or (skipped and words > 9)):
            break
        if tabular or started:
            rows.append(cells)
            places.append(index)
        else:
            rows, places = [], []
            if skipped > (9 if step > 0 else 2):
                break
        index += step
    while rows and (not _numbers(rows[-1]) if step > 0 else len(rows[-1]) < 2):
        rows.pop()
        places.pop()
    if sum(_numbers(row) > 0 for row in rows) < 1:
        return [], caption
    return (rows, places[0]) if step > 0 else (rows[::-1], places[-1])


def _beside(lines: Sequence[Line], index: int, same: Sequence[Line], page: int) -> bool:
    """Does line `index` stand in the same row of the page?"""
    if not 0 <= index < len(lines) or lines[index].page != page:
        return False
    line = lines[index]
    level = abs(line.bottom - same[0].bottom) < 0.4 * max(line.size, same[0].size)
    return level and all(line.left > other.right or line.right < other.left for other in same)


def _numbers(row: Sequence[Cell]) -> int:
    return sum(amount(cell.text) is not None for cell in row[1:])


def _grid(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Rows of equal length: cells put into columns by their place, a cell above several columns into each."""
    counts = Counter(len(row) for row in rows if _numbers(row))
    width = max(counts, key=lambda count: (counts[count], count))
    model = [row for row in rows if len(row) == width and _numbers(row)]
    columns = [(min(row[i].left for row in model), max(row[i].right for row in model)) for i in range(width)]
    grid = []
    for row in rows:
        texts = [""] * width
        if len(row) == width:
            for position, cell in enumerate(row):
                texts[position] = _text(cell)
        else:
            for cell in row:
                for position in _columns_of(cell, columns, spread=not _numbers(row)):
                    texts[position] = f"{texts[position]} {_text(cell)}".strip()
        grid.append(texts)
    return grid


def _columns_of(cell: Cell, columns: Sequence[tuple[float, float]], spread: bool) -> list[int]:
    overlaps = [min(cell.right, right) - max(cell.left, left) for left, right in columns]
    if spread:
        covered = [i for i, (left, right) in enumerate(columns) if overlaps[i] > 0.5 * max(right - left, 1.0)]
        if len(covered) > 1:
            return covered
    best = max(range(len(columns)), key=lambda i: overlaps[i])
    return [best]


def _text(cell: Cell) -> str:
    text = cell.text.replace("\x02", "")
    return f"**{text}**" if cell.bold and amount(text) is not None else text


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def addresses(pages: Pages) -> tuple[Link, ...]:
    """Addresses in the text and in clickable places, each with its page and where on it."""
    size = body_size(pages.lines)
    introduction = next((line for line in pages.lines if line.page <= 2 and _is_introduction(line)), None)
    references = next((line for line in pages.lines if _REFERENCES.match(line.text.strip()) and line.page > 1), None)
    start = pages.lines.index(references) if references else len(pages.lines)
    ends = (introduction.page, pages.lines.index(introduction)) if introduction else (1, len(pages.lines))
    found: list[Link] = []
    for index, url in links.in_lines(line.text for line in pages.lines):
        line = pages.lines[index]
        where = _place(line, index, size, pages.heights, ends, start)
        found.append(Link(url=url, where=where, page=line.page, text=line.text.replace("\x02", "-")[:200]))
    for annotation in pages.annotations:
        on_page = [
            (abs(line.bottom - annotation.bottom), index)
            for index, line in enumerate(pages.lines)
            if line.page == annotation.page
        ]
        where = "annotation"
        if on_page:
            index = min(on_page)[1]
            place = _place(pages.lines[index], index, size, pages.heights, ends, start)
            where = place if place != "body" else "annotation"
        if not re.match(r"(mailto|tel|javascript):", annotation.url, re.IGNORECASE):
            found.append(Link(url=links.tidy(annotation.url), where=where, page=annotation.page, text=annotation.text))
    return links.unique(found)


def _is_introduction(line: Line) -> bool:
    return bool(re.match(r"^(?:[1I]\.?\s+)?introduction$", line.text.strip(), re.IGNORECASE))


def _place(line: Line, index: int, size: float, heights: Sequence[float], front: tuple[int, int], references: int) -> links.Where:
    height = heights[line.page - 1] if line.page <= len(heights) else 792.0
    small_below = line.bottom < 0.33 * height and line.size < 0.96 * size
    if small_below and (line.page == 1 or index < references):
        return "footnote"
    if line.page == 1 and index < front[1]:
        return "front"
    return "references" if index >= references else "body"
