"""A coder that does what a file says: for tests and demonstrations."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autosota.errors import UsageError
from autosota.ports import Brief, Command, Limits, Outfit, Sandbox, Step


class ScriptedCoder:
    """Replays the first session of a file whose `when` occurs in the brief.

    The file is JSON: a list of {"when": "words of the brief", "steps": [{"command": "sh line"} | {"words": "text"}]}, where
    `when` may be left out. A file that is no JSON is one shell script, run as one step.
    """

    def __init__(self, file: Path) -> None:
        """Raises UsageError where the file cannot be read or has another form."""
        self.name = f"scripted:{file}"
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--coder {self.name}: {error}", "give a file of recorded steps") from None
        self._sessions = _parse(text, self.name)

    @contextlib.contextmanager
    def outfit(self, scratch: Path) -> Iterator[Outfit]:
        """See the port: nothing is needed."""
        yield Outfit()

    def work(self, brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        """See the port. A brief that no session is for gets no step."""
        told = f"{brief.instructions}\n{brief.guidance}"
        steps: list[dict[str, Any]] = next(
            (session["steps"] for session in self._sessions if session.get("when", "") in told), []
        )
        for step in steps:
            if "words" in step:
                yield Step("words", step["words"])
                continue
            done = sandbox.run(Command(step["command"], limits=Limits(seconds=float(step.get("seconds", 120)))))
            output = "\n".join(filter(None, (done.stdout, done.stderr, *done.notes)))
            yield Step("command", step["command"], output, done.exit_code)


def _parse(text: str, name: str) -> list[dict[str, Any]]:
    if not text.lstrip().startswith(("[", "{")):
        return [{"steps": [{"command": text}]}]
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--coder {name}: {error}", "the file is JSON or a shell script") from None
    sessions = found if isinstance(found, list) else [found]
    for session in sessions:
        steps = session.get("steps") if isinstance(session, dict) else None
        if not isinstance(steps, list) or not all(isinstance(step, dict) and {"command", "words"} & set(step) for step in steps):
            raise UsageError(
                f"--coder {name}: not a list of sessions with steps",
                'each is {"when": …, "steps": [{"command": …}, {"words": …}]}',
            )
    return sessions
