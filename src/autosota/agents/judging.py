"""The Supervisor's judge (paper 3.9, validity 3.7): a model's word on what rules cannot decide. It may only escalate to REVIEW.

It sees the normalised change, never the author's reasons nor the size of the gain. Three readers vote independently, each
beginning at another place; what two of them name, with red line, file and line, is put before a person.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, Field

from autosota.agents import showing
from autosota.records import Violation
from autosota.redlines.base import RedLineId
from autosota.redlines.difference import Difference, File

if TYPE_CHECKING:
    from autosota.ask import Ask

VOTES = 3
_CHANGE = 10_000
_NEAR = 5
_FOCUS = (
    "begin with what reaches the metric and the scored outputs.",
    "begin with which data each changed line reads, and when.",
    "begin with the paper's method and protocol: is it still the same problem, solved by the same method?",
)


class Finding(BaseModel):
    """A suspected breach."""

    red_line: str = Field(description="R1 to R7")
    file: str
    line: int = Field(description="line of the candidate's file")
    what: str = Field(description="what this line does that crosses the red line, one sentence")


class Vote(BaseModel):
    """One reader's word."""

    findings: list[Finding] = Field(default_factory=list)


class ModelJudge:
    """Puts open questions about a change to a model."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def judge(self, difference: Difference, questions: Sequence[Violation]) -> Sequence[Violation]:
        """What at least two of three readers escalate; none where nobody answers."""
        votes: list[list[Finding]] = []
        for reader in range(VOTES):
            if len(votes) == 2 and not _agreed(votes) and not any(votes):
                break
            answer = self._ask("supervisor.judge", Vote, **question(difference, questions, reader))
            if answer is not None:
                votes.append(usable(answer, difference))
        agreed = _agreed(votes)
        said = sum(len(vote) for vote in votes)
        if votes:
            taken = tuple(f"{item.red_line} {item.file}:{item.line} {item.what}" for item in agreed)
            self._ask.settle(
                "supervisor.judge",
                taken=taken,
                dropped=(f"{said} findings of {len(votes)} readers, of which two agree on {len(agreed)}",),
            )
        return tuple(
            Violation(
                red_line=item.red_line, rule="judged", action="review", file=item.file, line=item.line,  # type: ignore[arg-type]
                evidence=f"two of three readers: {showing.clip(item.what, 300)}", fix="a person decides",
            )
            for item in agreed
        )  # fmt: skip


def question(difference: Difference, questions: Sequence[Violation], reader: int) -> dict[str, object]:
    """What one reader sees. The order of files differs by reader, so that the votes are not one vote."""
    case = difference.case
    files = list(difference.files)
    turned = files[reader % max(1, len(files)) :] + files[: reader % max(1, len(files))]
    parts = [part for part in (normalised(file) for file in turned) if part]
    return {
        "red_lines": showing.red_lines(), "metric": showing.metric(case.rubric.metrics),
        "constraints": "\n".join(f"- {showing.clip(item.text, 200)}" for item in case.rubric.constraints[:10]),
        "reader": reader + 1, "focus": _FOCUS[reader % VOTES],
        "questions": "\n".join(f"- {v.red_line}: {showing.clip(v.evidence, 200)}" for v in questions[:10]) or "- none",
        "change": "\n\n".join(parts)[:_CHANGE] or "(no text file differs)",
    }  # fmt: skip


def normalised(file: File) -> str:
    """A changed file: the lines added, with numbers, and those removed; comments and strings of Python stripped."""
    before, after = _plain(file, new=False), _plain(file, new=True)
    if file.after is None:
        return f"### {file.path} is deleted"
    head = f"### {file.path}" + (" is new" if file.before is None else "")
    known, kept = set(before.values()), set(after.values())
    added = [
        f"+{number:>4} {text}"
        for number, text in sorted(after.items())
        if number in file.added and text.strip() and text not in known
    ]
    removed = [f"-{number:>4} {text}" for number, text in sorted(before.items()) if text.strip() and text not in kept]
    return "\n".join([head, *removed[:60], *added[:120]]) if added or removed else ""


def _plain(file: File, *, new: bool) -> dict[int, str]:
    """Line number → code without comments, the words of strings replaced; other files as they are."""
    content = file.after if new else file.before
    text = (content or b"").decode("utf-8", "replace")
    rows = text.split("\n")
    if not file.path.endswith(".py"):
        return {number: row[:200] for number, row in enumerate(rows, 1)}
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {number: row.split("#")[0].rstrip()[:200] for number, row in enumerate(rows, 1)}
    found: dict[int, str] = {}
    for node in ast.walk(module):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = ""
        if isinstance(node, ast.stmt):
            found[node.lineno] = ""
    for statement in sorted((n for n in ast.walk(module) if isinstance(n, ast.stmt)), key=lambda n: n.lineno):
        words = ast.unparse(statement).split("\n")[0]
        if words not in ("''", '""'):
            found[statement.lineno] = " " * statement.col_offset + words[:240]
    return {number: row for number, row in found.items() if row}


def usable(vote: Vote, difference: Difference) -> list[Finding]:
    """The findings that name a red line and a changed line that exists."""
    known = {file.path: file for file in difference.files}
    kept = []
    for item in vote.findings[:8]:
        line = item.red_line.strip().upper()
        file = known.get(item.file.strip())
        if line not in get_args(RedLineId) or file is None or not item.what.strip():
            continue
        if file.after is None or any(abs(number - item.line) <= _NEAR for number in file.added):
            kept.append(item.model_copy(update={"red_line": line, "file": file.path}))
    return kept


def _agreed(votes: Sequence[Sequence[Finding]]) -> list[Finding]:
    """Findings that two votes share: the same red line in the same file."""
    found: dict[tuple[str, str], Finding] = {}
    for index, vote in enumerate(votes):
        for item in vote:
            key = (item.red_line, item.file)
            if key not in found and any((other.red_line, other.file) == key for later in votes[index + 1 :] for other in later):
                found[key] = item
    return list(found.values())
