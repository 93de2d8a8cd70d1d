"""A provider on loopback for real coding agents: says one shell command, then that it is done, in the three forms they speak."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Line = dict[str, Any]


class Endpoint(ThreadingHTTPServer):
    """Speaks /chat/completions, /messages and /responses, streamed or whole."""

    daemon_threads = True

    def __init__(self, command: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.command = command
        self.requests: list[tuple[str, dict[str, str], Line]] = []
        """Path, headers and body of everything asked."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def serving(command: str) -> Iterator[Endpoint]:
    """An endpoint whose model wants to run `command` once."""
    endpoint = Endpoint(command)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    try:
        yield endpoint
    finally:
        endpoint.shutdown()
        endpoint.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def log_message(self, format: str, *arguments: Any) -> None:
        return

    def do_GET(self) -> None:
        self._send(json.dumps({"object": "list", "data": [{"id": "stand-in", "object": "model"}]}), "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.requests.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
        tool = _tool(body.get("tools") or [])
        told = json.dumps(body.get("messages") or body.get("input") or [])
        if '"tool_result"' in told or '"role": "tool"' in told or "_call_output" in told:
            tool = None
        path = self.path.partition("?")[0]
        make = _messages if path.endswith("/messages") else _responses if path.endswith("/responses") else _completions
        whole, events = make(tool, self.server.command)
        if body.get("stream"):
            text = "".join(
                (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n" for event in events
            )
            self._send(text + ("data: [DONE]\n\n" if make is _completions else ""), "text/event-stream")
        else:
            self._send(json.dumps(whole), "application/json")

    def _send(self, text: str, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def _tool(tools: list[Line]) -> Line | None:
    """The tool that runs a shell command, whatever it is called."""
    flat = [tool.get("function", tool) for tool in tools]
    for words in (("bash", "shell", "run_shell_command", "shell_command", "exec_command", "local_shell"),):
        for tool in flat:
            if str(tool.get("name", tool.get("type", ""))).lower() in words:
                return tool
    return None


def _arguments(tool: Line, command: str) -> Line:
    schema = tool.get("parameters") or tool.get("input_schema") or {}
    found: Line = {}
    for name, kind in schema.get("properties", {}).items():
        if name in ("command", "cmd"):
            found[name] = ["sh", "-c", command] if kind.get("type") == "array" else command
        elif name in schema.get("required", ()):
            found[name] = False if kind.get("type") == "boolean" else "run it"
    return found


def _completions(tool: Line | None, command: str) -> tuple[Line, list[Line]]:
    message: Line = {"role": "assistant", "content": "done"}
    if tool is not None:
        call = {"name": tool["name"], "arguments": json.dumps(_arguments(tool, command))}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}],
        }
    reason, usage = "stop" if tool is None else "tool_calls", {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    head = {"id": "c1", "created": 1, "model": "stand-in"}
    whole = {
        **head,
        "object": "chat.completion",
        "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
    }
    piece = {**head, "object": "chat.completion.chunk"}
    return whole, [{**piece, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
                   {**piece, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}]  # fmt: skip


def _messages(tool: Line | None, command: str) -> tuple[Line, list[Line]]:
    given = _arguments(tool, command) if tool else {}
    block: Line = (
        {"type": "tool_use", "id": "toolu_1", "name": tool["name"], "input": given} if tool else {"type": "text", "text": "done"}
    )
    usage, reason = {"input_tokens": 9, "output_tokens": 9}, "tool_use" if tool else "end_turn"
    whole = {"id": "m1", "type": "message", "role": "assistant", "model": "stand-in", "content": [block], "stop_reason": reason,
             "stop_sequence": None, "usage": usage}  # fmt: skip
    delta = {"type": "input_json_delta", "partial_json": json.dumps(given)} if tool else {"type": "text_delta", "text": "done"}
    empty = {**block, "input": {}} if tool else {"type": "text", "text": ""}
    return whole, [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta}, {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]  # fmt: skip


def _responses(tool: Line | None, command: str) -> tuple[Line, list[Line]]:
    item: Line = {"type": "message", "id": "i1", "role": "assistant", "status": "completed",
                  "content": [{"type": "output_text", "text": "done", "annotations": []}]}  # fmt: skip
    if tool is not None:
        item = {"type": "function_call", "id": "i1", "call_id": "call_1", "name": tool.get("name", "shell"),
                "status": "completed", "arguments": json.dumps(_arguments(tool, command))}  # fmt: skip
    usage = {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18, "input_tokens_details": {"cached_tokens": 0},
             "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
    whole = {
        "id": "r1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "stand-in",
        "output": [item],
        "usage": usage,
    }
    return whole, [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item}, {"type": "response.completed", "response": whole},
    ]  # fmt: skip
