"""A model endpoint on loopback that speaks three providers' protocols and misbehaves as it is told.

`behaviors` is what the next requests meet, in order; afterwards every request is answered by `reply`. Requests are kept in
`seen`, so that a test can look at what was sent. No reply is ever made up by chance: a share of bad replies is a fixed pattern.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = str | dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def words(self) -> str:
        """All text of the prompt."""
        return json.dumps(self.body, ensure_ascii=False)


@dataclass
class ModelServer:
    """The endpoint. `reply`: text, an object, or a function of the request."""

    reply: Reply | Callable[[Seen], Reply] = "{}"
    behaviors: list[str] = field(default_factory=list)
    """"429", "429:SECONDS" (Retry-After), "500", "503", "401", "404", "400", "slow:SECONDS", "cut" (mid-body), "hangup",
    "not-json", "no-choices", "endless", "length" (truncated), "refuse", "tool" (an unknown tool's call), "redirect:URL",
    "say:TEXT"."""
    forms: Sequence[str] = ("json_schema", "json_object")
    """Which `response_format`s are taken; others are refused with status 400."""
    most_tokens: int = 10**9
    """The longest reply that may be asked for; requests for more are refused with status 400."""
    limit_field: str = ""
    """The one field that may say so, where a server knows only one."""
    models: Sequence[str] = ("small",)
    key: str | None = None
    """The key that is asked for."""
    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0
    most_busy: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def next_behavior(self) -> str:
        """What this request meets."""
        with self.lock:
            return self.behaviors.pop(0) if self.behaviors else ""

    def text(self, request: Seen) -> str:
        """What it says."""
        said = self.reply(request) if callable(self.reply) else self.reply
        return said if isinstance(said, str) else json.dumps(said)

    @property
    def asked(self) -> list[Seen]:
        """Requests for a reply, without those for the list of models."""
        return [request for request in self.seen if request.body]


@contextmanager
def serving(server: ModelServer | None = None) -> Iterator[ModelServer]:
    """The endpoint at `server.url` until the context ends."""
    own = server or ModelServer()

    class Handler(_Handler):
        model = own

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    own.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield own
    finally:
        own.stop.set()
        http.shutdown()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._keep({})
        if self._locked():
            return
        if "/models/" in self.path:
            name = self.path.rpartition("/")[2]
            self._send(200 if name in self.model.models else 404, {"id": name})
        else:
            self._send(200, {"object": "list", "data": [{"id": name, "owned_by": "test"} for name in self.model.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        request = self._keep(body)
        with self.model.lock:
            self.model.busy += 1
            self.model.most_busy = max(self.model.most_busy, self.model.busy)
        try:
            if not self._locked():
                self._meet(self.model.next_behavior(), request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.model.lock:
                self.model.busy -= 1

    def _meet(self, behavior: str, request: Seen) -> None:
        kind, _, rest = behavior.partition(":")
        form = str(request.body.get("response_format", {}).get("type", ""))
        if form and form not in self.model.forms:
            self._send(400, {"error": {"message": f"response_format {form} is not supported", "type": "invalid_request_error"}})
        elif self.model.limit_field and not request.body.get(self.model.limit_field):
            told = (
                f"Unsupported parameter: 'max_tokens' is not supported with this model. Use '{self.model.limit_field}' instead."
            )
            self._send(400, {"error": {"message": told, "type": "invalid_request_error"}})
        elif max(request.body.get(name) or 0 for name in ("max_tokens", "max_completion_tokens")) > self.model.most_tokens:
            told = f"max_tokens is too large: this model supports at most {self.model.most_tokens} completion tokens"
            self._send(400, {"error": {"message": told, "type": "invalid_request_error"}})
        elif kind.isdigit():
            headers = {"Retry-After": rest} if rest else {}
            self._send(int(kind), {"error": {"message": f"status {kind}", "type": "server_error"}}, headers)
        elif kind == "redirect":
            self._send(307, {}, {"Location": rest})
        elif kind == "hangup":
            self.close_connection = True
            self.connection.close()
        elif kind == "endless":
            self._endless()
        else:
            if kind == "slow":
                self.model.stop.wait(float(rest))
            self._answer(kind, rest, request)

    def _answer(self, kind: str, rest: str, request: Seen) -> None:
        if kind == "not-json":
            self._raw(b"<html>gateway</html>", "text/html")
        elif kind == "no-choices":
            self._send(200, {"id": "x", "object": "chat.completion", "created": 0, "model": "small", "choices": None})
        elif kind == "cut":
            data = json.dumps(self._body("", "words", request)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
        else:
            text = rest if kind == "say" else self.model.text(request)
            self._send(200, self._body(kind, text, request))

    def _body(self, kind: str, text: str, request: Seen) -> dict[str, Any]:
        given, said = len(request.words) // 4, max(1, len(text) // 4)
        if kind == "length":
            text = text[: len(text) * 2 // 3]
        if "/messages" in self.path:
            reason = {"length": "max_tokens", "refuse": "refusal"}.get(kind, "end_turn")
            return {"id": "m", "type": "message", "role": "assistant", "model": "small", "stop_reason": reason,
                    "stop_sequence": None, "content": [{"type": "text", "text": text}],
                    "usage": {"input_tokens": given, "output_tokens": said}}  # fmt: skip
        if "generateContent" in self.path:
            reason = {"length": "MAX_TOKENS", "refuse": "SAFETY"}.get(kind, "STOP")
            return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason, "index": 0}],
                    "usageMetadata": {"promptTokenCount": given, "candidatesTokenCount": said, "totalTokenCount": given + said},
                    "modelVersion": "small", "responseId": "r"}  # fmt: skip
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if kind == "tool":
            call = {"id": "c", "type": "function", "function": {"name": "no_such_tool", "arguments": '{"path": "/etc/passwd"}'}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        reason = {"length": "length", "refuse": "content_filter", "tool": "tool_calls"}.get(kind, "stop")
        return {"id": "c", "object": "chat.completion", "created": int(time.time()), "model": "small",
                "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                "usage": {"prompt_tokens": given, "completion_tokens": said, "total_tokens": given + said}}  # fmt: skip

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        part = b" " * 65536
        while not self.model.stop.is_set():
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def _locked(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") or given
        if self.model.key is None or given == self.model.key:
            return False
        self._send(401, {"error": {"message": "bad key", "type": "authentication_error"}})
        return True

    def _keep(self, body: dict[str, Any]) -> Seen:
        request = Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with self.model.lock:
            self.model.seen.append(request)
        return request

    def _send(self, status: int, data: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._raw(json.dumps(data).encode(), "application/json", status, headers)

    def _raw(self, data: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
