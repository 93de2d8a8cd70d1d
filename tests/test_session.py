"""A coding session: what a coder changes becomes a commit, and nothing else does."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from autosota.agents.fix import Fix
from autosota.agents.monitor import Bounds, Monitor
from autosota.coders import open_coder
from autosota.errors import MachineError, ModelError, UsageError
from autosota.ports import Brief, Coder, Command, Executor, Outfit, Sandbox, Step
from autosota.records import Mount
from autosota.sandboxes import open_executor
from autosota.sandboxes.local import LocalExecutor
from autosota.session import Session
from autosota.store import Store
from autosota.workspace import Workspace
from tests import kit

FILES = {
    "train.py": "RATE = 0.1\nprint('accuracy:', RATE)\n",
    "evaluate.py": "print('accuracy: 1')\n",
    "data/labels.txt": "1 0 1\n",
    ".gitignore": "logs/\n",
}
BRIEF = Brief("Raise RATE to 0.2.")
Steps = Callable[[Brief, Sandbox], Iterator[Step]]


class Doing:
    """A coder that a test writes."""

    name = "doing"

    def __init__(self, steps: Steps) -> None:
        self.work = steps

    @contextlib.contextmanager
    def outfit(self, scratch: Path) -> Iterator[Outfit]:
        yield Outfit(secrets=("key-1234567890",))


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Executor:
    found = open_executor(None, tmp_path_factory.mktemp("scratch"))
    if not found.isolated:
        pytest.skip("no isolating sandbox starts here")
    return found


@pytest.fixture
def make(executor: Executor, tmp_path: Path) -> Iterator[Callable[..., Session]]:
    repository = kit.write(tmp_path / "repository", FILES)
    workspace = Workspace(tmp_path / "run" / "history.git", repository)
    commit = workspace.snapshot()
    environment = kit.environment(commit, predict="python train.py", score="python evaluate.py", labels=("data/labels.txt",),
                                  protected=("evaluate.py", "data/labels.txt"))  # fmt: skip

    def session(coder: Coder | Steps, **options: object) -> Session:
        if callable(coder):
            coder = Doing(coder)
        return Session(coder, options.pop("executor", executor), workspace, environment, Monitor(), Fix(),  # type: ignore[arg-type]
                       Store(tmp_path / "run"), scratch=tmp_path, **options)  # type: ignore[arg-type]  # fmt: skip

    yield session
    workspace.close()


def shell(*lines: str) -> Steps:
    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        for line in lines:
            done = sandbox.run(Command(line))
            yield Step("command", line, done.stdout + done.stderr, done.exit_code)

    return steps


def changed(session: Session, commit: str | None) -> dict[str, bytes | None]:
    assert commit is not None
    return {change.path: change.content for change in session.workspace.changes(session.environment.commit, commit)}


def written(session: Session, number: int = 1) -> tuple[str | None, str]:
    return session.write(session.environment.commit, BRIEF, number)


def test_what_a_coder_changed_becomes_a_commit(make: Callable[..., Session], tmp_path: Path) -> None:
    session = make(shell("sed -i s/0.1/0.2/ train.py", "printf 'x = 1\\n' > extra.py; chmod +x extra.py", "rm .gitignore"))
    commit, why = written(session)
    assert changed(session, commit) == {
        "train.py": FILES["train.py"].replace("0.1", "0.2").encode(), "extra.py": b"x = 1\n", ".gitignore": None,
    }  # fmt: skip
    assert session.workspace.modes(commit or "")["extra.py"][0] == "100755"
    assert why == "done"
    folder = tmp_path / "run" / "sessions" / "0001"
    assert (folder / "prompt.md").read_text() == "Raise RATE to 0.2.\n"
    assert [json.loads(line)["kind"] for line in (folder / "steps.jsonl").read_text().splitlines()] == ["command"] * 3
    assert (tmp_path / "repository" / "train.py").read_text() == FILES["train.py"]
    assert not list(tmp_path.glob("session-*"))


def test_a_finished_session_is_not_paid_for_twice_and_a_killed_one_starts_afresh(
    make: Callable[..., Session], tmp_path: Path
) -> None:
    runs: list[int] = []

    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        runs.append(1)
        sandbox.run(Command("sed -i s/0.1/0.2/ train.py"))
        yield Step("words", "changed")

    first = written(make(steps))
    assert written(make(steps)) == first
    assert len(runs) == 1
    (tmp_path / "run" / "sessions" / "0001" / "outcome.json").unlink()
    assert written(make(steps))[0] == first[0]
    assert len(runs) == 2
    assert len((tmp_path / "run" / "sessions" / "0001" / "steps.jsonl").read_text().splitlines()) == 1


def test_labels_are_not_there_and_protected_files_cannot_be_written(make: Callable[..., Session]) -> None:
    session = make(shell("ls data; echo x > evaluate.py; mv evaluate.py e; rm -f evaluate.py; sed -i s/0.1/0.2/ train.py"))
    commit, _ = written(session)
    assert set(changed(session, commit)) == {"train.py"}
    steps = (session.store.folder / "sessions" / "0001" / "steps.jsonl").read_text()
    assert "labels" not in json.loads(steps)["output"]
    assert "Read-only file system" in steps or "busy" in steps


def test_links_binaries_large_files_caches_and_ignored_ones_stay_behind(make: Callable[..., Session]) -> None:
    session = make(
        shell(
            "ln -s /etc/passwd link; rm train.py; ln -s /etc/shadow train.py; head -c 600000 /dev/zero | tr '\\0' x > large.txt",
            "printf 'a\\0b' > weights.bin; mkdir -p logs __pycache__ .git/hooks; echo x > logs/a; echo x > __pycache__/a.py",
            "echo x > .git/hooks/post-checkout; mkfifo pipe; echo key-1234567890 > notes.txt; echo '# fine' > good.py",
        )
    )
    commit, why = written(session)
    assert changed(session, commit) == {"good.py": b"# fine\n"}
    for word in ("a link: link, train.py", "over 512 KiB: large.txt", "binary: weights.bin", "holds a key: notes.txt", "pipe"):
        assert word in why
    assert "key-1234567890" not in (session.store.folder / "sessions" / "0001" / "steps.jsonl").read_text()


def test_repetition_restarts_with_guidance_and_then_ends(make: Callable[..., Session]) -> None:
    told: list[str] = []

    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        told.append(brief.guidance)
        while True:
            yield Step("words", "I will now look at the file")

    session = make(steps, guide=lambda advice, steps: f"{len(steps)} steps: try sed")
    ran = session.run(session.environment.commit, BRIEF, 4)
    assert (ran.commit, ran.restarts, ran.steps) == (None, 2, 9)
    assert ran.why.startswith("the same step 3 times")
    assert told[0] == ""
    assert "do something else\n3 steps: try sed" in told[1]


def test_one_who_changed_nothing_or_broke_the_syntax_is_told(make: Callable[..., Session]) -> None:
    told: list[str] = []
    lines = ["true", "echo 'def (' >> train.py", "sed -i '$d' train.py; sed -i s/0.1/0.2/ train.py"]

    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        told.append(brief.guidance)
        yield from shell(lines[len(told) - 1])(brief, sandbox)

    session = make(steps)
    commit, why = written(session)
    assert changed(session, commit) == {"train.py": FILES["train.py"].replace("0.1", "0.2").encode()}
    assert why == "done"
    assert "as it was" in told[1]
    assert "syntax error" in told[2]


@pytest.mark.parametrize(
    ("bounds", "words"),
    [(Bounds(steps=4, same_step=99), "4 steps are used up"), (Bounds(cost=0.5, same_step=99), "$0.60 of $0.50"),
     (Bounds(seconds=0.5, same_step=10**6), "the time of")],
)  # fmt: skip
def test_budgets_end_a_session_and_what_was_changed_is_kept(make: Callable[..., Session], bounds: Bounds, words: str) -> None:
    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        sandbox.run(Command("sed -i s/0.1/0.2/ train.py"))
        number = 0
        while True:
            number += 1
            yield Step("words", f"thought {number}", usd=0.2)

    session = make(steps, bounds=bounds)
    commit, why = written(session)
    assert set(changed(session, commit)) == {"train.py"}
    assert words in why


def test_the_end_of_the_run_ends_a_session(make: Callable[..., Session]) -> None:
    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        yield Step("command", "sleep", sandbox.run(Command("sleep 600")).ended)

    session = make(steps, deadline=time.monotonic() + 1.0)
    assert "the time of" in written(session)[1]


def test_a_command_that_runs_on_is_ended_with_the_session(make: Callable[..., Session]) -> None:
    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        yield Step("command", "sleep", sandbox.run(Command("sleep 600")).ended)

    session = make(steps, bounds=Bounds(seconds=600, silence=0.6))
    commit, why = written(session)
    assert commit is None
    assert "silent" in why


def test_known_failures_are_named_to_the_coder(make: Callable[..., Session]) -> None:
    seen: Sequence[str] = ()

    def steps(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        nonlocal seen
        done = sandbox.run(Command("python -c \"raise AttributeError(\\\"module 'numpy' has no attribute 'float'\\\")\""))
        seen = done.notes
        yield Step("command", "python", exit_code=done.exit_code)

    written(make(steps))
    assert any("removed-name" in note for note in seen), seen


def test_labels_in_mounted_and_in_ignored_folders_are_not_there(make: Callable[..., Session], tmp_path: Path) -> None:
    data, ignored = tmp_path / "data", tmp_path / "repository" / "logs"
    for folder in (data, ignored):
        (folder / "deep").mkdir(parents=True)
        (folder / "x.csv").write_text("seen 1\n")
        (folder / "deep" / "y.csv").write_text("secret 0\n")
        (folder / "y.csv").symlink_to("deep/y.csv")
        (folder / "more").symlink_to("deep")
    session = make(shell("cat $(find -L . -name '*.csv')"))
    labels = ("mounted/deep/y.csv", "logs/deep/y.csv")
    session.environment = session.environment.model_copy(update={
        "commands": session.environment.commands.model_copy(update={"labels": labels}),
        "zones": session.environment.zones.model_copy(update={"ignored": ("logs/",)}),
        "mounts": (Mount(source=str(data), target="mounted"), Mount(source=str(data), target="again")),
    })  # fmt: skip
    written(session)
    step = json.loads((tmp_path / "run" / "sessions" / "0001" / "steps.jsonl").read_text().splitlines()[0])
    assert step["output"].count("seen 1") == 3, step
    assert "secret" not in step["output"]


def test_a_coder_that_fails_says_why_and_a_bug_is_not_hidden(make: Callable[..., Session]) -> None:
    def fails(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        yield from shell("sed -i s/0.1/0.2/ train.py")(brief, sandbox)
        raise ModelError("the model is away")

    def breaks(brief: Brief, sandbox: Sandbox) -> Iterator[Step]:
        yield from ()
        raise ZeroDivisionError

    commit, why = written(make(fails))
    assert commit is not None
    assert why == "the model is away"
    with pytest.raises(ZeroDivisionError):
        written(make(breaks), 2)


def test_no_coder_works_where_nothing_isolates(make: Callable[..., Session], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="isolates nothing"):
        written(make(shell("touch x"), executor=LocalExecutor(tmp_path / "local")))


def test_a_scripted_coder_replays_the_session_that_fits(make: Callable[..., Session], tmp_path: Path) -> None:
    file = tmp_path / "work.json"
    sessions = [{"when": "momentum", "steps": [{"command": "touch wrong.py"}]},
                {"when": "RATE", "steps": [{"words": "first a look"}, {"command": "sed -i s/0.1/0.2/ train.py"}]}]  # fmt: skip
    file.write_text(json.dumps(sessions))
    session = make(open_coder(f"scripted:{file}"))
    assert set(changed(session, written(session)[0])) == {"train.py"}
    for text in ("[1]", '{"steps": [{"say": 1}]}', "[{]"):
        file.write_text(text)
        with pytest.raises(UsageError):
            open_coder(f"scripted:{file}")
