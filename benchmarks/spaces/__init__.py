"""Search spaces written by hand, as somebody who knows the example and plain Optuna would write them.

One module for each example paper: how it is measured, what may be varied and within which range, and a good setting found by
hand. The benchmarks compare autosota's automatic space with these; `benchmarks/headroom.py` measures the good settings.
"""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = bool | int | float | str


@dataclass(frozen=True)
class Dimension:
    """One value that may be varied: a number from `low` to `high` (both included), or one of `choices`."""

    where: str
    """`--option`, `file:dotted.key` of a YAML, JSON or INI file, or `file:text` with `{}` for the value, where `text` with the
    shipped value stands exactly once."""
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[Value, ...] = ()
    shipped: Value | None = None
    """The value the repository ships with; needed for `file:text` only."""


@dataclass(frozen=True)
class Example:
    """An example paper with its hand-written space."""

    name: str
    commands: tuple[str, ...]
    """Run in order from the repository's root; {seed} is filled in, {options} takes the options."""
    pattern: str
    """Finds the primary metric in what the commands print."""
    direction: str
    space: Mapping[str, Dimension]
    good: Mapping[str, Value]
    """A good setting within the space, found by hand."""
    structure: tuple[tuple[str, str, str], ...] = ()
    """Edits (file, old text, new text) that no value of the space reaches."""
    good_with_structure: Mapping[str, Value] = field(default_factory=dict)
    """A good setting for the edited repository."""
    seed: str | None = None
    """`file:dotted.key` where the seed is a key and not in the commands."""
    second: str | None = None
    """Finds the second metric of the paper's table."""


def names() -> list[str]:
    """The examples that have a module here."""
    return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py"))


def load(name: str) -> Example:
    """The module's example."""
    example = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").EXAMPLE
    assert isinstance(example, Example)
    return example


def suggest(trial: Any, space: Mapping[str, Dimension]) -> dict[str, Value]:
    """A setting from an Optuna trial."""
    setting: dict[str, Value] = {}
    for name, dimension in space.items():
        if dimension.choices:
            setting[name] = trial.suggest_categorical(name, dimension.choices)
        elif dimension.whole:
            setting[name] = trial.suggest_int(name, int(dimension.low or 0), int(dimension.high or 0), log=dimension.log)
        else:
            setting[name] = trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    return setting


def write(repository: Path, example: Example, setting: Mapping[str, Value]) -> str:
    """Write `setting` into a copy of the repository and return the options to add to the command."""
    options = []
    for name, value in setting.items():
        dimension = example.space[name]
        if dimension.where.startswith("--"):
            options.append(f"{dimension.where} {value}")
            continue
        file, _, place = dimension.where.partition(":")
        if "{}" in place:
            replace(repository / file, place.format(_code(dimension.shipped)), place.format(_code(value)))
        else:
            write_key(repository / file, place, value)
    return " ".join(options)


def replace(path: Path, old: str, new: str) -> None:
    """Replace text that occurs exactly once."""
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{path}: {old!r} occurs {text.count(old)} times")
    path.write_text(text.replace(old, new), encoding="utf-8")


def write_key(path: Path, key: str, value: Value) -> None:
    """Set the last part of a dotted key in a YAML, JSON or INI file that has it once."""
    text = path.read_text(encoding="utf-8")
    shown = str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
    pattern = rf'^(\s*"?{re.escape(key.rpartition(".")[2])}"?\s*[:=]\s*)([^\s,#]+)'
    text, count = re.subn(pattern, lambda match: match[1] + shown, text, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{path}: the key {key} occurs {count} times")
    path.write_text(text, encoding="utf-8")


def run(example: Example, repository: Path, *, seed: int, options: str, variables: Mapping[str, str]) -> str:
    """Run the commands in a copy of the repository and return what they print. Raises RuntimeError where one fails."""
    if example.seed:
        file, _, key = example.seed.partition(":")
        write_key(repository / file, key, seed)
    printed = ""
    for command in example.commands:
        done = subprocess.run(
            ["sh", "-c", command.format(seed=seed, options=options)],
            cwd=repository,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        printed += done.stdout
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.strip()[-500:]}")
    return printed


def read(printed: str, pattern: str) -> float:
    """The last number that `pattern` finds. Raises RuntimeError where there is none."""
    found = re.findall(pattern, printed)
    if not found:
        raise RuntimeError(f"{pattern} is not in {printed!r}")
    return float(found[-1])


def _code(value: Value | None) -> str:
    return repr(value).replace("'", '"')


__all__: Sequence[str] = ["Dimension", "Example", "load", "names", "read", "replace", "run", "suggest", "write", "write_key"]
