"""A PDF of a few lines of code: text at places in two fonts, clickable links, passwords."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


@dataclass
class Page:
    """Text at (x, y) in points from the lower left, and links over rectangles."""

    texts: list[tuple[float, float, str, float, bool]] = field(default_factory=list)
    links: list[tuple[tuple[float, float, float, float], str]] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, size: float = 10, bold: bool = False) -> Page:
        self.texts.append((x, y, words, size, bold))
        return self

    def lines(self, x: float, y: float, words: str, size: float = 10, leading: float = 12) -> Page:
        for number, line in enumerate(words.splitlines()):
            self.text(x, y - number * leading, line, size)
        return self

    def row(self, y: float, cells: list[tuple[float, str]], size: float = 9, bold: bool = False) -> Page:
        for x, words in cells:
            self.text(x, y, words.strip("*"), size, bold or words.startswith("*"))
        return self

    def link(self, x: float, y: float, width: float, url: str) -> Page:
        self.links.append(((x, y - 2, x + width, y + 9), url))
        return self


def write(pages: list[Page], title: str = "", password: str | None = None) -> bytes:
    """The PDF's bytes; with a password it cannot be opened without."""
    encoding = b"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding >>"
    objects: list[bytes] = [b"", b""]
    for font in (b"Helvetica", b"Helvetica-Bold"):
        objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /" + font + b" /Encoding " + encoding + b" >>")
    kids = []
    for page in pages:
        content = b"\n".join(
            b"BT /F%d %.1f Tf %.1f %.1f Td (%s) Tj ET" % (2 if bold else 1, size, x, y, _escape(words))
            for x, y, words, size, bold in page.texts
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        stream = len(objects)
        for box, url in page.links:
            rectangle = b" ".join(b"%.1f" % edge for edge in box)
            action = b"<< /S /URI /URI (%s) >>" % _escape(url)
            objects.append(b"<< /Type /Annot /Subtype /Link /Rect [%s] /Border [0 0 0] /A %s >>" % (rectangle, action))
        notes = b" ".join(b"%d 0 R" % (stream + 1 + number) for number in range(len(page.links)))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Annots [%s] "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (stream, notes)
        )
        kids.append(len(objects))
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    objects.append(b"<< /Title (%s) >>" % _escape(title))
    information = len(objects)
    trailer = b"/Root 1 0 R /Info %d 0 R" % information
    if password is not None:
        identity = bytes(range(16))
        objects.append(_security(password, identity))
        trailer += b" /Encrypt %d 0 R /ID [<%s> <%s>]" % (len(objects), identity.hex().encode(), identity.hex().encode())
    return _assemble(objects, trailer)


def _assemble(objects: list[bytes], trailer: bytes) -> bytes:
    document, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(document)
    document += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    document += b"".join(b"%010d 00000 n \n" % place for place in places)
    return document + b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)


def _escape(words: str) -> bytes:
    encoded = words.encode("cp1252", errors="replace")
    return encoded.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _security(password: str, identity: bytes) -> bytes:
    """The dictionary of the standard handler, revision 2; only the password check has to hold here."""
    padded = (password.encode() + _PADDING)[:32]
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + (0xFFFFFFFC).to_bytes(4, "little") + identity).digest()[:5]
    user = _rc4(key, _PADDING)
    return b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (owner.hex().encode(), user.hex().encode())


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
