"""Does a way of isolating work on this machine? Found out by running a command in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from autosota.errors import AutosotaError, MachineError
from autosota.ports import Command, Execution, Executor, Limits, Tree
from autosota.records import Recipe
from autosota.sandboxes import files

Way = TypeVar("Way")


def first(ways: Iterable[Way], attempt: Callable[[Way], None], failed: str, hint: str, problem: str = "") -> Way:
    """The first way whose attempt raises nothing. MachineError with `failed` and what went wrong last, `problem` without ways."""
    for way in ways:
        try:
            attempt(way)
            return way
        except AutosotaError as error:
            problem = error.message
    raise MachineError(f"{failed}: {problem}", hint)


def private_tree(executor: Executor, base: Path, user: int, *, seconds: float = 30) -> None:
    """Show a tree, made at `base`, and have `user` read, write and make files in it. Raises MachineError where that fails."""
    files.remove(base)
    base.mkdir()
    (base / "file").write_text("x", encoding="ascii")
    with executor.open(Tree(base), recipe=Recipe(digest="", python="", prefix="")) as sandbox:
        done = sandbox.run(
            Command("echo $(id -u) $(cat file) && echo y > file && echo z > other", limits=Limits(seconds=seconds))
        )
        check(done, done.stdout == f"{user} x\n" and sandbox.read("other", 9) == b"z\n")


def check(done: Execution, right: bool) -> None:
    """Raises MachineError where a probing command failed or did not see what it should."""
    if done.exit_code or not right:
        raise MachineError(f"the probe ended with {done.exit_code}: {(done.stderr or done.stdout)[-300:].strip()}")
