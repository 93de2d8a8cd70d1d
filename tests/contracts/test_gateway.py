"""The way out of an agent's sandbox: no key comes back through it, and a tunnel leads where it says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autosota.coders import gateway, hello
from autosota.coders.gateway import PLACEHOLDER, Mask, Upstream

KEY = "sk-a-real-key-0123456789"


class Mirror(BaseHTTPRequestHandler):
    """Sends all headers back, as headers and as a body."""

    def log_message(self, format: str, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        body = str(self.headers).encode()
        self.send_response(200)
        for name, value in self.headers.items():
            self.send_header(f"Back-{name}", value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_OPTIONS = do_GET


@pytest.fixture
def mirror() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def linked(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as link, gateway.short(folder) as name:
        link.settimeout(20)
        link.connect(f"{name}/gateway")
        yield link


def ask(folder: Path, request: str) -> str:
    with linked(folder) as link:
        link.sendall(request.encode())
        link.shutdown(socket.SHUT_WR)
        return link.makefile("rb").read().decode()


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "X-Goog-Api-Key", "api-key", "Access-Control-Request-Headers"])
def test_a_key_does_not_come_back(header: str, mirror: str, tmp_path: Path) -> None:
    request = f"GET /openai/x HTTP/1.1\r\nAccept-Encoding: gzip\r\n{header}: Bearer {PLACEHOLDER}\r\nConnection: close\r\n\r\n"
    with gateway.serving(tmp_path, {"openai": Upstream(mirror, KEY)}):
        answer = ask(tmp_path, request)
        assert ask(tmp_path, request.replace("GET", "OPTIONS")).split()[1] == "403"
    sent = PLACEHOLDER if header.startswith("Access") else "*" * len(KEY)
    assert answer.count(f"{header}: Bearer {sent}") == 2, answer
    assert KEY not in answer
    assert "gzip" not in answer


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_key_is_masked_across_pieces(size: int) -> None:
    text = f"sk-a-real {KEY} sk-{KEY}{KEY} sk-a".encode()
    mask = Mask(KEY)
    passed = b"".join(mask.feed(text[start : start + size]) for start in range(0, len(text), size)) + mask.rest
    assert passed == text.replace(KEY.encode(), b"*" * len(KEY))
    assert Mask("none").feed(b"none") == b"none"


def first_message(name: str | None) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_the_name_is_read_from_whole_messages_only() -> None:
    sent = first_message("Api.Example.org")
    assert hello.name(sent) == "api.example.org"
    body = sent[5:]
    halves = [sent[:3] + len(part).to_bytes(2, "big") + part for part in (body[:40], body[40:])]
    assert hello.name(b"".join(halves)) == "api.example.org"
    assert hello.name(first_message(None)) == ""
    assert {hello.name(sent[:end]) for end in range(len(sent))} == {""}


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (first_message("localhost"), True),
        (first_message("elsewhere.example"), False),
        (first_message(None), False),
        (b"GET / HTTP/1.1\r\n\r\n", False),
    ],
)
def test_a_tunnel_leads_where_it_says(sent: bytes, passed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        monkeypatch.setattr(gateway, "TLS_PORT", port)
        with gateway.serving(tmp_path, {}, frozenset(("localhost",))) as gate, linked(tmp_path) as link:
            link.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode() + sent + b"more")
            link.shutdown(socket.SHUT_WR)
            with server.accept()[0] as other:
                other.settimeout(20)
                got = b""
                while piece := other.recv(1 << 16):
                    got += piece
        assert got == (sent + b"more" if passed else b"")
        assert bool(gate.refused) is not passed
