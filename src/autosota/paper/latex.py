"""Papers as LaTeX source: title, abstract, sections, tabulars, addresses."""

from __future__ import annotations

import re
from pathlib import Path

from autosota.paper import links
from autosota.paper.tables import build
from autosota.records import Link, Paper, Section, Table

_SECTION = re.compile(r"\\(section|subsection|subsubsection)\*?\s*(?:\[[^\]]*\])?\s*(?=\{)")
_LEVELS = {"section": 1, "subsection": 2, "subsubsection": 3}
_BODY = re.compile(r"\\begin\{(tabular[xy*]?|tabu|longtable)\}")
_SYMBOLS = {r"\pm": "±", r"\uparrow": "↑", r"\downarrow": "↓", r"\%": "%", r"\&": "\x03", r"\_": "_", r"\#": "#", r"\$": "",
            r"\times": "×", r"~": " ", r"\,": " ", r"\ ": " ", r"\textpm": "±", r"\cmark": "✓", r"\checkmark": "✓"}  # fmt: skip
_SYMBOL = re.compile("|".join(re.escape(name) + (r"(?![a-zA-Z])" if name[-1].isalpha() else "") for name in _SYMBOLS))
MOST_FILES = 50


def read(text: str, *, source: str, digest: str, folder: Path) -> Paper:
    """The paper that a LaTeX file is, with the files it includes from its own folder."""
    text = _include(_strip_comments(text), folder, [0])
    abstract = re.search(r"\\begin\{abstract\}(.*?)\\end\{abstract\}", text, re.DOTALL)
    title = re.search(r"\\(?:icml|aistats)?title\s*(?:\[[^\]]*\])?\s*(?=\{)", text)
    found = abstract[1] if abstract else ""
    return Paper(
        source=source,
        digest=digest,
        title=plain(_group(text, title.end()))[:300] if title else Path(source).stem,
        abstract=plain(found)[:6000],
        sections=_sections(text),
        tables=_tables(text),
        links=_addresses(text),
        notes=() if found else ("no abstract found",),
    )


def _strip_comments(text: str) -> str:
    return re.sub(r"(?<!\\)%[^\n]*", "", text.replace("\r\n", "\n"))


def _include(text: str, folder: Path, read_so_far: list[int]) -> str:
    """The text with \\input and \\include replaced by the files' content; only files below `folder`, at most `MOST_FILES`."""
    root = folder.resolve()

    def content(match: re.Match[str]) -> str:
        name = match[1].strip()
        path = (root / (name if name.endswith(".tex") else name + ".tex")).resolve()
        if read_so_far[0] >= MOST_FILES or not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > 4 * 2**20:
            return ""
        read_so_far[0] += 1
        return _include(_strip_comments(path.read_text(encoding="utf-8", errors="replace")), root, read_so_far)

    return re.sub(r"\\(?:input|include|subfile)\{([^{}]+)\}", content, text)


def _group(text: str, start: int) -> str:
    """What stands in the braces that open at `start`."""
    depth = 0
    for index in range(start, min(len(text), start + 20_000)):
        if text[index] == "{" and (index == 0 or text[index - 1] != "\\"):
            depth += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            depth -= 1
            if depth == 0:
                return text[start + 1 : index]
    return ""


def plain(text: str) -> str:
    """Words without commands; bold kept as **…**."""
    text = re.sub(
        r"\\(?:label|cite[a-z]*|ref|eqref|vspace|hspace|footnotemark|thanks|inst)\*?(?:\[[^\]]*\])*\{[^{}]*\}", "", text
    )
    text = re.sub(r"\\(?:textbf|mathbf|bm|boldsymbol|bf)\s*\{([^{}]*)\}", r"**\1**", text)
    text = re.sub(r"\{\\(?:bf|bfseries)\s+([^{}]*)\}", r"**\1**", text)
    text = re.sub(r"\\href\s*\{[^{}]*\}\s*\{([^{}]*)\}", r"\1", text)
    text = _SYMBOL.sub(lambda match: _SYMBOLS[match[0]], text)
    for _ in range(4):
        text = re.sub(r"\\[a-zA-Z]+\*?(?:\[[^\]]*\])?\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\\[a-zA-Z]+\*?|\\\\(?:\[[^\]]*\])?|[{}$]", " ", text)
    return " ".join(text.replace("\x03", "&").replace("** **", " ").split())


def _sections(text: str) -> tuple[Section, ...]:
    matches = list(_SECTION.finditer(text))
    found = []
    for number, match in enumerate(matches):
        following = matches[number + 1] if number + 1 < len(matches) else None
        name = _group(text, match.end())
        body = text[match.end() + len(name) + 2 : following.start() if following else len(text)]
        body = re.sub(r"\\begin\{(table\*?|figure\*?|thebibliography)\}.*?\\end\{\1\}", "", body, flags=re.DOTALL)
        found.append(Section(title=plain(name), text=plain(body), level=_LEVELS[match[1]]))
    return tuple(found)


def _tables(text: str) -> tuple[Table, ...]:
    found = []
    for match in _BODY.finditer(text):
        end = text.find(f"\\end{{{match[1]}}}", match.end())
        if end < 0:
            continue
        rows = _rows(text[match.end() : end])
        opened = text.rfind(r"\begin{table", 0, match.start())
        closed = text.find(r"\end{table", end)
        around = (
            text[opened:closed]
            if opened >= 0 and text.find(r"\end{table", opened, match.start()) < 0
            else text[match.start() : end]
        )
        caption = re.search(r"\\caption\s*(?:\[[^\]]*\])?\s*(?=\{)", around)
        built = build(plain(_group(around, caption.end())) if caption else "", rows)
        found += [built] if built else []
    return tuple(found)


def _rows(body: str) -> list[list[str]]:
    """Cells of a tabular's body, spans filled."""
    body = re.sub(r"^(?:\[[^\]]*\])?(?:\{[^{}]*\})?\s*\{(?:[^{}]|\{[^{}]*\})*\}", "", body.lstrip(), count=1)
    body = re.sub(
        r"\\(?:hline|toprule|midrule|bottomrule|cmidrule|cline|addlinespace|specialrule)(?:\([^)]*\))?(?:\[[^\]]*\])?(?:\{[^{}]*\})*",
        " ",
        body,
    )
    rows: list[list[str]] = []
    reaching: dict[int, tuple[int, str]] = {}
    for line in re.split(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline", body.replace(r"\&", "\x03")):
        row: list[str] = []
        for cell in line.split("&"):
            span, cell = _span(cell, "multicolumn")
            down, cell = _span(cell, "multirow")
            words = plain(cell)
            if not words and reaching.get(len(row), (0, ""))[0] > 0:
                left, words = reaching[len(row)]
                reaching[len(row)] = (left - 1, words)
            elif down > 1:
                reaching[len(row)] = (down - 1, words)
            row += [words] * span
        if any(row):
            rows.append(row)
    return rows[:500]


def _span(cell: str, command: str) -> tuple[int, str]:
    match = re.match(
        rf"\s*\\{command}\s*(?:\[[^\]]*\])?\{{\s*(\d+)\s*\}}(?:\[[^\]]*\])?\s*\{{[^{{}}]*\}}\s*(?:\[[^\]]*\])?\s*(?=\{{)", cell
    )
    if not match:
        return 1, cell
    return min(int(match[1]), 50), _group(cell, match.end())


def _addresses(text: str) -> tuple[Link, ...]:
    begun = text.find(r"\begin{document}")
    first = _SECTION.search(text)
    front = first.start() if first else max(begun, 0)
    cited = text.find(r"\begin{thebibliography}")
    notes = [(match.end(), match.end() + len(_group(text, match.end()))) for match in re.finditer(r"\\footnote\s*(?=\{)", text)]
    found = []
    for match in re.finditer(r"\\(?:url|href|nolinkurl)\s*\{([^{}\s]+)\}(?:\s*\{([^{}]*)\})?|(?:https?|file)://[^\s{}\\]+", text):
        url = (match[1] or match[0]).replace(r"\_", "_").replace(r"\%", "%").replace(r"\#", "#").replace(r"\~{}", "~")
        in_note = any(start <= match.start() <= stop for start, stop in notes)
        where: links.Where = "footnote" if in_note else "front" if match.start() < front else "body"
        if 0 <= cited < match.start():
            where = "references"
        found.append(Link(url=links.tidy(url), where=where, text=plain(match[2] or "")[:200]))
    return links.unique(found)
