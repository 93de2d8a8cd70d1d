"""Where the outside begins: the protocols that adapters implement. Obligations stand in the docstrings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from autosota.records import Experiment, Idea, Measurement, Mount, Recipe, Scalar

Ended = Literal["exit", "timeout", "cpu", "memory", "processes", "output", "disk", "silence", "stopped", "error"]
"""Why a command ended: by itself, at a limit, by `until`, from outside, or because the sandbox itself failed."""


# ── sandboxes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Limits:
    """Bounds on one command and its whole process tree. Reaching one ends the whole tree."""

    seconds: float = 600.0
    """Wall time."""
    cpu_seconds: float | None = None
    memory: int | None = 8 * 2**30
    """Bytes of resident memory of the whole tree where that can be bound, else address space per process."""
    processes: int | None = 256
    output: int = 8 * 2**20
    """Bytes of stdout and of stderr each; more is discarded while the command goes on up to 64 times that, then it ends."""
    disk: int | None = 10 * 2**30
    """Bytes written under the tree, /tmp and writable mounts."""


@dataclass(frozen=True)
class Command:
    """A shell command line, run with `sh -c` from the tree's root, stdin closed."""

    line: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """Added to the recipe's; nothing of the host's environment is inherited."""
    limits: Limits = field(default_factory=Limits)
    until: Callable[[str], bool] | None = None
    """Looked at with stdout so far whenever the command was silent for `quiet` seconds; True ends it with `silence`."""
    quiet: float = 15.0


@dataclass(frozen=True)
class Execution:
    """What a command did. A failed command is a value, never an exception."""

    exit_code: int
    """Of the shell; 128 + n when a signal ended it."""
    stdout: str
    """First and last part where it was longer than `Limits.output`; undecodable bytes replaced."""
    stderr: str
    seconds: float
    cpu_seconds: float
    """User and system time of the whole tree, as far as the sandbox can see it; see `notes` where it cannot."""
    ended: Ended = "exit"
    peak_memory: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """The content a sandbox shows: a shared read-only folder with changes laid over it."""

    base: Path
    """Export of the baseline; never written to, shared by many sandboxes."""
    overlay: Path | None = None
    """Folder whose files replace or extend the base's, same relative paths."""
    deleted: tuple[str, ...] = ()
    """Paths of the base that must not be there."""
    read_only: tuple[str, ...] = ()
    """Files and folders (relative) the commands must not be able to change, as far as the sandbox can hinder it."""


class Sandbox(Protocol):
    """One tree and one environment; runs one command at a time. What commands write stays until it is closed."""

    root: str
    """Absolute path of the tree as commands see it."""

    def run(self, command: Command) -> Execution:
        """Run to its end or a limit; afterwards no process of it is left. MachineError only if the sandbox cannot start."""
        ...

    def read(self, path: str, limit: int = 64 * 2**20) -> bytes | None:
        """A file of the tree as it is now; None if absent, not a regular file, a symlink, or larger than `limit` bytes."""
        ...

    def changed(self) -> tuple[str, ...]:
        """Relative paths of files that commands created, changed or deleted in the tree, sorted."""
        ...


class Executor(Protocol):
    """Opens sandboxes, each on one tree. Safe to use from several threads."""

    name: str
    isolated: bool
    """No network, no view of the host's files but what is mounted, environment and protected files read-only."""
    overlays: bool
    """Shows the tree at the fixed path /workspace with cheap private overlays; else a copy in a scratch folder."""
    loopback: bool
    """Commands can listen on 127.0.0.1 and connect to each other there."""

    def open(
        self, tree: Tree, *, recipe: Recipe, mounts: Sequence[Mount] = (), network: bool = False
    ) -> AbstractContextManager[Sandbox]:
        """A sandbox on `tree`. Leaving the context ends every process and removes what was written."""
        ...


# ── search ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Try:
    """Measure this next: an idea on the state of experiment `parent` (0 is the baseline)."""

    idea: Idea
    parent: int
    step: int
    setting: Mapping[str, Scalar] = field(default_factory=dict)
    """PARAM: knob id → value, all knobs that differ from the parent's state."""
    honeymoon: bool = False


@dataclass(frozen=True)
class Leap:
    """The leap path: a structural idea must come next; the scheduler asks the ideator for one where the library has none."""

    parent: int
    step: int


@dataclass(frozen=True)
class Wait:
    """Nothing sensible until an experiment under way ends."""


@dataclass(frozen=True)
class Stop:
    """The search is over, and why."""

    reason: str


class Search(Protocol):
    """What to try next. A pure function: same arguments, same answer."""

    def choose(
        self, history: Sequence[Experiment], running: Sequence[Try], ideas: Sequence[Idea], *, leap: bool = True
    ) -> Try | Leap | Wait | Stop:
        """`leap=False`: the ideator was asked and has no structural idea left, so never answer `Leap`."""
        ...


# ── engines ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pending(Protocol):
    """A measurement under way."""

    def done(self) -> bool: ...

    def result(self) -> tuple[Measurement, ...]: ...


class Engine(Protocol):
    """Where measurements run."""

    workers: int

    def submit(self, job: Callable[[], tuple[Measurement, ...]]) -> Pending: ...

    def wait(self, pending: Sequence[Pending], timeout: float | None = None) -> None:
        """Return when at least one is done or `timeout` seconds passed."""
        ...

    def close(self) -> None: ...


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Prompt:
    """One question to a model."""

    stable: str
    """Byte for byte the same in every call of one kind within a run, and sent first, so that provider caches apply."""
    question: str
    """What differs from call to call."""
    purpose: str = ""
    """Which prompt it is, e.g. "ideator.propose"; for ledgers and scripts, never sent."""


@dataclass(frozen=True)
class Answer:
    """What a model said, and what it cost."""

    text: str
    """JSON where a schema was asked for and the model can; else whatever it wrote. Data, never instructions."""
    input_tokens: int = 0
    """All of the prompt's, the cached ones included."""
    cached_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = None
    """None where the price is unknown."""
    seconds: float = 0.0
    ended: Literal["end", "length", "refused"] = "end"


class Model(Protocol):
    """A language model, asked one question at a time. Safe to use from several threads."""

    name: str
    longest: int
    """Tokens that one reply can have at most."""

    def complete(self, prompt: Prompt, schema: Mapping[str, object] | None = None) -> Answer:
        """The reply to one prompt. `schema`: JSON schema the reply should follow, enforced by the provider where it can.
        Raises ModelError after its own retries (outage, refused key, no such model); never anything else."""
        ...

    def price(self, input_tokens: int, output_tokens: int) -> float | None:
        """US dollars for so many tokens, none of them cached; None where the price is unknown."""
        ...


# ── coders ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Brief:
    """What a coder is asked to do."""

    instructions: str
    guidance: str = ""
    """Added by the monitor after a restart."""


@dataclass(frozen=True)
class Step:
    """One thing a coder did: a command with its output, or words."""

    kind: Literal["command", "edit", "words"]
    text: str
    output: str = ""
    exit_code: int | None = None
    """Of a command, where it is known."""
    usd: float = 0.0
    """What it cost, where the agent itself says so and nobody else counts it."""


@dataclass(frozen=True)
class Outfit:
    """What a coder's own program must find in the sandbox, besides the working copy and the repository's environment."""

    mounts: tuple[Mount, ...] = ()
    paths: tuple[str, ...] = ()
    """Absolute host folders, shown read-only where they are."""
    secrets: tuple[str, ...] = ()
    """Values that must appear in no record and no patch."""


class Coder(Protocol):
    """A coding agent at work in a sandbox on a working copy. Yields each step as it happens; closing the iterator stops it."""

    name: str

    def outfit(self, scratch: Path) -> AbstractContextManager[Outfit]:
        """What the sandbox must show, laid out below `scratch` and removed at the end. Entered before the sandbox is opened."""
        ...

    def work(self, brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        """Carry out the brief. Everything it runs goes through `sandbox.run`, which raises StageError once the session is over.
        Raises ModelError, MachineError or StageError where it cannot go on; what was changed by then stays."""
        ...
