"""A small agent that speaks the Agent Client Protocol: runs the command quoted in << >>, or misbehaves, if told to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import Any


def send(**message: Any) -> None:
    os.write(1, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def update(**what: Any) -> None:
    send(method="session/update", params={"sessionId": "one", "update": what})


def say(text: str) -> None:
    update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": text})


def ask(path: str) -> str:
    """May I write there?"""
    options = [{"optionId": kind, "name": kind, "kind": kind} for kind in ("allow_once", "reject_once")]
    call = {"toolCallId": "p", "title": "write", "locations": [{"path": path}]}
    send(id=path, method="session/request_permission", params={"sessionId": "one", "toolCall": call, "options": options})
    answer = json.loads(sys.stdin.readline())
    return str(answer["result"]["outcome"].get("optionId", "none")).partition("_")[0]


def work(line: str) -> None:
    if line == "SILENT":
        time.sleep(600)
    if line == "GARBAGE":
        os.write(1, b'{"jsonrpc": 7}\n[1]\nnot json\n{"jsonrpc":"2.0","method":"session/update","params":{"x":1}}\n' * 50)
        os._exit(0)
    if line == "CRASH":
        sys.stderr.write("it broke\n")
        os._exit(3)
    while line == "FLOOD":
        say("again and again " * 1000)
    if line.startswith("PERMISSION"):
        head, _, line = line.partition(";")
        say("answers: " + " ".join([ask(path) for path in head.split()[1:]]))
    update(sessionUpdate="tool_call", toolCallId="c1", title="run", kind="execute", rawInput={"command": line})
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, errors="replace", check=False)
    content = [{"type": "content", "content": {"type": "text", "text": done.stdout + done.stderr}}]
    update(sessionUpdate="tool_call_update", toolCallId="c1", status="completed", content=content)
    say("The accuracy is now 0.999.")


RESULTS = {"initialize": {"protocolVersion": 1, "agentCapabilities": {}}, "session/new": {"sessionId": "one"}}

while text := sys.stdin.readline():
    request = json.loads(text)
    if request["method"] == "session/prompt":
        work(re.search(r"<<(.*)>>", request["params"]["prompt"][0]["text"], re.S)[1])  # type: ignore[index]
    send(id=request["id"], result=RESULTS.get(request["method"], {"stopReason": "end_turn"}))
