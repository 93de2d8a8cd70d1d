"""Signatures forget what differs between machines; the memory counts, forgets nothing and can be shared."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from autosota import failures
from autosota.failures import Memory


def log(root: str, error: str, line: int = 3, library: str = "") -> str:
    own = f'  File "{root}/evaluate.py", line {line}, in main\n    run()\n'
    inner = f'  File "/envs/x/lib/python3.11/site-packages/{library}/core.py", line 9, in f\n    pass\n' if library else ""
    return f"epoch 1 loss 0.3\nTraceback (most recent call last):\n{own}{inner}{error}\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "OSError: [Errno 2] No such file or directory: '/home/a/x.csv'",
            "OSError: [Errno 2] No such file or directory: '/data/b/y.csv'",
        ),
        ("RuntimeError: size mismatch at 0x7f3a, got 128", "RuntimeError: size mismatch at 0x99ff, got 64"),
        ("ValueError: bad digest 4d7a214614ab2935c943f9e0ff69d22e", "ValueError: bad digest 00aa214614ab2935c943f9e0ff69d22e"),
    ],
)
def test_the_same_failure_elsewhere_has_the_same_signature(first: str, second: str) -> None:
    assert failures.signature(log("/workspace", first, 3)) == failures.signature(log("/tmp/run-7/tree", second, 88))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (log("/w", "ModuleNotFoundError: No module named 'yaml'"), log("/w", "ModuleNotFoundError: No module named 'cv2'")),
        (log("/w", "AttributeError: x", library="numpy"), log("/w", "AttributeError: x")),
        (log("/w", "AttributeError: x", library="numpy"), log("/w", "AttributeError: x", library="pandas")),
    ],
)
def test_different_failures_have_different_signatures(first: str, second: str) -> None:
    assert failures.signature(first) != failures.signature(second)


def test_the_last_exception_counts_and_its_innermost_frame() -> None:
    chained = (
        log("/w", "KeyError: 'a'")
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + log("/w", "ValueError: no", 9)
    )
    failure = failures.read(chained)
    assert (failure.exception, failure.message) == ("ValueError", "no")
    assert [(frame.file, frame.line) for frame in failure.repository_frames("/w")] == [("evaluate.py", 9)]


def test_words_of_a_shell() -> None:
    assert failures.signature("ok\nrun.sh: 3: conda: not found\n") == "run.sh: <n>: conda: not found"


def test_two_missing_files_are_two_failures_of_one_signature() -> None:
    first = failures.read(log("/w", "FileNotFoundError: [Errno 2] No such file or directory: 'a/x.csv'"))
    second = failures.read(log("/w", "FileNotFoundError: [Errno 2] No such file or directory: 'b/y.csv'"))
    assert first.signature == second.signature
    assert first.identity != second.identity


def test_outcomes_are_counted_and_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state/failures.sqlite")
    memory.remember("s", "skill", "failed", "yaml")
    memory.remember("s", "skill", "failed", "yaml")
    memory.remember("s", "skill", "worked", "PyYAML")
    memory.close()
    again = Memory(tmp_path / "state/failures.sqlite")
    assert again.outcomes("s") == {"skill": {"worked": 1, "failed": 2, "skipped": 0}}
    assert again.failed("s", "skill", "yaml")
    assert not again.failed("s", "skill", "PyYAML")
    assert not again.failed("other", "skill", "yaml")


def test_a_memory_is_shared_by_file(tmp_path: Path) -> None:
    mine, theirs = Memory(tmp_path / "a.sqlite"), Memory(tmp_path / "b.sqlite")
    mine.remember("s", "skill", "worked")
    theirs.remember("s", "skill", "worked")
    theirs.close()
    assert mine.merge(tmp_path / "b.sqlite") == 1
    assert mine.outcomes("s")["skill"]["worked"] == 2
    (tmp_path / "c.sqlite").write_text("no database")
    assert mine.merge(tmp_path / "c.sqlite") == 0


def test_an_unreadable_memory_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "failures.sqlite"
    path.write_text("this is no database, and long enough to be taken for one" * 50)
    memory = Memory(path)
    memory.remember("s", "skill", "worked")
    assert memory.outcomes("s")
    assert (tmp_path / "failures.sqlite.unreadable").exists()


def test_where_nothing_can_be_written_it_lasts_as_long_as_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "failures.sqlite")
    memory.remember("s", "skill", "worked")
    assert memory.outcomes("s")["skill"]["worked"] == 1


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "failures.sqlite"
    Memory(path).close()

    def write() -> None:
        memory = Memory(path)
        for _ in range(20):
            memory.remember("s", "skill", "worked")
        memory.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Memory(path).outcomes("s")["skill"]["worked"] == 80
