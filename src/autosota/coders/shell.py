"""Our own coding loop: one tool, a shell in the sandbox; any model that can write a code block can drive it.

A prompt stays the same size however long the work takes: the last exchanges in full, earlier ones as a line each, the oldest as
a count. What commands print is shown as data.
"""

from __future__ import annotations

import base64
import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autosota.coders import replies
from autosota.coders.replies import Edit, Reply
from autosota.errors import StageError
from autosota.ports import Brief, Command, Execution, Limits, Model, Outfit, Prompt, Sandbox, Step

_SHOWN = 4
"""Exchanges shown in full."""
_LINES = 12
"""Earlier ones shown as a line each."""
_OUTPUT = 3000
"""Characters of a command's output that the model sees."""
_REPLY = 1500
_COMMAND_SECONDS = 120.0
_UNREADABLE = 3
"""Replies in a row without anything to carry out, after which the work ends."""
_PIECE = 60_000
_LARGEST = 512 * 1024


@dataclass(frozen=True)
class _Exchange:
    said: str
    asked: str
    """One line."""
    result: str
    output: str


class ShellCoder:
    """Asks a model for the next command until it says that it is done."""

    def __init__(self, model: Model, *, limits: Limits | None = None) -> None:
        """`limits`: bounds on each command."""
        self.name = "shell"
        self._model = model
        self._limits = limits or Limits(seconds=_COMMAND_SECONDS, output=256 * 1024)

    @contextlib.contextmanager
    def outfit(self, scratch: Path) -> Iterator[Outfit]:
        """See the port: nothing is needed, the model is asked from outside."""
        yield Outfit()

    def work(self, brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        """See the port."""
        listing = self._run(sandbox, _LISTING).stdout
        history: list[_Exchange] = []
        unreadable = 0
        while unreadable < _UNREADABLE:
            answer = self._model.complete(Prompt(stable=_protocol(), question=_question(brief, listing, history)))
            reply = replies.read(answer.text)
            if answer.ended == "refused":
                raise StageError("the model refused the task", "another model may take it")
            if reply.kind == "done":
                yield Step("words", reply.words or "done")
                return
            if reply.kind == "none":
                unreadable += 1
                short = "the reply was cut off; write less" if answer.ended == "length" else "no block was found in the reply"
                history.append(_Exchange(answer.text[-_REPLY:], "(nothing)", short, "answer with one block, or with DONE"))
                yield Step("words", reply.words or "(nothing)")
                continue
            unreadable = 0
            step, exchange = self._carry_out(reply, answer.text, sandbox)
            history.append(exchange)
            yield step

    def _carry_out(self, reply: Reply, text: str, sandbox: Sandbox) -> tuple[Step, _Exchange]:
        said = text if len(text) <= _REPLY else text[:_REPLY] + " […]"
        if reply.kind == "edit":
            problems = [problem for edit in reply.edits if (problem := self._edit(edit, sandbox))]
            asked = "edit " + ", ".join(dict.fromkeys(edit.path for edit in reply.edits))
            output = "\n".join(problems) or "replaced"
            shown = "\n".join(f"{edit.path}\n-{edit.old}+{edit.new}" for edit in reply.edits)
            return Step("edit", shown, output, int(bool(problems))), _Exchange(said, asked, output, "")
        done = self._run(sandbox, reply.command)
        output = "\n".join(filter(None, (done.stdout, done.stderr, *done.notes)))
        first = next((line for line in reply.command.splitlines() if line.strip()), "")
        result = f"exit code {done.exit_code}" + ("" if done.ended == "exit" else f", ended by the limit on {done.ended}")
        return Step("command", reply.command, output, done.exit_code), _Exchange(said, first[:120], result, _cut(output))

    def _run(self, sandbox: Sandbox, line: str) -> Execution:
        if len(line) > _PIECE:
            return Execution(126, "", "the command is too long; make smaller steps", 0.0, 0.0)
        return sandbox.run(Command(line, limits=self._limits))

    def _edit(self, edit: Edit, sandbox: Sandbox) -> str:
        """Replace the lines; what was wrong, in words, else nothing."""
        content = sandbox.read(edit.path, _LARGEST + 1)
        if content is None and not edit.old.strip():
            content = b""
        if content is None:
            return f"there is no file {edit.path}"
        text = content.decode("utf-8", "surrogateescape")
        found, old, new = _locate(text, edit)
        if len(content) > _LARGEST or found != 1:
            return f"{edit.path}: the old lines occur {found} times, not once; look at the file again and copy them exactly"
        return self._write(edit.path, text.replace(old, new, 1) if text else new, sandbox)

    def _write(self, path: str, text: str, sandbox: Sandbox) -> str:
        encoded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
        place = shlex.quote(path)
        pieces = [encoded[at : at + _PIECE] for at in range(0, len(encoded), _PIECE)] or ["''"]
        for number, piece in enumerate(pieces):
            into = (
                f'mkdir -p "$(dirname {place})" && printf %s {piece} | base64 -d >'
                if number == 0
                else f"printf %s {piece} | base64 -d >>"
            )
            done = sandbox.run(Command(f"{into} {place}", limits=Limits(seconds=60)))
            if done.exit_code:
                return f"{path} cannot be written: {done.stderr.strip()[-300:]}"
        return ""


def _locate(text: str, edit: Edit) -> tuple[int, str, str]:
    """How often the old lines occur, with both as the file has them: also where only the ends of lines differ."""
    if not text:
        return 1, "", edit.new
    for old, new in ((edit.old, edit.new), (edit.old.rstrip("\n"), edit.new.rstrip("\n"))):
        if old and (count := text.count(old)):
            return count, old, new
    wanted = [line.rstrip() for line in edit.old.strip("\n").splitlines()]
    lines = text.splitlines(keepends=True)
    starts = [at for at in range(len(lines) - len(wanted) + 1)
              if wanted and [line.rstrip() for line in lines[at : at + len(wanted)]] == wanted]  # fmt: skip
    if len(starts) == 1:
        old = "".join(lines[starts[0] : starts[0] + len(wanted)])
        ending = "\r\n" if old.endswith("\r\n") else "\n"
        return 1, old, ending.join(edit.new.strip("\n").splitlines()) + ending
    return len(starts), edit.old, edit.new


# ── what the model is shown ───────────────────────────────────────────────────────────────────────────────────────────

_LISTING = "find . -type f -size -512k -not -path '*/.*' -not -path '*/__pycache__/*' | sort | head -n 80"


@cache
def _protocol() -> str:
    return Path(__file__).with_name("shell.md").read_text(encoding="utf-8")


def _question(brief: Brief, listing: str, history: list[_Exchange]) -> str:
    parts = [f"# Task\n\n{brief.instructions.strip()}"]
    if brief.guidance:
        parts.append(f"# An earlier attempt was stopped\n\n{brief.guidance.strip()}")
    parts.append(f"# Files\n\n{listing.strip()[:4000]}")
    older, recent = history[:-_SHOWN], history[-_SHOWN:]
    if older:
        lines = [f"{number}. {exchange.asked}: {exchange.result.splitlines()[0]}" for number, exchange in enumerate(older, 1)]
        left_out = [f"({len(lines) - _LINES} earlier steps are left out)"] if len(lines) > _LINES else []
        parts.append("# Earlier steps\n\n" + "\n".join(left_out + lines[-_LINES:]))
    for number, exchange in enumerate(recent, len(older) + 1):
        fence = "`" * 6
        output = f"\n{fence}output\n{exchange.output}\n{fence}" if exchange.output else ""
        parts.append(f"# Step {number}, you said\n\n{exchange.said}\n\n# What came of it: {exchange.result}\n{output}")
    parts.append("# Your next step\n\nOne block, or DONE when the task is carried out.")
    return "\n\n".join(parts)


def _cut(text: str) -> str:
    """Beginning and end of a long output."""
    if len(text) <= _OUTPUT:
        return text.rstrip("\n")
    half = _OUTPUT // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}".rstrip("\n")
