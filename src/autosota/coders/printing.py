"""Coding agents that get a prompt once and print what they do as lines of JSON: Claude Code and Codex by their own commands."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autosota.coders.program import Program
from autosota.errors import StageError
from autosota.ports import Brief, Limits, Outfit, Sandbox, Step

_LINE = 8 * 2**20
_TEXT = 20_000
_LIMITS = Limits(seconds=3600.0, memory=12 * 2**30, processes=512, output=2**20)


class PrintingCoder:
    """One prompt in, lines of JSON out."""

    def __init__(self, program: Program) -> None:
        self.name = program.preset.name
        self._program = program

    def outfit(self, scratch: Path) -> contextlib.AbstractContextManager[Outfit]:
        """See the port."""
        return self._program.outfit(scratch)

    def work(self, brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        """See the port."""
        read = _claude if self._program.preset.kind == "claude" else _codex
        told = "\n\n".join(filter(None, (brief.instructions, brief.guidance)))
        with self._program.started(sandbox, _LIMITS) as running:
            with contextlib.suppress(OSError):
                running.stdio.sendall(told.encode("utf-8", "replace"))
                running.stdio.shutdown(socket.SHUT_WR)
            calls: dict[str, str] = {}
            problem, steps = "", 0
            for line in _lines(running.stdio):
                for step in read(line, calls):
                    steps += 1
                    yield step
                problem = _problem(line) or problem
            running.end()
            if problem or (running.execution is not None and running.execution.exit_code and not steps):
                raise StageError(f"{self.name}: {problem or running.last_words()}"[:600])


def _lines(link: socket.socket) -> Iterator[dict[str, Any]]:
    """JSON objects, one a line; anything else is left out."""
    rest = b""
    while piece := _receive(link):
        *whole, rest = (rest + piece).split(b"\n")
        rest = rest[:_LINE]
        for line in whole:
            with contextlib.suppress(ValueError, RecursionError):
                if isinstance(found := json.loads(line), dict):
                    yield found


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(1 << 16)
    except OSError:
        return b""


def _problem(line: dict[str, Any]) -> str:
    if line.get("type") == "result" and line.get("is_error"):
        return str(line.get("result") or line.get("subtype") or "it failed")
    if line.get("type") in ("error", "turn.failed"):
        error = line.get("error")
        return str(line.get("message") or (error.get("message") if isinstance(error, dict) else error) or "it failed")
    return ""


def _claude(line: dict[str, Any], calls: dict[str, str]) -> Iterator[Step]:
    if line.get("type") == "result":
        cost = line.get("total_cost_usd")
        yield Step("words", "(finished)", usd=float(cost) if isinstance(cost, (int, float)) else 0.0)
        return
    message = line.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    for item in content if isinstance(content, list) else ():
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "text" and str(item.get("text", "")).strip() and line.get("type") == "assistant":
            yield Step("words", str(item["text"])[:_TEXT])
        elif kind == "tool_use":
            given = item.get("input")
            calls[str(item.get("id"))] = str((given.get("command") or given) if isinstance(given, dict) else given)
        elif kind == "tool_result":
            text = item.get("content")
            parts = (
                [str(part.get("text", "")) for part in text if isinstance(part, dict)] if isinstance(text, list) else [str(text)]
            )
            asked = calls.pop(str(item.get("tool_use_id")), "")
            yield Step("command", asked[:_TEXT], "\n".join(parts)[-_TEXT:], int(bool(item.get("is_error"))))


def _codex(line: dict[str, Any], calls: dict[str, str]) -> Iterator[Step]:
    item = line.get("item")
    if line.get("type") != "item.completed" or not isinstance(item, dict):
        return
    kind, code = item.get("type"), item.get("exit_code")
    if kind == "command_execution":
        yield Step("command", str(item.get("command"))[:_TEXT], str(item.get("aggregated_output") or "")[-_TEXT:],
                   code if isinstance(code, int) else None)  # fmt: skip
    elif kind == "file_change":
        yield Step("edit", str(item.get("changes"))[:_TEXT])
    elif kind == "agent_message" and item.get("text"):
        yield Step("words", str(item["text"])[:_TEXT])
