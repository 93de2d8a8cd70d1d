"""Source text as bytes with exact offsets: decoding in any encoding, replacing spans, encoding back."""

from __future__ import annotations

import codecs
import io
import tokenize
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A file's content as UTF-8 without byte order mark, and what is needed to write it back."""

    data: bytes
    encoding: str
    mark: bytes = b""

    def replaced(self, edits: list[tuple[int, int, str]]) -> bytes:
        """The file's bytes with each (start, end, text) span replaced. Raises UnicodeError if the encoding lacks a character."""
        data = self.data
        for start, end, text in sorted(edits, reverse=True):
            data = data[:start] + text.encode() + data[end:]
        return self.mark + (data if self.encoding == "utf-8" else data.decode().encode(self.encoding))


def decode(content: bytes, *, python: bool = False) -> Text | None:
    """None where the bytes are not text. Python files may name their encoding; others are UTF-8, else Latin-1."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    body = content[len(mark) :]
    if b"\0" in body[:8192]:
        return None
    encoding = "utf-8"
    if python and not mark:
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(content[:4096]).readline)[0]
        except (SyntaxError, UnicodeDecodeError):
            encoding = "utf-8"
    try:
        text = body.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        encoding, text = "latin-1", body.decode("latin-1")
    if encoding in ("utf-8", "utf-8-sig", "ascii", "us-ascii"):
        return Text(body, "utf-8", mark)
    data = text.encode("utf-8", "surrogatepass")
    return Text(data, encoding, mark) if data.decode("utf-8", "replace") == text else None


class Lines:
    """Turns (line, column) positions into byte offsets. Lines end at \\n, \\r\\n or \\r."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts = [0]
        for line in data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        """Offset of a position as `ast` gives it: lines from 1, columns in UTF-8 bytes from 0."""
        return self._starts[line - 1] + column

    def character_offset(self, line: int, column: int) -> int:
        """The same for a column in characters, as YAML marks give it; lines from 0."""
        start = self._starts[line]
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self._data)
        return start + len(self._data[start:end].decode("utf-8", "replace")[:column].encode())

    def line(self, offset: int) -> int:
        """Line number from 1 of an offset."""
        return bisect_right(self._starts, offset)
