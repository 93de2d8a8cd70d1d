"""One coding session (paper 3.5 and 3.6): a coder works on a copy, the monitor watches, fix advises, a commit is what is left.

The coder sees the files of one commit in a sandbox, without labels, with the evaluation's files read-only. What it says of its
results counts for nothing; what it changed becomes a commit on the host's side. A session that was killed leaves no commit, and
the same number starts afresh; one that had ended is not paid for again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autosota.agents.fix import Fix
from autosota.agents.monitor import Advice, Bounds, Event, Monitor
from autosota.errors import MachineError
from autosota.exports import Exports
from autosota.harvest import Harvest, gather
from autosota.leash import END, Attempt, Leash, Record
from autosota.ports import Brief, Coder, Executor, Sandbox, Step, Tree
from autosota.records import Environment
from autosota.store import Store, digest
from autosota.workspace import Workspace

SESSIONS = "sessions"
BOUNDS = Bounds(seconds=1800.0, steps=80, silence=600.0, same_step=3, failures=25)
"""Of one session, restarts included."""
_RESTARTS = 2
_LOOKING = 10
"""Steps of an attempt in which nothing needs to change: a coder reads before it writes."""

Guide = Callable[[Advice, Sequence[Step]], str]
"""What to tell a coder that is stuck, where more is known than the monitor's own words; empty: nothing more."""


@dataclass(frozen=True)
class Written:
    """How a session ended."""

    commit: str | None
    """What was changed, on the parent; None where nothing was."""
    why: str
    steps: int = 0
    restarts: int = 0
    usd: float = 0.0


@dataclass
class Session:
    """Writes ideas as commits by means of a coder. Use from one thread at a time."""

    coder: Coder
    executor: Executor
    workspace: Workspace
    environment: Environment
    monitor: Monitor
    fix: Fix
    store: Store
    scratch: Path | None = None
    """A folder of ours for working copies; None: the system's."""
    bounds: Bounds = BOUNDS
    guide: Guide | None = None
    deadline: float | None = None
    """time.monotonic() at which the time for the whole run ends, and a session with it."""

    def write(self, parent: str, brief: Brief, number: int) -> tuple[str | None, str]:
        """The commit of what the coder changed on `parent`, or None; and why.

        Raises MachineError where no isolating sandbox can hold the coder. Whatever else goes wrong is in the words.
        """
        written = self.run(parent, brief, number)
        return written.commit, written.why

    def run(self, parent: str, brief: Brief, number: int) -> Written:
        """As `write`, with what it took."""
        if not self.executor.isolated:
            raise MachineError(
                f"a coder must not work in the sandbox {self.executor.name}, which isolates nothing",
                "use --sandbox bubblewrap, or leave --coder out",
            )
        folder = self.store.folder / SESSIONS / f"{number:04d}"
        key = digest(f"{parent}\0{self.coder.name}\0{brief.instructions}\0{brief.guidance}")
        if (done := self._finished(folder, key)) is not None:
            return done
        shutil.rmtree(folder, ignore_errors=True)
        self.store.write(f"{SESSIONS}/{folder.name}/prompt.md", brief.instructions + "\n")
        record = Record(folder / "steps.jsonl")
        harvest, why = self._work(parent, brief, record)
        commit = self.workspace.commit(parent, harvest.changes) if harvest.changes else None
        if commit is not None and not self.workspace.changes(parent, commit):
            commit = None
        words = record.masked("; ".join(filter(None, (why, "" if commit else "nothing was changed", harvest.note()))))
        written = Written(commit, words, record.steps, record.restarts, round(record.usd, 6))
        outcome = {"key": key, "commit": commit, "why": words, "steps": written.steps, "restarts": written.restarts,
                   "usd": written.usd, "coder": self.coder.name}  # fmt: skip
        self.store.write(f"{SESSIONS}/{folder.name}/outcome.json", json.dumps(outcome, indent=2) + "\n")
        return written

    def _finished(self, folder: Path, key: str) -> Written | None:
        """The outcome of the same session, where an earlier process came to its end."""
        try:
            kept = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
            if kept["key"] != key or (kept["commit"] and self.workspace.lookup(kept["commit"]) is None):
                return None
            return Written(kept["commit"], kept["why"], kept["steps"], kept["restarts"], kept["usd"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    # ── the working copy ──────────────────────────────────────────────────────────────────────────────────────────────

    def _work(self, parent: str, brief: Brief, record: Record) -> tuple[Harvest, str]:
        commands = self.environment.commands
        results = {*commands.outputs, *filter(None, (commands.metrics, commands.items))}
        with contextlib.ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="session-", dir=self.scratch)))
            place.chmod(0o755)
            exports = Exports(self.workspace, self.environment, place)
            mounts = exports.mounts(blind=True)
            hidden = results | set(commands.labels)
            self.workspace.export(parent, place / "tree", leave_out=tuple(hidden))
            exports.lay_ignored(place / "tree", hidden)
            (place / "coder").mkdir()
            outfit = stack.enter_context(self.coder.outfit(place / "coder"))
            record.secrets = outfit.secrets
            recipe = self.environment.recipe.model_copy(update={"paths": (*self.environment.recipe.paths, *outfit.paths)})
            tree = Tree(place / "tree", read_only=self.environment.zones.protected)
            sandbox = stack.enter_context(self.executor.open(tree, recipe=recipe, mounts=[*mounts, *outfit.mounts]))
            before = self.workspace.tree(parent)
            why = self._guided(brief, sandbox, before, record)
            inside = [mount.target for mount in mounts if not mount.target.startswith("/")]
            harvest = gather(
                sandbox, before, workspace=self.workspace, base=place / "tree", results=hidden, mounted=inside,
                secrets=outfit.secrets,
            )  # fmt: skip
        return harvest, why

    # ── watching ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _guided(self, brief: Brief, sandbox: Sandbox, before: Mapping[str, bytes], record: Record) -> str:
        """Attempts until the coder is done, a budget ends or guidance does not help. How it ended, in words."""
        own = None if self.bounds.seconds is None else time.monotonic() + self.bounds.seconds
        deadline = min(filter(None, (own, self.deadline)), default=None)
        guidance = brief.guidance
        while True:
            left = replace(
                self.bounds,
                seconds=None if deadline is None else max(0.0, deadline - time.monotonic()),
                steps=None if self.bounds.steps is None else self.bounds.steps - record.steps,
                cost=None if self.bounds.cost is None else self.bounds.cost - record.usd,
            )
            leash = Leash(sandbox, self.fix, deadline)
            attempt = Attempt(self.coder, replace(brief, guidance=guidance), leash)
            advice = self._watch(attempt, leash, self.monitor.bounded(left), record)
            if advice.word == "continue":
                advice = _unfinished(sandbox, before) if attempt.problem is None else advice
            why = advice.reason or attempt.problem or "done"
            if advice.word != "guide" or record.restarts >= _RESTARTS or attempt.alive:
                return why
            guidance = "\n".join(
                filter(None, (advice.guidance, self.guide(advice, record.recent) if self.guide else "", leash.hints))
            )
            record.restart(why, guidance)

    def _watch(self, attempt: Attempt, leash: Leash, monitor: Monitor, record: Record) -> Advice:
        """One attempt: the monitor's word that ended it, or "continue" where it ended by itself."""
        monitor = monitor.seen(Event("phase", time.monotonic(), "coding"))
        attempt.start()
        taken = 0
        while (step := attempt.next()) is not END:
            if isinstance(step, Step):
                taken += 1
                record.add(step)
                monitor = monitor.seen(*_events(step, leash, taken))
            advice = monitor.advise(time.monotonic())
            if advice.word != "continue":
                attempt.stop()
                return advice
            if isinstance(step, Step):
                attempt.proceed()
        return Advice("continue")


def _events(step: Step, leash: Leash, taken: int) -> Iterator[Event]:
    now = time.monotonic()
    yield Event("step", now, f"{step.kind}: {step.text}\n{step.output[:2000]}")
    if step.usd:
        yield Event("cost", now, amount=step.usd)
    for signature, skill in leash.take_failures():
        yield Event("failure", now, signature)
        if skill:
            yield Event("remedy", now, skill)
    if taken > _LOOKING:
        yield Event("state", now, leash.state())


def _unfinished(sandbox: Sandbox, before: Mapping[str, bytes]) -> Advice:
    """A coder that says it is done: has anything changed, and can it be read?"""
    changed = [path for path in sandbox.changed() if "__pycache__" not in path]
    if not changed:
        return Advice(
            "guide", "nothing was changed", "The working copy is as it was. Make the change, or say why it cannot be made."
        )
    for path in changed:
        if path.endswith(".py") and (problem := _broken(sandbox.read(path, 2**20), before.get(path))):
            return Advice("guide", f"{path} cannot be read: {problem}", f"{path} has a syntax error now: {problem}. Mend it.")
    return Advice("continue")


def _broken(content: bytes | None, before: bytes | None) -> str:
    """The syntax error of a Python file that had none before."""
    import ast
    import warnings

    def problem(text: bytes) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                return f"line {getattr(error, 'lineno', '?')}: {getattr(error, 'msg', error)}"
        return ""

    return problem(content) if content is not None and not (before is not None and problem(before)) else ""
