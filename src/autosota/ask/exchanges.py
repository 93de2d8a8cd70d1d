"""Every prompt and every reply of a run, for people to read: `prompts/<call>.json`, stable parts once each by their digest.

An exchange is on disk before the model is asked. One without a line in the usage ledger was under way when its process ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autosota.ask import usage
from autosota.ask.usage import Usage
from autosota.ports import Prompt
from autosota.records import Record
from autosota.store import PROMPTS, USAGE, Store, digest

TAKEN = f"{PROMPTS}/taken.jsonl"
_LONGEST_REPLY = 200_000
"""Characters of a reply that are kept."""


class Taken(Record):
    """What an agent made of an answer."""

    call: int
    purpose: str
    experiment: int | None = None
    taken: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    """Each with its reason."""


def settled(store: Store, line: Taken) -> None:
    """Keep it."""
    store.append_line(TAKEN, line.model_dump_json())


def taken(store: Store) -> list[Taken]:
    """All of it, in order; a line that cannot be read is left out."""
    found = []
    for line in store.lines(TAKEN):
        try:
            found.append(Taken.model_validate_json(line))
        except ValidationError:
            continue
    return found


def begin(store: Store, line: Usage, prompt: Prompt, most: float | None) -> None:
    """Keep the question before it is asked. `most`: US dollars it can cost at most; None where the price is unknown."""
    name = _stable_name(prompt)
    if not (store.folder / name).exists():
        store.write(name, prompt.stable + "\n")
    _write(store, line, prompt, {"most_usd": most})


def end(store: Store, line: Usage, prompt: Prompt, reply: str) -> None:
    """Keep the reply beside its question."""
    _write(store, line, prompt, {"outcome": line.outcome, "why": line.why, "reply": reply[:_LONGEST_REPLY]})


def recover(store: Store) -> list[Usage]:
    """The usage ledger, with calls that were under way when an earlier process ended counted at the most they can have cost."""
    lines = usage.read(store)
    known = {line.call for line in lines}
    for path in _paths(store):
        if int(path.stem) in known:
            continue
        data = _read(path)
        if data is None or "purpose" not in data:
            continue
        lost = Usage(
            call=int(path.stem), agent=str(data.get("agent", "")), purpose=str(data["purpose"]), model=str(data.get("model", "")),
            experiment=data.get("experiment"), outcome="unknown", why="the process ended before the reply came",
            usd=data.get("most_usd"),
        )  # fmt: skip
        store.append_line(USAGE, lost.model_dump_json())
        lines.append(lost)
    return lines


def read(store: Store, experiment: int | None = None) -> Iterator[dict[str, Any]]:
    """Each exchange with its whole prompt, in order; of one experiment where its number is given."""
    for path in _paths(store):
        data = _read(path)
        if data is None or (experiment is not None and data.get("experiment") != experiment):
            continue
        name = str(data.pop("stable", ""))
        stable = store.folder / PROMPTS / f"{name}.md"
        words = (
            stable.read_text(encoding="utf-8", errors="replace")
            if re.fullmatch(r"[0-9a-f]{16}", name) and stable.is_file()
            else ""
        )
        yield {"call": int(path.stem), **data, "prompt": f"{words}\n{data.get('question', '')}".strip()}


def _write(store: Store, line: Usage, prompt: Prompt, more: dict[str, Any]) -> None:
    data = {
        "agent": line.agent, "purpose": line.purpose, "experiment": line.experiment, "model": line.model,
        "stable": Path(_stable_name(prompt)).stem, "question": prompt.question, **more,
    }  # fmt: skip
    store.write(f"{PROMPTS}/{line.call:04d}.json", json.dumps(data, ensure_ascii=False, indent=1) + "\n")


def _stable_name(prompt: Prompt) -> str:
    return f"{PROMPTS}/{digest(prompt.stable)[:16]}.md"


def _paths(store: Store) -> list[Path]:
    folder = store.folder / PROMPTS
    found = [path for path in folder.glob("*.json") if path.stem.isdigit()] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.stem))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
