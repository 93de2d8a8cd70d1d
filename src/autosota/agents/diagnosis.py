"""AgentFix asks a model: a failure that no skill knows, and the answer as a remedy that code applies in the sandbox (paper 3.6).

An answer becomes the same `Remedy` that skills give, so it is tried, judged and undone in the same way. What it may hold is
bounded here: few small edits at places that exist, none of which changes what is measured (`screening`), plain requirement lines,
no host paths, no secrets, no interpreter hooks.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BaseModel, Field

from autosota.agents import screening, showing
from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, Skill

if TYPE_CHECKING:
    from autosota.ask import Ask

NAME = "diagnosis"
"""What a model's remedies are recorded under."""
QUESTIONS = 6
"""Asked at most so often in one preparation."""
_EDITS, _CREATED, _SIZE = 6, 4, 4_000
_LOG = 5_000
_CODE = 8_000
_VARIABLE = re.compile(r"^[A-Z][A-Z0-9_]{1,40}$")
_HELD = re.compile(
    r"^(?:AUTOSOTA_|LD_|DYLD_|PYTHON(?:PATH|STARTUP|HOME|INSPECT|EXECUTABLE)|PATH$|HOME$|OMP_|BASH_|ENV$)|KEY|TOKEN|SECRET|PASS"
)
_HOOK = re.compile(r"(?:^|/)(?:sitecustomize|usercustomize|conftest)\.py$|\.pth$|(?:^|/)\.git(?:/|$)|(?:^|/)autosota\.toml$")


class Edit(BaseModel):
    """One exact replacement."""

    file: str
    old: str
    new: str


class Created(BaseModel):
    """One new file."""

    file: str
    content: str = ""


class Diagnosis(BaseModel):
    """What is wrong, and what to do about it."""

    cause: str = Field(description="the cause in one sentence")
    install: list[str] = Field(default_factory=list)
    drop: list[str] = Field(default_factory=list)
    python: str = ""
    variables: dict[str, str] = Field(default_factory=dict)
    command: str = ""
    edits: list[Edit] = Field(default_factory=list)
    create: list[Created] = Field(default_factory=list)
    substitute: bool = False


def ask_for(ask: Ask, failure: Failure, context: Context, failed: Sequence[str]) -> tuple[Remedy | None, Diagnosis | None]:
    """A model's remedy for a failure, bounded and checked; None where it has none that can be applied."""
    answer = ask("fix.diagnose", Diagnosis, **question(failure, context, failed))
    if answer is None:
        return None, None
    remedy, refused = remedy_of(answer, context)
    taken = (f"{showing.clip(answer.cause, 200)}: {', '.join(remedy.touched)}",) if remedy is not None else ()
    ask.settle("fix.diagnose", taken=taken, dropped=tuple(refused))
    return remedy, answer


def question(failure: Failure, context: Context, failed: Sequence[str]) -> dict[str, object]:
    """What the question shows."""
    commands = context.commands
    line = commands.evaluate or f"{commands.predict} ; {commands.score}"
    packages = ", ".join(f"{package.name} {package.version}" for package in context.recipe.packages[:60])
    version = re.search(r"python(\d+\.\d+)", " ".join(map(str, (context.site_packages() or "",))))
    paths = [path for path in context.tree if not path.endswith((".png", ".jpg", ".gif", ".pdf"))]
    return {
        "command": line, "python": version[1] if version else "of the environment",
        "pythons": ", ".join(context.pythons[:8]) or "none", "packages": packages or "nothing",
        "log": tail(failure.text, context.root), "code": _code(failure, context),
        "files": ", ".join(sorted(paths, key=lambda path: (path.count("/"), path))[:60]),
        "failed": "\n".join(f"- {showing.clip(words, 200)}" for words in failed[-8:]),
    }  # fmt: skip


def tail(text: str, root: str) -> str:
    """The end of a log, without what differs from run to run."""
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", text[-4 * _LOG :])
    if root:
        text = text.replace(root.rstrip("/") + "/", "")
    text = re.sub(r"/[^\s'\":]*/(?=(?:lib|site-packages|dist-packages)/)", "…/", text)
    return "\n".join(line[:300] for line in text.strip().split("\n"))[-_LOG:]


def _code(failure: Failure, context: Context) -> str:
    parts: list[str] = []
    for frame in failure.repository_frames(context.root)[:4]:
        if frame.file in context.tree and not any(part.startswith(f"### {frame.file} ") for part in parts):
            rows = context.tree[frame.file].decode("utf-8", "replace").split("\n")
            low = max(0, frame.line - 30)
            parts.append(
                f"### {frame.file} (line {frame.line} failed)\n"
                + showing.numbered("\n".join(rows[low : frame.line + 12]), low + 1)
            )
    return "\n\n".join(parts)[:_CODE]


# ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────────


def remedy_of(answer: Diagnosis, context: Context) -> tuple[Remedy | None, list[str]]:
    """The remedy that an answer holds, and what of it was refused with the reason. None where nothing is left."""
    refused: list[str] = []
    wanted = (*_edited(answer.edits, context.tree, refused), *_created(answer.create, context.tree, refused))
    changes = screening.screen(wanted, context, refused)
    install = tuple(line for line in (_requirement(text, refused) for text in answer.install[:8]) if line)
    variables = {name: value[:500] for name, value in list(answer.variables.items())[:8] if _variable(name, value, refused)}
    python = answer.python.strip() if answer.python.strip() in context.pythons else None
    remedy = Remedy(
        reason=showing.clip(answer.cause, 200) or "a diagnosis without words", install=install,
        drop=tuple(name for name in answer.drop[:8] if re.fullmatch(r"[\w.-]{1,80}", name)), python=python,
        variables=variables, command=_command(answer.command, refused), changes=changes, substitute=answer.substitute,
    )  # fmt: skip
    return (remedy if remedy.touched else None), refused


def _edited(edits: Sequence[Edit], tree: Mapping[str, bytes], refused: list[str]) -> tuple[Change, ...]:
    texts: dict[str, str] = {}
    for edit in edits[:_EDITS]:
        path = _inside(edit.file)
        if path is None or path not in tree or _HOOK.search(path):
            refused.append(f"edit of {showing.clip(edit.file, 80)}: no such file to edit")
            continue
        try:
            text = texts.get(path) or tree[path].decode("utf-8")
        except UnicodeDecodeError:
            refused.append(f"edit of {path}: not UTF-8 text")
            continue
        if len(edit.new) > _SIZE or not edit.old.strip() or text.count(edit.old) != 1:
            refused.append(f"edit of {path}: the old text occurs {text.count(edit.old) if edit.old.strip() else 0} times")
            continue
        texts[path] = text.replace(edit.old, edit.new)
    return tuple(Change(path=path, content=text.encode()) for path, text in sorted(texts.items()))


def _created(files: Sequence[Created], tree: Mapping[str, bytes], refused: list[str]) -> tuple[Change, ...]:
    found = []
    for item in files[:_CREATED]:
        path = _inside(item.file)
        if path is None or path in tree or _HOOK.search(path) or len(item.content) > _SIZE:
            refused.append(f"new file {showing.clip(item.file, 80)}: not a new, small file of the repository")
        else:
            found.append(Change(path=path, content=item.content.encode()))
    return tuple(found)


def _inside(path: str) -> str | None:
    """A path of the repository in its shortest form; None where it leads out of it."""
    clean = posixpath.normpath(path.strip().removeprefix("/workspace/"))
    outside = clean.startswith(("/", "..", "~")) or clean in ("", ".") or "\0" in clean or len(clean) > 200
    return None if outside else clean


def _requirement(text: str, refused: list[str]) -> str | None:
    """A requirement of an index package; addresses and options are refused."""
    try:
        found = Requirement(text.strip())
    except InvalidRequirement:
        refused.append(f"install {showing.clip(text, 60)}: not a requirement line")
        return None
    if found.url:
        refused.append(f"install {found.name}: from an address")
        return None
    return str(found)


def _variable(name: str, value: str, refused: list[str]) -> bool:
    fine = bool(_VARIABLE.match(name)) and not _HELD.search(name) and "\0" not in value and not value.startswith("/proc")
    if not fine:
        refused.append(f"variable {showing.clip(name, 40)}: not for a remedy to set")
    return fine


def _command(line: str, refused: list[str]) -> str | None:
    line = line.strip()
    if not line:
        return None
    if len(line) > 500 or "\n" in line or re.search(r"\becho\b|\bprintf\b|\bcurl\b|\bwget\b|<<|/proc|\bprint\(", line):
        refused.append(f"command {showing.clip(line, 80)}: may run the authors' programs only")
        return None
    return line


# ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def skill() -> Skill:
    """What a remedy without a skill folder is recorded under."""
    return Skill(
        name=NAME, description="a remedy that a model gave", signatures=(), priority=0, procedure="", folder=Path(),
        touches=("environment", "command", "source", "variables"), function=None,
    )  # fmt: skip


def to_json(answer: Diagnosis) -> str:
    """The diagnosis as the failure memory keeps it."""
    return json.dumps(answer.model_dump(exclude_defaults=True), sort_keys=True)


def from_json(text: str) -> Diagnosis | None:
    """A diagnosis of the failure memory; None for what is none any more."""
    try:
        return Diagnosis.model_validate_json(text)
    except ValueError:
        return None
