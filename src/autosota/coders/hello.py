"""The first message of a TLS connection (RFC 8446, section 4.1.2): which server does the client want?"""

from __future__ import annotations

from collections.abc import Callable

_MOST = 1 << 16
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0


def read(receive: Callable[[int], bytes]) -> bytes:
    """Everything up to the end of the first message, in one record or several; less where it is no TLS or ends early.

    `receive(n)` gives n bytes, or fewer at the end. Raises OSError where nothing comes.
    """
    sent, message = b"", b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        head = receive(5)
        sent += head
        size = int.from_bytes(head[3:5], "big")
        if len(head) < 5 or head[0] != _HANDSHAKE or not size or len(sent) + size > _MOST:
            break
        part = receive(size)
        sent, message = sent + part, message + part
        if len(part) < size or message[0] != _CLIENT_HELLO:
            break
    return sent


def name(sent: bytes) -> str:
    """The server's name, in lower case; empty where there is none, or more than one, or the message is not whole."""
    message = b""
    while len(sent) >= 5 and sent[0] == _HANDSHAKE:
        size = 5 + int.from_bytes(sent[3:5], "big")
        message, sent = message + sent[5:size], sent[size:]
    try:
        found = _names(message)
    except IndexError:
        return ""
    return found[0].decode("ascii", "replace").lower() if len(found) == 1 else ""


def _names(message: bytes) -> list[bytes]:
    """All names of the extension. Raises IndexError where the message is not whole."""
    rest = message[4:]
    if not message or message[0] != _CLIENT_HELLO or len(rest) != int.from_bytes(message[1:4], "big"):
        raise IndexError
    rest = rest[2 + 32 :]
    for width in (1, 2, 1):  # session, ciphers, compression
        _, rest = _take(rest, width)
    extensions, _ = _take(rest, 2)
    found = []
    while extensions:
        kind = int.from_bytes(extensions[:2], "big")
        body, extensions = _take(extensions[2:], 2)
        if kind == _SERVER_NAME:
            names, _ = _take(body, 2)
            while names:
                value, names = _take(names[1:], 2)
                found.append(value)
    return found


def _take(text: bytes, width: int) -> tuple[bytes, bytes]:
    """A value behind its length of `width` bytes, and the rest. Raises IndexError where there is less."""
    size = width + int.from_bytes(text[:width], "big")
    if len(text) < size:
        raise IndexError
    return text[width:size], text[size:]
