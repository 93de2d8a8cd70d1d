"""Text, layout and links of a PDF's pages, as lines with their place and size. All of pdfium is in here."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, field
from pathlib import Path

from autosota.errors import UsageError

MOST_PAGES = 200
MOST_CHARACTERS = 20_000
"""Of one page."""
_LIGATURES = {
    "ﬀ": "ff",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "ﬃ": "ffi",
    "ﬄ": "ffl",
    "ﬅ": "st",
    "ﬆ": "st",
    "\u00a0": " ",
    "\u00ad": "",
    "\ufffe": "\x02",
}
_NUMERIC = re.compile(r"[-+−]?\d*\.?\d+%?")
_BOLD = ("bold", "cmbx", "-bd", "medi", "black", "heavy", "semibold")


@dataclass(frozen=True)
class Cell:
    """Characters of a line without a wide gap between them."""

    text: str
    left: float
    right: float
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """A line of text. Coordinates in points, from the page's lower left."""

    text: str
    """A hyphen at the line's end that pdfium takes for a break within a word is \\x02."""
    page: int
    left: float
    right: float
    bottom: float
    size: float
    """Height of its letters' box, to compare sizes with."""
    bold: bool
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Annotation:
    """A link that can be clicked."""

    url: str
    page: int
    bottom: float
    text: str


@dataclass
class Pages:
    """What a PDF holds."""

    lines: list[Line] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    count: int = 0
    title: str = ""
    """From the metadata, often wrong."""
    pictures: int = 0
    """Pages without text."""


def read(path: Path) -> Pages:
    """Every line and link of the first `MOST_PAGES` pages. Raises UsageError for a PDF that cannot be opened."""
    import pypdfium2
    import pypdfium2.raw as raw

    try:
        document = pypdfium2.PdfDocument(path)
        count = len(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise UsageError(
                f"{path}: the PDF is encrypted", "save a copy without a password, e.g. with `qpdf --decrypt`"
            ) from None
        raise UsageError(f"{path}: not a readable PDF: {error}", "give the paper as PDF, Markdown, LaTeX or HTML") from None
    try:
        pages = Pages(count=count, title=str(document.get_metadata_dict().get("Title", "")))
        for index in range(min(count, MOST_PAGES)):
            try:
                page = document[index]
            except pypdfium2.PdfiumError:
                pages.heights.append(792.0)
                continue
            pages.heights.append(page.get_height())
            text = page.get_textpage()
            lines = _rejoin(_without_margin_numbers(_lines(raw, text.raw, index + 1)))
            pages.pictures += not lines
            pages.lines += lines
            pages.annotations += _annotations(raw, document.raw, page.raw, text.raw, index + 1)
            text.close()
            page.close()
        return pages
    finally:
        document.close()


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Character:
    text: str
    left: float
    right: float
    bottom: float
    top: float
    index: int


def _lines(raw: object, text: object, page: int) -> list[Line]:
    """The page's lines in the order of its content; characters that are turned (stamps in the margin) are left out."""
    found: list[Line] = []
    run: list[_Character] = []
    for character in _characters(raw, text):
        if character.text in "\r\n":
            found += _line(raw, text, run, page)
            run = []
        else:
            run.append(character)
    return found + _line(raw, text, run, page)


def _without_margin_numbers(lines: list[Line]) -> list[Line]:
    """The lines without those that number the lines of a manuscript."""
    numbers = [line for line in lines if re.fullmatch(r"\d{1,4}", line.text)]
    if len(numbers) < 20 or len(numbers) < 0.25 * len(lines):
        return lines
    return [line for line in lines if not re.fullmatch(r"\d{1,4}", line.text)]


def _rejoin(lines: list[Line]) -> list[Line]:
    """Lines that a raised or lowered letter had cut into pieces, whole again."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is not None and _continues(last, line):
            gap = line.left - last.right
            between = " " if gap > 0.18 * last.size else ""
            merged = Cell(
                last.cells[-1].text + between + line.cells[0].text, last.cells[-1].left, line.cells[0].right, last.cells[-1].bold
            )
            cells = (*last.cells[:-1], merged, *line.cells[1:])
            size = last.size if len(last.text) >= len(line.text) else line.size
            bottom = last.bottom if len(last.text) >= len(line.text) else line.bottom
            joined[-1] = Line(
                last.text + between + line.text, line.page, last.left, line.right, bottom, size, last.bold and line.bold, cells
            )
        else:
            joined.append(line)
    return joined


def _continues(last: Line, line: Line) -> bool:
    gap = line.left - last.right
    largest = max(last.size, line.size)
    return -0.3 * largest < gap < 0.5 * largest and abs(line.bottom - last.bottom) < 0.6 * largest


def _characters(raw: object, text: object) -> list[_Character]:
    unicode, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox  # type: ignore[attr-defined]
    angle = raw.FPDFText_GetCharAngle  # type: ignore[attr-defined]
    box = raw.FS_RECTF()  # type: ignore[attr-defined]
    characters = []
    for index in range(min(raw.FPDFText_CountChars(text), MOST_CHARACTERS)):  # type: ignore[attr-defined]
        code = unicode(text, index)
        if code in (0, 0xFFFF) or 0xD800 <= code <= 0xDFFF:
            continue
        letter = chr(code)
        if letter in "\r\n":
            characters.append(_Character(letter, 0, 0, 0, 0, index))
            continue
        if not box_of(text, index, box):
            continue
        if letter.isalnum() and abs((angle(text, index) + 0.5) % 3.1416 - 0.5) > 0.3:
            continue
        characters.append(_Character(_LIGATURES.get(letter, letter), box.left, box.right, box.bottom, box.top, index))
    return characters


def _line(raw: object, text: object, run: list[_Character], page: int) -> list[Line]:
    inked = [character for character in run if not character.text.isspace() and character.right > character.left]
    if not inked:
        return []
    heights = sorted(character.top - character.bottom for character in inked)
    size = heights[len(heights) // 2]
    cells = _cells(raw, text, run, size)
    content = "".join(character.text for character in run).strip(" ")
    first = min(inked, key=lambda character: character.left)
    middle = inked[len(inked) // 2]
    bold = _is_bold(raw, text, first.index) and _is_bold(raw, text, middle.index)
    right = max(character.right for character in inked)
    return [Line(content, page, first.left, right, sorted(c.bottom for c in inked)[len(inked) // 2], size, bold, tuple(cells))]


def _cells(raw: object, text: object, run: list[_Character], size: float) -> list[Cell]:
    """The line cut where the gap is wider than a space can be."""
    groups: list[list[_Character]] = []
    previous: _Character | None = None
    for character in run:
        if character.text.isspace():
            if groups:
                groups[-1].append(character)
            continue
        gap = 0.0 if previous is None else character.left - previous.right
        numbers = gap > 0.2 * size and _NUMERIC.fullmatch(_token(groups[-1])) and character.text in "+-−.0123456789"
        if previous is None or gap > 0.62 * size or character.left < previous.left - size or numbers:
            groups.append([])
        groups[-1].append(character)
        previous = character
    cells = []
    for group in groups:
        letters = [character for character in group if not character.text.isspace()]
        content = "".join(character.text for character in group).strip()
        bold = any(letter.text.isalnum() for letter in letters) and _is_bold(raw, text, letters[0].index)
        cells.append(Cell(content, letters[0].left, max(letter.right for letter in letters), bold))
    return cells


def _token(group: list[_Character]) -> str:
    """The last word of a group."""
    words = "".join(character.text for character in group[-24:]).split()
    return words[-1] if words else ""


def _is_bold(raw: object, text: object, index: int) -> bool:
    if raw.FPDFText_GetFontWeight(text, index) >= 600:  # type: ignore[attr-defined]
        return True
    buffer = ctypes.create_string_buffer(96)
    flags = ctypes.c_int()
    length = raw.FPDFText_GetFontInfo(text, index, buffer, 96, flags)  # type: ignore[attr-defined]
    name = buffer.raw[: max(0, min(length, 96) - 1)].decode("latin-1").lower()
    return any(mark in name for mark in _BOLD)


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _annotations(raw: object, document: object, page: object, text: object, number: int) -> list[Annotation]:
    found: list[Annotation] = []
    position, link = ctypes.c_int(0), raw.FPDF_LINK()  # type: ignore[attr-defined]
    while len(found) < 1000 and raw.FPDFLink_Enumerate(page, position, link):  # type: ignore[attr-defined]
        action = raw.FPDFLink_GetAction(link)  # type: ignore[attr-defined]
        if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:  # type: ignore[attr-defined]
            continue
        length = raw.FPDFAction_GetURIPath(document, action, None, 0)  # type: ignore[attr-defined]
        buffer = ctypes.create_string_buffer(max(1, min(length, 4096)))
        raw.FPDFAction_GetURIPath(document, action, buffer, len(buffer))  # type: ignore[attr-defined]
        url = buffer.value.decode("utf-8", errors="replace").strip()
        box = raw.FS_RECTF()  # type: ignore[attr-defined]
        if not url or not raw.FPDFLink_GetAnnotRect(link, box):  # type: ignore[attr-defined]
            continue
        found.append(Annotation(url, number, min(box.bottom, box.top), _within(raw, text, box)))
    return found


def _within(raw: object, text: object, box: object) -> str:
    """The words a link lies on."""
    edges = (box.left, max(box.top, box.bottom), box.right, min(box.top, box.bottom))  # type: ignore[attr-defined]
    count = raw.FPDFText_GetBoundedText(text, *edges, None, 0)  # type: ignore[attr-defined]
    count = max(0, min(count, 300))
    if not count:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    raw.FPDFText_GetBoundedText(text, *edges, buffer, count)  # type: ignore[attr-defined]
    return " ".join("".join(chr(code) for code in buffer[:count] if code and not 0xD800 <= code <= 0xDFFF).split())
