"""`autosota split`: a one-command evaluation proposed as two, so that labels can be kept away from what predicts.

`separation` cuts the script. Which files, or which column, hold nothing but labels is found by trying: predictions must stay the
same without them, and the score must not. The proposal is a copy of the repository; nothing of the original is changed.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from autosota import compose, config, pipeline, separation, store, syntax
from autosota.errors import StageError, UsageError
from autosota.evaluation import Attempt, Evaluation
from autosota.exports import Swap
from autosota.progress import Progress
from autosota.records import Change, Commands, Environment, Record, Rubric
from autosota.rows import ZIP_ERRORS
from autosota.seeds import Seeds
from autosota.separation import Cut, Inseparable
from autosota.taskfile import FILE_NAME
from autosota.workspace import Workspace

INPUTS = "inputs"
"""Folder of the proposal with test data whose labels are blanked."""
_FILES, _FIELDS, _LARGEST = 12, 10, 64 * 2**20
_LABEL = re.compile(r"label|target|class|truth|gold|answer|outcome|^y$|_y$|y_test", re.IGNORECASE)
_HINT = "docs/task-file.md shows how to write the two commands by hand"


class Split(Record):
    """A separation that was tried: both forms measure the same."""

    path: str
    """Folder of the proposal."""
    script: str
    line: int
    """Where scoring begins in the script."""
    predict: str
    score: str
    outputs: tuple[str, ...]
    crossing: tuple[str, ...]
    labels: tuple[str, ...]
    blanked: Mapping[str, str]
    """File → the column or key that predict sees blanked."""
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    """Metric → values of both forms, one per seed."""


@dataclass
class _Trial:
    """One form under test."""

    parts: pipeline.Parts
    workspace: Workspace
    environment: Environment
    rubric: Rubric

    def evaluation(self) -> Evaluation:
        return pipeline.evaluation(self.parts, self.environment, self.rubric.metrics, self.workspace)

    def attempt(self, seed: int, *, trace: bool = False) -> Attempt:
        return self.evaluation().attempt(self.environment.commit, seed, trace=trace)

    def with_labels(self, name: str, content: bytes | None) -> _Trial:
        """The same with one more label file; `content`: what predict sees in its place."""
        commit, commands = self.environment.commit, self.environment.commands
        predict = commands.predict or ""
        if content is not None:
            commit = self.workspace.commit(commit, [Change(path=f"{INPUTS}/{name}", content=content)])
            copying = f"cp -R {INPUTS}/. . && "
            predict = predict if predict.startswith(copying) else copying + predict
        changed = commands.model_copy(update={"labels": (*commands.labels, name), "predict": predict})
        environment = self.environment.model_copy(update={"commit": commit, "commands": changed})
        return _Trial(self.parts, self.workspace, environment, self.rubric)


def split(flags: dict[str, Any], *, out: Path | None, live: Progress) -> Split:
    """Propose and try the separation of the task that the flags describe; write it to `out`, a new folder.

    Raises StageError with the place where rules cannot separate it, UsageError for flags and folders.
    """
    resolved = config.resolve({**flags, "seeds": flags.get("seeds") or 2})
    with (
        tempfile.TemporaryDirectory(prefix="autosota-split-") as name,
        compose.opened(resolved, Path(name) / "run", live) as parts,
    ):
        task = pipeline.resource(parts)
        repository = Path(task.repository.path)
        folder = out or repository.with_name(f"{repository.name}-split")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} exists", "give a new folder with --out")
        case, workspace = pipeline.replicate(parts)
        try:
            environment = case.environment
            if environment.commands.sealed:
                raise UsageError("this task predicts and scores with two commands already", "there is nothing to split")
            seeds = Seeds(parts.store.secret()).draw("noise", 2)
            before = _Trial(parts, workspace, environment, case.rubric)
            proposal, cut, blanked = _proposed(before, seeds[0], live)
            values = _compared(before, proposal, seeds)
            _write(proposal, cut, folder)
        finally:
            workspace.close()
    commands = proposal.environment.commands
    return Split(
        path=str(folder), script=cut.script, line=cut.line, predict=commands.predict or "", score=commands.score or "",
        outputs=commands.outputs, crossing=cut.crossing, labels=commands.labels, blanked=blanked, seeds=seeds, values=values,
    )  # fmt: skip


# ── proposing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _proposed(before: _Trial, seed: int, live: Progress) -> tuple[_Trial, Cut, dict[str, str]]:
    environment, workspace = before.environment, before.workspace
    command = environment.commands.evaluate or ""
    try:
        cut = separation.cut(workspace.tree(environment.commit), command, before.rubric.metrics)
    except Inseparable as reason:
        raise StageError(f"rules cannot separate predicting from scoring: {reason}", _HINT) from None
    live.note(f"cut at {cut.script}:{cut.line}; {', '.join(cut.crossing)} would cross")
    lines = [
        f"export {separation.VARIABLE}={{outputs}}; {_instead(command, cut.script, half)}" for half in (cut.predict, cut.score)
    ]
    changes = [Change(path=path, content=text.encode()) for path, text in cut.files.items()]
    commands = Commands(
        predict=lines[0], score=lines[1], outputs=(separation.CROSSING,), metrics=environment.commands.metrics,
        items=environment.commands.items, seed=environment.commands.seed, access=environment.commands.access,
    )  # fmt: skip
    commit = workspace.commit(environment.commit, changes)
    trial = _Trial(
        before.parts, workspace, environment.model_copy(update={"commit": commit, "commands": commands}), before.rubric
    )
    reference = before.attempt(seed, trace=True)
    _same(reference, trial.attempt(seed), "without scoring in the same process", seed)
    blanked: dict[str, str] = {}
    for name in _data_files(trial, reference.read)[:_FILES]:
        found = _without(trial, name, seed, reference)
        if found is not None:
            trial, field = found
            blanked.update({name: field} if field else {})
            live.note(
                f"labels: {name}" + (f", of which predict sees all but {field}" if field else ", which predict does not need")
            )
    if not trial.environment.commands.labels:
        raise StageError(
            "no file holds labels that predicting could do without: they come out of code, or out of a file with training data",
            f"write test labels to a file of their own; {_HINT}",
        )
    return trial, cut, blanked


def _instead(command: str, script: str, half: str) -> str:
    """The command with one half in the place of the script."""
    module, other = (str(PurePosixPath(path).with_suffix("")).replace("/", ".") for path in (script, half))
    changed = re.sub(rf"(?<![\w./-])(\./)?{re.escape(script)}(?![\w./-])", half, command)
    if changed == command:
        changed = re.sub(rf"(-m\s+){re.escape(module)}(?![\w.])", rf"\g<1>{other}", command)
    if changed == command:
        name, new = PurePosixPath(script).name, PurePosixPath(half).name
        changed = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", new, command)
    if changed == command:
        raise StageError(f"the command does not name {script}: {command}", _HINT)
    return changed


def _data_files(trial: _Trial, read: frozenset[str]) -> list[str]:
    """Files with data that the evaluation read, those that sound like test data or labels first."""
    found = [
        path
        for path in {*read, *(name for name in trial.environment.zones.ignored if not name.endswith("/"))}
        if PurePosixPath(path).suffix.lower() in syntax.DATA | {".json"} and _size(trial, path) <= _LARGEST
    ]  # fmt: skip
    return sorted(found, key=lambda path: (not re.search(r"test|label|truth|gold|eval|answer", path, re.IGNORECASE), path))


def _size(trial: _Trial, name: str) -> int:
    path = trial.workspace.repository / name
    return path.stat().st_size if path.is_file() else 0


def _content(trial: _Trial, name: str) -> bytes:
    inside = trial.workspace.tree(trial.environment.commit).get(name)
    if inside is not None:
        return inside
    path = trial.workspace.repository / name
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""


def _without(trial: _Trial, name: str, seed: int, reference: Attempt) -> tuple[_Trial, str] | None:
    """The trial with labels in `name` kept from predict: the whole file, or one column of it; None where neither works."""
    content = _content(trial, name)
    whole = trial.with_labels(name, None)
    attempt = whole.attempt(seed)
    if _equal(reference, attempt):
        return (whole, "") if _matters(whole, name, b"", seed, attempt) else None
    for field, blank in _blanks(name, content):
        other = trial.with_labels(name, blank)
        attempt = other.attempt(seed)
        if _equal(reference, attempt) and _matters(other, name, blank, seed, attempt):
            return other, field
    return None


def _matters(trial: _Trial, name: str, blank: bytes, seed: int, attempt: Attempt) -> bool:
    """Does the score change with what is taken away?"""
    scored = trial.evaluation().score(seed, attempt.outputs, swap=Swap("blank", {name: blank}))
    return not _equal(attempt, scored)


def _blanks(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies of a file with one column or key emptied of information, likely label columns first."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".csv", ".tsv"):
        yield from _columns(content, "\t" if suffix == ".tsv" else ",")
    elif suffix == ".npz":
        yield from _arrays(content)
    elif suffix in (".jsonl", ".json"):
        yield from _keys(content, lines=suffix == ".jsonl")


def _order(names: list[str]) -> list[int]:
    """Positions, names that sound like labels first, then from the last to the first."""
    return sorted(range(len(names)), key=lambda index: (not _LABEL.search(names[index]), -index))[:_FIELDS]


def _columns(content: bytes, delimiter: str) -> Iterator[tuple[str, bytes]]:
    text = syntax.text(content)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter)) if text else []
    if len(rows) < 3 or any(len(row) != len(rows[0]) for row in rows):
        return
    header = rows[0]
    for index in _order(header):
        blank = [header, *([*row[:index], rows[1][index], *row[index + 1 :]] for row in rows[1:])]
        sink = io.StringIO()
        csv.writer(sink, delimiter=delimiter, lineterminator="\n").writerows(blank)
        yield header[index], sink.getvalue().encode()


def _arrays(content: bytes) -> Iterator[tuple[str, bytes]]:
    import numpy

    try:
        with numpy.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (*ZIP_ERRORS, KeyError):
        return
    names = list(arrays)
    for index in _order(names):
        sink = io.BytesIO()
        array = arrays[names[index]]
        numpy.savez(sink, **{**arrays, names[index]: numpy.broadcast_to(array.flat[0], array.shape) if array.size else array})
        yield names[index], sink.getvalue()


def _keys(content: bytes, *, lines: bool) -> Iterator[tuple[str, bytes]]:
    try:
        text = content.decode("utf-8")
        rows = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except ValueError:
        return
    if not isinstance(rows, list) or len(rows) < 2 or not all(isinstance(row, dict) and row for row in rows):
        return
    names = [name for name in rows[0] if all(name in row for row in rows)]
    for index in _order(names):
        name = names[index]
        blank = [{**row, name: rows[0][name]} for row in rows]
        written = "".join(json.dumps(row) + "\n" for row in blank) if lines else json.dumps(blank)
        yield name, written.encode()


# ── comparing and writing ─────────────────────────────────────────────────────────────────────────────────────────────


def _equal(one: Attempt, other: Attempt) -> bool:
    return other.failure is None and dict(one.values) == dict(other.values)


def _same(one: Attempt, other: Attempt, words: str, seed: int) -> None:
    if one.failure is not None:
        raise StageError(f"the evaluation as it is fails with seed {seed}: {one.failure}", "make it run first")
    if not _equal(one, other):
        got = other.failure or ", ".join(f"{name} {value!r}" for name, value in other.values.items())
        was = ", ".join(f"{name} {value!r}" for name, value in one.values.items())
        raise StageError(f"the two forms do not measure the same {words}, seed {seed}: {was} before, {got} after", _HINT)


def _compared(before: _Trial, after: _Trial, seeds: tuple[int, ...]) -> dict[str, tuple[float, ...]]:
    """Both forms on every seed. Raises StageError where they differ in any metric."""
    values: dict[str, tuple[float, ...]] = {}
    for seed in seeds:
        one = before.attempt(seed)
        _same(one, after.attempt(seed), "with the labels kept away", seed)
        for name, value in one.values.items():
            values[name] = (*values.get(name, ()), value)
    return values


def _write(trial: _Trial, cut: Cut, folder: Path) -> None:
    """The proposal as a folder: the repository, both halves, a task file."""
    commands, given = trial.environment.commands, trial.parts.resolved.task_file
    if folder.exists():
        os.rmdir(folder)
    trial.workspace.export(trial.environment.commit, folder)
    evaluation: dict[str, Any] = {
        "predict": commands.predict, "score": commands.score, "outputs": list(commands.outputs), "labels": list(commands.labels),
        "metrics": commands.metrics, "items": commands.items,
        "protected": [cut.score, *commands.labels, *([f"{INPUTS}/**"] if INPUTS in (commands.predict or "") else [])],
    }  # fmt: skip
    if commands.seed.kind == "option" and commands.seed.option:
        evaluation["predict"] = f"{commands.predict} {commands.seed.option} {{seed}}"
    elif commands.seed.kind == "key":
        evaluation["seed"] = f"{commands.seed.file}:{commands.seed.key}"
    kept = ("name", "direction", "primary", "reported", "tolerance", "margin", "floor", "ceiling", "section")
    table = {
        "repository": ".",
        "evaluation": evaluation,
        "metric": [
            {key: getattr(spec, key) for key in kept if getattr(spec, key) not in (None, False)} for spec in trial.rubric.metrics
        ],
        "constraint": [item.model_dump(mode="json", exclude={"evidence"}, exclude_none=True) for item in given.constraint],
    }
    head = f"# Proposed by `autosota split`: {cut.script} cut at line {cut.line}. Read both halves before relying on them.\n"
    text = head + store.to_toml({key: value for key, value in table.items() if value})
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def text(found: Split) -> str:
    """What the command prints."""
    lines = [
        f"{found.script} cut at line {found.line}",
        f"predict  {found.predict}",
        f"score    {found.score}",
        f"crosses  {', '.join(found.crossing)} in {', '.join(found.outputs)}",
    ]
    for label in found.labels:
        lines.append(f"labels   {label}" + (f", column {found.blanked[label]}" if label in found.blanked else ""))
    for name, values in found.values.items():
        lines.append(f"same     {name} {', '.join(f'{value:.6g}' for value in values)} with both forms")
    return "\n".join([*lines, "", f"wrote    {found.path}", f"next     autosota run {found.path}"])
