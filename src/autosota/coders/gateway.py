"""The only way out of an agent's sandbox: to the providers it is configured for, with keys that it never sees.

Requests to `/<provider>/…` go to that provider's address; in the headers that keys are sent in the real key takes the
placeholder's place, and it is masked wherever an answer holds it. Hosts that an agent must reach by itself (a login of its own)
are passed through by name, port 443 only, as TLS for that same name. All else is refused.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autosota.coders import hello

PLACEHOLDER = "key-kept-outside-the-sandbox"
MOST_REQUESTS = 600
"""Of one session: what a command that finds the gateway could spend is bounded, too."""
TLS_PORT = 443
_AT_ONCE = 64
"""Connections; more are closed at once."""
_BODY = 64 * 2**20
_SECONDS = 600.0
_HOP = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "host",
                  "content-length", "proxy-authorization"))  # fmt: skip
_KEYED = frozenset(("authorization", "x-api-key", "x-goog-api-key", "api-key"))
"""Headers that keys are sent in. A server may send others back, such as what a browser asks before a request."""
_LEAST_KEY = 8
"""Characters; shorter ones are words of their own ("none")."""
_HELLO_SECONDS = 30.0


@dataclass(frozen=True)
class Upstream:
    """A provider."""

    url: str
    key: str = ""


class Gateway(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves one sandbox through the socket `gateway` in a folder."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, folder: Path, upstreams: Mapping[str, Upstream], hosts: frozenset[str]) -> None:
        self.upstreams, self.hosts = dict(upstreams), hosts
        self.refused: list[str] = []
        """What was asked for and not allowed."""
        self._left = MOST_REQUESTS
        self._counting = threading.Lock()
        self._open = threading.BoundedSemaphore(_AT_ONCE)
        with short(folder) as name:
            super().__init__(f"{name}/gateway", _Handler)
        (folder / "gateway").chmod(0o666)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, as long as there are not too many."""
        if self._open.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See the library."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A request that is none ends its connection, without a word on our side."""

    def refuse(self, what: str) -> None:
        """Note what was not allowed."""
        self.refused.append(what[:200])
        del self.refused[20:]

    def take(self) -> bool:
        """May one more request be made?"""
        with self._counting:
            self._left -= 1
            return self._left >= 0


@contextlib.contextmanager
def short(folder: Path) -> Iterator[str]:
    """A name of a folder that is short enough for the address of a socket in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def serving(folder: Path, upstreams: Mapping[str, Upstream], hosts: frozenset[str] = frozenset()) -> Iterator[Gateway]:
    """A gateway at work until the context ends."""
    gateway = Gateway(folder, upstreams, hosts)
    thread = threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        gateway.shutdown()
        gateway.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    server: Gateway

    def address_string(self) -> str:
        return "sandbox"

    def log_message(self, format: str, *arguments: Any) -> None:
        return

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def _forward(self) -> None:
        name, _, rest = self.path.removeprefix("/").partition("/")
        upstream = self.server.upstreams.get(name)
        body = self._body()
        if upstream is None or body is None or ".." in rest.partition("?")[0] or not self.server.take():
            self._refuse(self.path)
            return
        place = urlsplit(upstream.url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        link = kind(place.hostname or "", place.port, timeout=_SECONDS)
        try:
            headers = {
                key: value.replace(PLACEHOLDER, upstream.key) if key.lower() in _KEYED else value
                for key, value in self.headers.items()
                if key.lower() not in _HOP and key.lower() != "accept-encoding"
            }
            link.request(self.command, f"{place.path.rstrip('/')}/{rest}", body or None, headers)
            self._answer(link.getresponse(), Mask(upstream.key))
        except (OSError, http.client.HTTPException) as error:
            self._say(502, f"the provider cannot be reached: {type(error).__name__}")
        finally:
            link.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _forward

    def do_OPTIONS(self) -> None:
        """No agent asks this; what answers it tells back what it was sent."""
        self._refuse(self.path)

    def _answer(self, response: http.client.HTTPResponse, mask: Mask) -> None:
        self.send_response_only(response.status, mask.text(response.reason))
        for key, value in response.getheaders():
            if key.lower() not in _HOP:
                self.send_header(mask.text(key), mask.text(value))
        length = response.getheader("Content-Length")
        self.send_header(*(("Content-Length", length) if length else ("Connection", "close")))
        self.close_connection = not length
        self.end_headers()
        while piece := response.read1(1 << 16):
            self.wfile.write(mask.feed(piece))
            self.wfile.flush()
        self.wfile.write(mask.rest)

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            body = b""
            while size := int(self.rfile.readline(64).split(b";")[0].strip() or b"0", 16):
                if size < 0 or len(body) + size > _BODY:
                    return None
                body += self.rfile.read(size)
                self.rfile.readline(8)
            self.rfile.readline(8)
            return body
        length = self.headers.get("Content-Length", "0")
        return self.rfile.read(int(length)) if length.isdigit() and int(length) <= _BODY else None

    def do_CONNECT(self) -> None:
        """A host that is passed through, by name."""
        host, _, port = self.path.rpartition(":")
        if host not in self.server.hosts or port != str(TLS_PORT) or not self.server.take():
            self._refuse(self.path)
            return
        try:
            other = socket.create_connection((host, TLS_PORT), timeout=30)
        except OSError as error:
            self._say(502, f"{host} cannot be reached: {error}")
            return
        with other:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            self.connection.settimeout(_HELLO_SECONDS)
            sent = hello.read(self.rfile.read)
            if hello.name(sent) != host.lower():
                self.server.refuse(f"{self.path}: TLS for {hello.name(sent) or 'no name'}")
                return
            self.connection.setblocking(False)
            sent += self.rfile.peek(1)  # type: ignore[attr-defined]
            self.connection.settimeout(_SECONDS)
            other.settimeout(_SECONDS)
            other.sendall(sent)
            _pass_on(self.connection, other)

    def _refuse(self, what: str) -> None:
        self.server.refuse(what)
        self._say(403, "not a provider of this coder")

    def _say(self, code: int, words: str) -> None:
        text = words.encode()
        self.close_connection = True
        self.send_response_only(code)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)


class Mask:
    """Covers a key in what a provider answers, as it streams, and changes no length."""

    def __init__(self, key: str) -> None:
        self._key = key if len(key) >= _LEAST_KEY else ""
        self.rest = b""
        """The end of what was fed, which may be the beginning of a key."""

    def text(self, text: str) -> str:
        """For headers."""
        return text.replace(self._key, "*" * len(self._key)) if self._key else text

    def feed(self, piece: bytes) -> bytes:
        """What can be passed on by now."""
        key = self._key.encode()
        if not key:
            return piece
        found = (self.rest + piece).replace(key, b"*" * len(key))
        held = next((size for size in range(min(len(key) - 1, len(found)), 0, -1) if found.endswith(key[:size])), 0)
        self.rest = found[len(found) - held :]
        return found[: len(found) - held]


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, other], [], [], _SECONDS)
        if not ready:
            return
        for source in ready:
            piece = source.recv(1 << 16)
            if not piece:
                return
            (other if source is one else one).sendall(piece)
