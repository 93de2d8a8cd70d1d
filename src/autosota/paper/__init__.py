"""Papers: PDF, Markdown, LaTeX or HTML, from a file, an address or an arXiv id (paper section 3.2).

Cells of tables keep bold as `**…**`, because bold marks the best or the paper's own value.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from autosota.errors import UsageError
from autosota.records import Paper

LARGEST = 256 * 2**20
_KINDS = {".pdf": "pdf", ".tex": "latex", ".ltx": "latex", ".html": "html", ".htm": "html", ".xhtml": "html"}
_ARXIV = re.compile(r"(?:arxiv:\s*)?(\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7}(?:v\d+)?)", re.IGNORECASE)
_FORMS = "give the paper as PDF, Markdown, LaTeX or HTML"


def read(source: str, *, cache: Path) -> Paper:
    """The paper at a path, an address or an arXiv id; downloads are kept in `cache`. Raises UsageError for what is none."""
    local = source.removeprefix("file://") if source.startswith("file://") else source
    path = Path(local).expanduser()
    arxiv = _ARXIV.fullmatch(source.strip())
    if re.match(r"https?://", source) or (arxiv and not path.exists()):
        from autosota.paper import download

        path = download.fetch(f"https://arxiv.org/pdf/{arxiv[1]}" if arxiv else download.direct(source), cache)
    content = _content(path, source)
    kind = _kind(path, content, source)
    digest = hashlib.sha256(content).hexdigest()
    if kind == "pdf":
        return _from_pdf(path, source, digest)
    text = content.decode("utf-8-sig", errors="replace")
    if kind == "latex":
        from autosota.paper import latex

        return latex.read(text, source=source, digest=digest, folder=path.parent)
    if kind == "html":
        from autosota.paper import html

        return html.read(text, source=source, digest=digest)
    from autosota.paper import markdown

    return markdown.read(text, source=source, digest=digest)


def _content(path: Path, source: str) -> bytes:
    try:
        if path.is_dir():
            raise UsageError(f"{source} is a folder, not a paper", "give the paper's file; a repository is the second argument")
        if not path.is_file():
            raise UsageError(f"no paper at {source}", "check the path; an arXiv id looks like 2301.01234")
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{source} has {path.stat().st_size // 2**20} MB, too large for a paper", _FORMS)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}", _FORMS) from None
    if not content.strip():
        raise UsageError(f"{source} is empty", _FORMS)
    return content


def _kind(path: Path, content: bytes, source: str) -> str:
    head = content[:2048]
    if b"%PDF-" in head:
        return "pdf"
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        raise UsageError(f"{source} is named .pdf but is no PDF", _FORMS)
    if b"\x00" in content[:65536]:
        raise UsageError(f"{source} is a binary file, not a paper", _FORMS)
    if suffix in _KINDS:
        return _KINDS[suffix]
    if re.search(rb"\\documentclass|\\begin\{document\}", content[:20_000]):
        return "latex"
    return "html" if re.match(rb"\s*(?:<!doctype html|<html)", head, re.IGNORECASE) else "markdown"


def _from_pdf(path: Path, source: str, digest: str) -> Paper:
    from autosota.paper import layout, pdf

    pages = pdf.read(path)
    letters = sum(len(line.text) for line in pages.lines)
    looked_at = min(pages.count, pdf.MOST_PAGES)
    if letters < 40 * max(1, min(looked_at, 5)) and letters < 200:
        raise UsageError(
            f"{source}: a scan: {pages.count} pages without text that can be read",
            "run OCR on it first, e.g. `ocrmypdf in.pdf out.pdf`, or give LaTeX or Markdown",
        )
    notes = []
    if pages.count > looked_at:
        notes.append(f"only the first {looked_at} of {pages.count} pages were read")
    if pages.pictures:
        notes.append(f"{pages.pictures} of {looked_at} pages hold no text (pictures or scans)")
    abstract, sections = layout.sections(pages)
    tables = layout.tables(pages)
    notes += [] if abstract else ["no abstract found"]
    return Paper(
        source=source,
        digest=digest,
        title=layout.title(pages) or path.stem,
        abstract=abstract,
        sections=sections,
        tables=tables,
        links=layout.addresses(pages),
        pages=pages.count,
        notes=tuple(notes),
    )
