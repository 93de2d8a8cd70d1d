"""S1: the protected zone. Whole files by content, mode and kind; mixed files by the symbols that must stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from autosota import syntax
from autosota.records import Violation
from autosota.redlines.difference import Difference, File

_FIX = "leave the file as it is and make the change in model or training code; if it must be free, name it in `free`"


def files(difference: Difference) -> Iterator[Violation]:
    """R2: a protected file of code or configuration changed."""
    yield from (violation for file in difference.files if not _is_data(file) for violation in _file(file, difference, "R2"))


def data(difference: Difference) -> Iterator[Violation]:
    """R6: protected data changed, or new files appear where the evaluation's data lie."""
    zones = difference.case.environment.zones
    folders = {PurePosixPath(path).parent for path in zones.protected if PurePosixPath(path).suffix.lower() in syntax.DATA}
    for file in difference.files:
        if not _is_data(file):
            continue
        yield from _file(file, difference, "R6")
        beside = PurePosixPath(file.path).parent in folders and PurePosixPath(file.path).parent != PurePosixPath(".")
        if file.before is None and file.after is not None and beside:
            evidence = f"a new file of {len(file.after)} bytes beside the evaluation's data"
            fix = "keep derived data out of the data folder and make them in the evaluation"
            yield Violation(red_line="R6", rule="data-added", action="review", evidence=evidence, file=file.path, fix=fix)


def _is_data(file: File) -> bool:
    return PurePosixPath(file.path).suffix.lower() in syntax.DATA


def _file(file: File, difference: Difference, red_line: str) -> Iterator[Violation]:
    zones = difference.case.environment.zones
    inside = f"{file.path}/"
    if file.after is not None and any(path.startswith(inside) for path in zones.protected):
        yield _reject(file, red_line, f"{file.path} takes the place of a folder with protected files")
        return
    if not zones.is_protected(file.path):
        return
    if file.after is None:
        yield _reject(file, red_line, f"the protected {file.path} is deleted")
    elif file.is_link:
        yield _reject(
            file, red_line, f"the protected {file.path} became a symbolic link to {file.after.decode('utf-8', 'replace')[:80]}"
        )
    elif file.before == file.after:
        yield _reject(file, red_line, f"the mode of the protected {file.path} changed")
    elif _same(file):
        evidence = f"only layout or comments of the protected {file.path} changed; the baseline's copy is measured"
        yield Violation(red_line="R2", rule="protected-formatting", action="note", evidence=evidence, file=file.path)
    else:
        yield _reject(file, red_line, f"the protected {file.path} changed: {_excerpt(file)}")


def _reject(file: File, red_line: str, evidence: str) -> Violation:
    return Violation(
        red_line="R6" if red_line == "R6" else "R2", rule="protected-changed", action="reject", evidence=evidence,
        file=file.path, line=file.first_line() if file.after is not None else None, fix=_FIX,
    )  # fmt: skip


def _same(file: File) -> bool:
    return file.old is not None and file.new is not None and syntax.dump(file.old.tree) == syntax.dump(file.new.tree)


def _excerpt(file: File) -> str:
    line = file.first_line()
    return f"line {line}: {file.added[line].strip()[:120]}" if line is not None else f"{len(file.after or b'')} bytes"
