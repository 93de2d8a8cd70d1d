"""A person's idea for a run: its words as an idea of the library, screened like any other, and how it reaches a run under way.

"set NAME to VALUE" and "NAME = VALUE" mean a knob, "try LEVER" a lever that applies; all else is for the coder. Ideas lie in
`inbox/` of the run directory until the run takes them in, before its next experiment; a run not under way has them at once.
"""

from __future__ import annotations

import re
from pathlib import Path

from autosota.agents import inventing, showing
from autosota.agents.inventing import Proposed
from autosota.agents.supervisor import Supervisor
from autosota.errors import UsageError
from autosota.records import Analysis, Case, Idea, Space, Verdict
from autosota.store import HISTORY, IdeaLine, Store
from autosota.workspace import Workspace

INBOX = "inbox"
_LONGEST = 4_000
_SET = re.compile(
    r"^\s*(?:set\s+)?[`'\"]?([\w.:/-]+?)[`'\"]?\s*(?:=|\bto\b)\s*[`'\"]?([^\s`'\"]+)[`'\"]?\s*\.?\s*$", re.IGNORECASE
)
_TRY = re.compile(r"^\s*(?:try|use)\s+(?:the\s+)?(?:lever\s+)?[`'\"]?([\w-]+)[`'\"]?\s*\.?\s*$", re.IGNORECASE)


def suggest(store: Store, text: str) -> tuple[Idea, Verdict, str]:
    """Put a person's idea into a run's library. Returns it, the Supervisor's word, and where it is now, in words.

    Raises UsageError for a run without an analysis, an empty text, or a value that the named knob cannot hold."""
    case, analysis = _case(store)
    idea = understood(text, case, analysis, [idea for idea, _ in store.ideas()])
    verdict = Supervisor().screen_idea(idea, case)
    line = IdeaLine(idea=idea, verdict=verdict)
    if store.busy():
        store.write(f"{INBOX}/{idea.id}.json", line.model_dump_json() + "\n")
        return idea, verdict, "the run is under way and takes it in before its next experiment"
    store.append_idea(idea, verdict)
    return idea, verdict, f"in the library; `autosota run --out {store.folder} --trials N` with a larger N goes on with it"


def understood(text: str, case: Case, analysis: Analysis, library: list[Idea]) -> Idea:
    """A text as an idea: over a knob, of a lever, or for the coder. Raises UsageError."""
    words = text.strip()
    if not words or len(words) > _LONGEST:
        raise UsageError(f"an idea has 1 to {_LONGEST} characters, this has {len(words)}", "say in a sentence or two what to try")
    if (match := _SET.match(words)) and (knob := inventing.named(match[1], showing.knob_names(analysis.knobs), analysis.knobs)):
        wide = knob.model_copy(update={"space": knob.space if knob.space.kind == "choice" else Space(kind=knob.space.kind)})
        value = inventing.valued(wide, match[2])
        if value is None or value == knob.value:
            raise UsageError(f"{knob.id} is {knob.value!r} and cannot be set to {match[2]!r}", f"it takes {showing.space(knob)}")
        chosen = knob.model_copy(update={"space": Space(kind="choice", choices=(knob.value, value))})
        return inventing.space_idea([chosen], words, "A person's idea.", source="person", priority=1.0)
    if (match := _TRY.match(words)) and (found := [i for i in library if i.source == f"lever:{match[1].replace('-', '_')}"]):
        return found[0].model_copy(update={"priority": 1.0})
    told = words if len(words) >= 20 else f"{words} (a person's idea)"
    files = re.findall(r"[\w./-]+\.\w+", words)
    proposed = Proposed(title=words.split("\n")[0], why="A person's idea.", instructions=told, files=files, promise=1.0)
    made = inventing.sort([proposed], knobs=(), sites=(), tree=case.tree, library=(), source="person")
    if not made.ideas:
        raise UsageError(
            f"{words!r} names no knob, no lever, and does not say what to write", "say which function changes and how"
        )
    return made.ideas[0].model_copy(update={"priority": 1.0})


def inbox(store: Store) -> list[tuple[Idea, Verdict | None]]:
    """Ideas that wait for a run under way, in the order of their names; what is no idea is passed over. Taken out by `taken`."""
    found = []
    folder = store.folder / INBOX
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            line = IdeaLine.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found.append((line.idea, line.verdict))
    return found


def taken(store: Store, idea: Idea) -> None:
    """The idea stands in the library now."""
    (store.folder / INBOX / f"{idea.id}.json").unlink(missing_ok=True)


def _case(store: Store) -> tuple[Case, Analysis]:
    task, rubric, environment, analysis = store.task(), store.rubric(), store.environment(), store.analysis()
    if task is None or rubric is None or environment is None or analysis is None:
        raise UsageError(f"{store.folder} has no analysis yet", "wait until its baseline is measured, then give the idea")
    workspace = Workspace(store.folder / HISTORY, Path(task.repository.path))
    case = Case(
        rubric=rubric, environment=environment, baseline=store.baseline(), analysis=analysis,
        tree=workspace.tree(environment.commit), paper=task.paper,
    )  # fmt: skip
    return case, analysis
