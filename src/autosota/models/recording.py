"""Recordings: `record:FILE:NAME` keeps every exchange with a model, `replay:FILE` answers from such a file and asks nobody."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path

from autosota.errors import ModelError, UsageError
from autosota.models.scripted import read_lines
from autosota.ports import Answer, Model, Prompt


class RecordingModel:
    """Another model, its exchanges appended to a file as they happen."""

    def __init__(self, path: Path, model: Model) -> None:
        self.name, self.longest = model.name, model.longest
        self._path, self.model = path, model
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise UsageError(f"--model record: {path} cannot be written: {error.strerror}", "give another file") from None

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """The other model's reply, on file when this returns. Failures are not recorded."""
        answer = self.model.complete(prompt, schema)
        line = {
            "purpose": prompt.purpose, "digest": fingerprint(prompt), "model": self.name, "reply": answer.text,
            "tokens": [answer.input_tokens, answer.output_tokens], "cached": answer.cached_tokens, "usd": answer.usd,
            "ended": answer.ended, "stable": prompt.stable, "question": prompt.question,
        }  # fmt: skip
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return answer

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """The other model's."""
        return self.model.price(input_tokens, output_tokens)


class ReplayModel:
    """Answers as recorded: to the same prompt the same reply; to another prompt of the same purpose the next reply not used yet,
    for prompts hold measured numbers that differ from machine to machine. Costs nothing."""

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path}"
        self.longest = 2000
        self._lines = read_lines(path)
        self._used: set[int] = set()
        self._lock = threading.Lock()

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """The recorded reply; ModelError where there is none left for this purpose."""
        with self._lock:
            index = self._find(prompt)
            if index is None:
                raise ModelError(f"{self.name} holds no further reply for {prompt.purpose or 'this prompt'}", prompt=True)
            self._used.add(index)
        data = self._lines[index]
        text = data["reply"] if isinstance(data["reply"], str) else json.dumps(data["reply"])
        given, said = data.get("tokens") or (0, 0)
        return Answer(
            text=text, input_tokens=int(given), cached_tokens=int(data.get("cached", 0)), output_tokens=int(said), usd=0.0,
            ended=data.get("ended", "end"),
        )  # fmt: skip

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """Nothing: nobody is asked."""
        return 0.0

    def _find(self, prompt: Prompt) -> int | None:
        mark, same = fingerprint(prompt), None
        for index, line in enumerate(self._lines):
            if "reply" not in line:
                continue
            if line.get("digest") == mark and index not in self._used:
                return index
            if same is None and line.get("purpose") == prompt.purpose and index not in self._used:
                same = index
        if same is None:
            again: list[int] = [i for i, line in enumerate(self._lines) if line.get("digest") == mark and "reply" in line]
            return again[-1] if again else None
        return same


def fingerprint(prompt: Prompt) -> str:
    """sha256 of what the model sees."""
    return hashlib.sha256(f"{prompt.stable}\0{prompt.question}".encode()).hexdigest()
