"""The task file `autosota.toml` (contract, section 3): its schema, and errors that name the nearest known key."""

from __future__ import annotations

import difflib
import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autosota.errors import UsageError
from autosota.records import Constraint, MetricSpec, OutputForm

FILE_NAME = "autosota.toml"
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EvaluationTable(_Table):
    """[evaluation]: one command, or predict and score."""

    command: str | None = None
    """One command that trains or loads, predicts, scores and prints. `{seed}` is filled in."""
    predict: str | None = None
    """In place of `command`: the candidate's code, which sees no labels. It writes its outputs below `{outputs}`."""
    score: str | None = None
    """With `predict`: the baseline's code. `{outputs}` and `{labels}` are the folders it reads."""
    outputs: tuple[str, ...] = ()
    """The only files that cross from `predict` to `score`, named as below `{outputs}`."""
    labels: tuple[str, ...] = ()
    """Files with the truth. With `predict` they go to the vault: gone from every tree but the one that scores. With one command
    they are protected, and probes swap them."""
    metrics: str | None = None
    """A file with the metrics (JSON, CSV or any text), where they are not on stdout."""
    items: str | None = None
    """A file with one row per scored item, for tests over items where the seed changes nothing."""
    protected: tuple[str, ...] = ()
    """Globs of files that are measured from the baseline's copy, whatever a candidate did to them. Always wins."""
    free: tuple[str, ...] = ()
    """Globs of files that a candidate may change; all others are then protected. Absent: found by analysis."""
    timeout: str | float | None = None
    """Of one evaluation."""
    seeds: int | None = Field(default=None, ge=2, le=100)
    """How often the baseline is repeated for its mean and noise."""
    progress: str | None = None
    """NAME:min or NAME:max of a number printed as training goes on; a candidate far behind in it is ended early."""
    access: Literal["row", "set", "stream"] = "set"
    """How test inputs may be used: `row` each on its own, `set` all together, order-free, `stream` past only. Probes hold it."""
    sealed: str | None = None
    """A folder outside the repository: its files replace those of the same relative path in both arms at the confirmation."""
    withhold: float | None = Field(default=None, gt=0, lt=1)
    """Share of the labeled rows that search is not scored on and claims stand on, chosen by a secret. With `predict`."""
    redraws: bool = False
    """Each seed draws its own scored rows (a simulation, a split by seed), so that fresh seeds cover their luck."""
    seed: str | None = None
    """Where the seed is set if the command has no {seed}: an option ("--seed") or "file:key"."""
    schema_: SchemaTable | None = Field(default=None, alias="schema")
    """What a valid prediction file is; one that is none is not scored."""

    @property
    def form(self) -> OutputForm | None:
        """The schema as a record."""
        return OutputForm(**self.schema_.model_dump()) if self.schema_ is not None else None

    @field_validator("outputs", "labels", "metrics", "items")
    @classmethod
    def _plain(cls, names: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        """The one spelling of a path: names of files are compared."""
        if isinstance(names, tuple):
            return tuple(posixpath.normpath(name) for name in names)
        return names and posixpath.normpath(names)


class SchemaTable(_Table):
    """[evaluation.schema]: what a valid prediction file is. With `predict`."""

    ids: Literal["unique"] | None = None
    """Every item exactly once."""
    probabilities: Literal["simplex"] | None = None
    """Rows are not negative and add up to one."""
    finite: bool | None = None
    """No NaN, no infinity."""
    shape: Literal["rows"] | None = None
    """As many rows as there are labels."""


class MetricTable(_Table):
    """[[metric]]."""

    name: str
    """As the evaluation prints it, without regard to case, punctuation and spaces. `cpu_seconds` is what the host measures."""
    direction: Literal["max", "min"] | None = None
    """Is larger or smaller better. Absent: from the paper or the name, else an error that asks."""
    primary: bool = False
    """The one that decides. Without it the first metric is."""
    reported: float | None = None
    """The paper's number, in its own unit."""
    tolerance: float | None = Field(default=None, ge=0)
    """Absolute: how near counts as reproduced. Absent: two standard deviations of the baseline, at least 1 % of the value."""
    margin: float | None = Field(default=None, ge=0)
    """Relative: may get worse by so much before a gain is a trade-off. Absent or 0: not significantly worse."""
    floor: float | None = None
    """A red line (R7): a mean below is rejected, a confidence bound below goes to review."""
    ceiling: float | None = None
    """The same from above."""
    section: str | None = None
    """Text of the line above, where a name occurs more than once in the output."""


class BudgetTable(_Table):
    """[budget]."""

    trials: int | None = Field(default=None, ge=0)
    """Evaluations of candidates in search; the confirmation is reserved besides."""
    time: str | float | None = None
    """Of the whole run, confirmation included."""
    cost: float | None = Field(default=None, ge=0)
    """US dollars for models: a hard cap, also with several questions in flight."""
    controls: int | None = Field(default=None, ge=0, le=100)
    """Further evaluations of a confirmed candidate for probes and controls; 10 where absent, 0 makes none."""
    memory: str | int | None = None
    """Of one evaluation with all its processes."""
    disk: str | int | None = None
    """Written by one evaluation."""
    processes: int | None = Field(default=None, ge=1)
    """Of one evaluation at a time."""


class TaskFile(_Table):
    """The whole file. Absent keys are None: rules and flags fill them."""

    paper: str | None = None
    """PDF, LaTeX, HTML or Markdown file, arXiv id or URL."""
    repository: str | None = None
    """The code: a directory, an archive or a git URL; relative to the task file."""
    python: str | None = None
    """An existing interpreter, whose environment is used instead of a built one."""
    env: tuple[str, ...] = ()
    """Environment variables let into the sandbox. Keys and tokens never are."""
    mounts: dict[str, str] = {}
    """Data outside the repository: path in the repository → host folder or file, read-only in the sandbox."""
    evaluation: EvaluationTable = EvaluationTable()
    """How it is measured."""
    metric: tuple[MetricTable, ...] = ()
    """What is measured, the first or the primary one decides."""
    constraint: tuple[Constraint, ...] = ()
    """What this paper's protocol demands (R7)."""
    budget: BudgetTable = BudgetTable()
    """What a run may spend."""

    def metric_specs(self) -> tuple[MetricSpec, ...]:
        """The metrics that state a direction, primary first; one without is the objective agent's to complete."""
        specs = [MetricSpec(**table.model_dump()) for table in self.metric if table.direction is not None]
        return tuple(sorted(specs, key=lambda spec: not spec.primary))


EvaluationTable.model_rebuild()


def seconds(text: str | float) -> float:
    """ "10m", "2h", "1h30m", "90" or a number → seconds. Raises UsageError."""
    if isinstance(text, (int, float)):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not parts or re.sub(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*", "", text.strip().lower()) or any(u not in _UNITS for _, u in parts):
        raise UsageError(f"not a duration: {text!r}", 'write it like "90s", "10m" or "2h"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size(text: str | int) -> int:
    """ "8GB", "512MiB" or a number → bytes. Raises UsageError."""
    if isinstance(text, int):
        return text
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if not match or match[2] not in _SIZES:
        raise UsageError(f"not a size: {text!r}", 'write it like "8GB" or "512MiB"')
    return int(float(match[1]) * _SIZES[match[2]])


def load(path: Path) -> TaskFile:
    """Read and validate a task file. Raises UsageError with the line or key that is wrong."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"no task file at {path}", "`autosota init` writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}", "strings need quotes; tables are [name], lists [[name]]") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", "give a readable file with --task") from None
    try:
        task = TaskFile.model_validate(data)
    except ValidationError as error:
        raise UsageError(*_explain(path, error)) from None
    _check(path, task)
    return task


def _check(path: Path, task: TaskFile) -> None:
    evaluation = task.evaluation
    if evaluation.command and (evaluation.predict or evaluation.score):
        raise UsageError(f"{path}: [evaluation] has both `command` and `predict`/`score`", "keep one form")
    if bool(evaluation.predict) != bool(evaluation.score):
        raise UsageError(f"{path}: [evaluation] needs both `predict` and `score`", "or one `command`")
    if evaluation.predict and not evaluation.outputs:
        raise UsageError(
            f"{path}: [evaluation] has `predict` but no `outputs`",
            'name the files that cross, e.g. outputs = ["predictions.npz"]',
        )
    for key, given in (("withhold", evaluation.withhold), ("schema", evaluation.schema_)):
        if given is not None and not (evaluation.predict and evaluation.labels):
            raise UsageError(
                f"{path}: [evaluation] {key} needs `predict`, `score`, `outputs` and `labels`",
                "`autosota split` proposes the two commands for one; or give fresh rows with `sealed`",
            )
    if evaluation.withhold is not None and evaluation.sealed is not None:
        raise UsageError(
            f"{path}: [evaluation] has both `sealed` and `withhold`", "keep one: claims stand on the sealed or the withheld rows"
        )
    for name in (*evaluation.outputs, *evaluation.labels, evaluation.metrics, evaluation.items):
        if name is not None and (name.startswith(("/", "..")) or name == "."):
            raise UsageError(f"{path}: [evaluation] names {name!r}", 'files are named by relative paths, e.g. "data/file.csv"')
    if evaluation.progress is not None and evaluation.progress.rpartition(":")[2] not in ("min", "max"):
        raise UsageError(
            f"{path}: [evaluation] progress = {evaluation.progress!r} has no direction", 'write it like "val loss:min"'
        )
    if sum(metric.primary for metric in task.metric) > 1:
        raise UsageError(f"{path}: more than one [[metric]] is primary", "keep `primary = true` on one")
    names = [re.sub(r"[\W_]+", "", metric.name.lower()) for metric in task.metric]
    if len(set(names)) < len(names):
        raise UsageError(f"{path}: two [[metric]] tables have the same name", "names are compared without case and punctuation")
    try:
        for text in (evaluation.timeout, task.budget.time):
            if text is not None:
                seconds(text)
        for amount in (task.budget.memory, task.budget.disk):
            if amount is not None:
                size(amount)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None


def _explain(path: Path, error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        near = difflib.get_close_matches(key, _keys(first["loc"][:-1]), n=1, cutoff=0.4)
        return (
            f"{path}: unknown key `{where}`",
            f"did you mean `{near[0]}`?" if near else "see the task file's reference in the docs",
        )
    return f"{path}: `{where}`: {first['msg']}, got {first.get('input')!r}", "see the task file's reference in the docs"


def _keys(location: tuple[Any, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "evaluation": EvaluationTable,
        "schema": SchemaTable,
        "metric": MetricTable,
        "constraint": Constraint,
        "budget": BudgetTable,
    }
    names = [part for part in location if isinstance(part, str)]
    table: type[BaseModel] = tables.get(names[-1], TaskFile) if names else TaskFile
    return [info.alias or name for name, info in table.model_fields.items()]
