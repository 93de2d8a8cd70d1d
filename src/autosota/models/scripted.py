"""A model that follows a script: for tests and demonstrations.

The script is a JSON Lines file; each line is one reply:

    {"purpose": "ideator.*", "when": "text of the prompt", "reply": "words" or {…}, "usd": 0.01, "tokens": [900, 200],
     "repeat": true, "fails": "outage" | "key" | "prompt", "ended": "length" | "refused"}

Every key but `reply` or `fails` is optional. The first unused line whose `purpose` (a glob) and `when` (part of the prompt) fit
answers; a line with `repeat` is never used up.
"""

from __future__ import annotations

import fnmatch
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosota.errors import ModelError, UsageError
from autosota.ports import Answer, Prompt

_PER_TOKEN = 4
"""Bytes a token stands for, where a line of the script does not say."""


@dataclass
class _Line:
    data: dict[str, Any]
    used: bool = False

    def fits(self, prompt: Prompt) -> bool:
        if self.used and not self.data.get("repeat"):
            return False
        words = str(self.data.get("when", ""))
        named = fnmatch.fnmatchcase(prompt.purpose, str(self.data.get("purpose", "*")))
        return named and (not words or words in prompt.stable or words in prompt.question)


class ScriptedModel:
    """Answers from a script. Raises UsageError for a file that is none."""

    def __init__(self, path: Path) -> None:
        self.name = f"scripted:{path}"
        self.longest = 2000
        self._lines = [_Line(data) for data in read_lines(path)]
        self._lock = threading.Lock()
        known = [line.data["usd"] for line in self._lines if "usd" in line.data]
        self._most = max(known, default=0.0)

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """The next fitting reply."""
        with self._lock:
            line = next((line for line in self._lines if line.fits(prompt)), None)
            if line is not None:
                line.used = True
        if line is None:
            raise ModelError(f"{self.name} has no reply left for {prompt.purpose or 'this prompt'}", prompt=True)
        data = line.data
        if data.get("fails"):
            kind = str(data["fails"])
            raise ModelError(f"{self.name}: {kind}", lasting=kind == "key", prompt=kind == "prompt")
        text = data["reply"] if isinstance(data["reply"], str) else json.dumps(data["reply"])
        given, said = data.get("tokens") or (len(prompt.stable + prompt.question) // _PER_TOKEN, len(text) // _PER_TOKEN)
        return Answer(
            text=text, input_tokens=int(given), output_tokens=int(said), usd=float(data.get("usd", 0.0)),
            ended=data.get("ended", "end"),
        )  # fmt: skip

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """The dearest reply of the script."""
        return float(self._most)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """A JSON Lines file of objects with a `reply` or `fails`. Raises UsageError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--model: {path} cannot be read: {error}", "give a file of JSON lines") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            raise UsageError(f"--model: {path}, line {number}: {error}", "each line is one JSON object") from None
        if not isinstance(data, dict) or not ({"reply", "fails"} & set(data)):
            raise UsageError(f"--model: {path}, line {number}: no `reply`", "each line is an object with a reply")
        found.append(data)
    return found
