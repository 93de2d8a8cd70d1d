"""Every value that passes between stages. Read this first.

All are frozen and refuse unknown fields. Paths are relative to the repository's root with forward slashes unless a docstring
says otherwise; times are seconds; sizes are bytes; seeds are 31-bit integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

Direction = Literal["max", "min"]
Purpose = Literal["trace", "noise", "search", "confirm", "control", "probe", "verify"]
Grade = Literal["CONFIRMED", "DISCLOSE", "SUGGESTIVE", "UNCONFIRMED", "REVIEW", "REJECTED"]
Assurance = Literal["sealed", "guarded", "observed"]
Level = Literal["PARAM", "CODE", "ALGO"]
Scope = Literal["micro", "meso", "macro"]
Risk = Literal["low", "medium", "high"]
PaperKind = Literal["method", "theory", "benchmark", "survey"]
Scalar = bool | int | float | str | None
"""A knob's value."""


class Record(BaseModel):
    """Base of all records: frozen, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ── read: paper and repository ────────────────────────────────────────────────────────────────────────────────────────


class Evidence(Record):
    """Where a fact was read."""

    file: str | None = None
    """Repository path, or None when it is in the paper."""
    line: int | None = None
    page: int | None = None
    quote: str = ""
    """The words it was read from, at most 300 characters."""


class Link(Record):
    """An address found in the paper."""

    url: str
    where: Literal["front", "footnote", "body", "references", "annotation"]
    page: int | None = None
    text: str = ""


class Section(Record):
    """A headed part of the paper."""

    title: str
    text: str
    level: int = 1
    page: int | None = None


class Table(Record):
    """A table of the paper, cells as printed."""

    caption: str
    header: tuple[str, ...]
    """One name per column; the rows of a multi-row head are joined with a space."""
    rows: tuple[tuple[str, ...], ...]
    page: int | None = None


class Paper(Record):
    """What was read from the paper (paper section 3.2)."""

    source: str
    """Path, address or arXiv id it came from."""
    digest: str
    """sha256 of the source bytes."""
    title: str
    abstract: str = ""
    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[Link, ...] = ()
    pages: int | None = None
    notes: tuple[str, ...] = ()
    """What could not be read, in words."""


class Classification(Record):
    """What kind of paper it is (paper section 3.2), and which of its words say so."""

    kind: PaperKind
    reason: str


class Repository(Record):
    """A local snapshot of the paper's code."""

    source: str
    """Directory, archive or git URL as given or found."""
    kind: Literal["directory", "archive", "git"]
    path: str
    """Absolute path of the directory on this machine; never written to by autosota."""
    commit: str | None = None
    """Upstream commit where the source has one."""
    notes: tuple[str, ...] = ()


class Asset(Record):
    """A data set, model or checkpoint the repository refers to (paper 3.2.2)."""

    kind: Literal["dataset", "model", "checkpoint", "other"]
    name: str
    url: str | None = None
    path: str | None = None
    """Where the code expects it."""
    bytes: int | None = None
    digest: str | None = None
    present: bool = False
    evidence: Evidence = Evidence()


class Readiness(Record):
    """Is this repository worth starting on? Deliberately permissive (paper 3.2.1)."""

    ready: bool
    reasons: tuple[str, ...]


class Task(Record):
    """Output of resource: what the run is about. File 01-task.json."""

    version: int = 1
    paper: Paper | None
    repository: Repository
    readiness: Readiness
    assets: tuple[Asset, ...] = ()
    classification: Classification | None = None
    """Of the paper; None without one."""


# ── objective ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class MetricSpec(Record):
    """One number the evaluation reports, and which way is better."""

    name: str
    direction: Direction
    primary: bool = False
    reported: float | None = None
    """The paper's number, in the paper's unit (per cent or fraction as printed)."""
    spread: float | None = None
    tolerance: float | None = None
    """Absolute; how near the reported number counts as reproduced."""
    margin: float | None = None
    """Relative; how much worse it may get before a gain becomes a trade-off. None or 0: not significantly worse."""
    floor: float | None = None
    ceiling: float | None = None
    section: str | None = None
    """Text of the line above, where a name occurs more than once in the output."""
    dataset: str | None = None
    setting: str | None = None
    scale: float | None = None
    """Factor from the printed to the reported unit, fixed by what the baseline prints; None: told apart per reading."""
    evidence: Evidence | None = None

    def gain(self, baseline: float, value: float) -> float:
        """How much better `value` is than `baseline`; positive is better. The only place where direction is applied."""
        return value - baseline if self.direction == "max" else baseline - value


class Criterion(Record):
    """A node of the rubric tree, in PaperBench's JSON shape; the weights of children sum to their parent's share."""

    id: str
    requirements: str
    weight: float
    sub_tasks: tuple[Criterion, ...] = ()
    task_category: str | None = None
    """Leaves only: "Code Development", "Code Execution" or "Result Analysis"."""
    finegrained_task_category: str | None = None
    check: str | None = None
    """Leaves only: the name of the check that decides it by code, e.g. "file-exists:train.py", "metric:accuracy"."""
    passed: bool | None = None
    evidence: tuple[Evidence, ...] = ()


class Constraint(Record):
    """R7: what this paper's protocol demands. Holds for the effective value, not only for the text."""

    text: str
    """In words, for the report and for people."""
    file: str | None = None
    """Where the value stands: YAML, TOML, JSON, INI or Python."""
    key: str | None = None
    """Dotted path in `file`; in Python a module or class constant or an option's default. Without it only people can check."""
    min: float | None = None
    """Least value. Without `min`, `max` and `one_of`, the baseline's value is fixed."""
    max: float | None = None
    """Greatest value."""
    one_of: tuple[Scalar, ...] | None = None
    """Allowed values."""
    evidence: Evidence | None = None


class Rubric(Record):
    """Output of objective: what counts as reproduced. File 02-rubric.json."""

    version: int = 1
    metrics: tuple[MetricSpec, ...]
    """Exactly one is primary; it stands first."""
    tree: Criterion
    score: float | None = None
    """Weighted share of decided leaves that pass, in [0, 1]; None before anything was checked."""
    constraints: tuple[Constraint, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def primary(self) -> MetricSpec:
        """The metric that decides."""
        return self.metrics[0]


# ── init: environment and baseline ────────────────────────────────────────────────────────────────────────────────────


class Package(Record):
    """An installed distribution."""

    name: str
    version: str


class Mount(Record):
    """A host path made visible in the sandbox."""

    source: str
    """Absolute host path."""
    target: str
    """Absolute path in the sandbox, or relative to the tree's root."""
    writable: bool = False


class Recipe(Record):
    """The environment commands run in; content-addressed, mounted read-only."""

    digest: str
    """Key of the built environment in the cache; for an existing interpreter the digest of its package list."""
    python: str
    """Absolute path of the interpreter, the same inside and outside."""
    prefix: str
    """Absolute path of the environment's folder."""
    paths: tuple[str, ...] = ()
    """Further absolute host folders the interpreter needs, read-only (its base installation)."""
    variables: Mapping[str, str] = {}
    """Environment variables that every command gets (threads, MPLBACKEND, service switches)."""
    packages: tuple[Package, ...] = ()
    requirements: tuple[str, ...] = ()
    """What was asked for, as requirement lines, and from where in `notes`."""
    seconds: float = 0.0
    """Time it took to build; 0 when it came from the cache."""
    notes: tuple[str, ...] = ()


class SeedPlace(Record):
    """Where the host sets the seed, the same way in both arms."""

    kind: Literal["placeholder", "option", "key", "environment"]
    option: str | None = None
    """kind=option: the flag appended to the command, e.g. "--seed"."""
    file: str | None = None
    """kind=key: the file, and the dotted `key` in it."""
    key: str | None = None


class OutputForm(Record):
    """What a valid prediction file is; absent fields are not checked."""

    ids: Literal["unique"] | None = None
    """Every item exactly once."""
    probabilities: Literal["simplex"] | None = None
    """Rows are not negative and add up to one."""
    finite: bool | None = None
    """No NaN, no infinity."""
    shape: Literal["rows"] | None = None
    """As many rows as there are labels."""


class Commands(Record):
    """How the repository is measured: `evaluate`, or `predict` and `score`."""

    evaluate: str | None = None
    predict: str | None = None
    score: str | None = None
    outputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    metrics: str | None = None
    """File with the metrics, relative to the tree."""
    items: str | None = None
    """File with one row per scored item, for tests over items."""
    progress: str | None = None
    """Name of a number printed as the run goes on, "val loss:min": a candidate far behind the baseline in it is ended early."""
    seed: SeedPlace = SeedPlace(kind="environment")
    access: Literal["row", "set", "stream"] = "set"
    """How test inputs may be used: each row on its own, all together and order-free, or past rows only."""
    redraws: bool = False
    """Each seed draws its own scored rows: seeds alone cover their noise."""
    withhold: float | None = None
    """Share of the labels' rows that search is not scored on and that claims stand on."""
    form: OutputForm | None = None
    """What the outputs that cross must be."""

    @property
    def sealed(self) -> bool:
        """Are predicting and scoring two processes?"""
        return self.predict is not None


class Zones(Record):
    """Which files a candidate may change. Everything not listed as protected is free."""

    protected: tuple[str, ...]
    """Paths measured from the baseline's copy, whatever the candidate did to them."""
    symbols: Mapping[str, tuple[str, ...]] = {}
    """Files that are free except for these functions, classes, constants and keys: path → qualified names."""
    reached: tuple[str, ...] = ()
    """Files of the repository that the traced evaluation read."""
    ignored: tuple[str, ...] = ()
    """Git-ignored files the evaluation read: digested, bound read-only, never committed."""
    notes: tuple[str, ...] = ()

    def is_protected(self, path: str) -> bool:
        """Is the whole file protected?"""
        return path in self._protected

    @cached_property
    def _protected(self) -> frozenset[str]:
        return frozenset(self.protected)


class Repair(Record):
    """One attempt at a failure (paper 3.6)."""

    signature: str
    """Normalised error: paths, numbers and hashes removed."""
    skill: str
    outcome: Literal["worked", "failed", "skipped"]
    attempts: int = 1
    changed: tuple[str, ...] = ()
    """Files edited in the tree, or "environment", "command"."""
    note: str = ""


class Environment(Record):
    """Output of init.prepare. File 03-environment.json."""

    version: int = 1
    commit: str
    """Host-side commit of the tree to measure as the baseline: upstream plus repairs."""
    recipe: Recipe
    commands: Commands
    zones: Zones
    mounts: tuple[Mount, ...] = ()
    """Data outside the repository and git-ignored data, read-only."""
    repairs: tuple[Repair, ...] = ()
    sealed: Mapping[str, str] = {}
    """Path in the tree → file of the host that replaces it at the confirmation, absolute."""
    threads: int = 1
    """OMP_NUM_THREADS and its like, the same in every arm."""
    notes: tuple[str, ...] = ()


class Measurement(Record):
    """One finished evaluation: a line of measurements.jsonl, hash-chained."""

    commit: str
    seed: int
    purpose: Purpose
    values: Mapping[str, float]
    """Metric name → value, in the unit of the rubric; empty when it failed."""
    seconds: float
    cpu_seconds: float
    exit_code: int
    peak_memory: int | None = None
    failure: str | None = None
    """Why there are no complete metrics: one line, or None."""
    notes: tuple[str, ...] = ()
    tail: str = ""
    """Last 2,000 characters of output, kept for failures only."""
    progress: tuple[float, ...] = ()
    """The declared progress number, in the order it was printed."""
    also: Mapping[str, Mapping[str, float]] = {}
    """Where rows are withheld, the values of the same run on other rows: "visible", "whole"."""
    arm: str = ""
    """Set where the same commit is measured in a modified setting (controls, probes)."""
    protocol: str = ""
    previous: str = ""

    @property
    def ok(self) -> bool:
        """Did it deliver every metric?"""
        return self.failure is None

    @property
    def whole(self) -> Mapping[str, float]:
        """The values over all rows, which the paper's numbers are compared with."""
        return self.also.get("whole", self.values)


class Baseline(Record):
    """Output of init.reproduce. File 04-baseline.json."""

    version: int = 1
    measurements: tuple[Measurement, ...]
    mean: Mapping[str, float]
    noise: Mapping[str, float]
    """Standard deviation over seeds per metric (n-1); 0 when the seed changes nothing."""
    seconds: float
    """Median wall time of an evaluation."""
    cpu_seconds: float
    reproduced: Literal["yes", "partly", "no", "unknown"]
    deterministic: bool
    """The seed changes nothing."""
    notes: tuple[str, ...] = ()


# ── ideator: analysis and ideas ───────────────────────────────────────────────────────────────────────────────────────


class Space(Record):
    """The values a knob may take."""

    kind: Literal["float", "int", "choice"]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Scalar, ...] = ()


class Knob(Record):
    """A tunable value found in the source tree."""

    id: str
    """Stable under edits elsewhere in the file: "<file>::<kind>:<qualified place>", e.g. "train.py::argparse:--lr"."""
    kind: Literal["argparse", "click", "dataclass", "constant", "keyword", "default", "yaml", "toml", "json", "ini"]
    name: str
    """Last part, as people say it: "lr", "n_estimators"."""
    file: str
    line: int
    value: Scalar
    space: Space
    owner: str = ""
    """Callee, class or section it belongs to: "LogisticRegression", "model.optimizer"."""
    reason: str = ""
    """Where the range comes from, in words."""


class Site(Record):
    """A place where a lever applies."""

    lever: str
    file: str
    line: int
    detail: str = ""
    """What distinguishes this site from others of the same lever; part of the idea's identity."""


class Idea(Record):
    """Something to try (paper 3.7). File 06-ideas.jsonl, one line each, with its verdict."""

    id: str
    title: str
    level: Level
    scope: Scope
    risk: Risk
    priority: float
    """Higher is tried earlier; 0 to 1."""
    rationale: str
    source: str = "knobs"
    """"knobs", "lever:<name>", "model", "person"."""
    leap: bool = False
    """Structural: allowed to take the leap path (paper 3.8)."""
    knobs: tuple[Knob, ...] = ()
    """PARAM: the search space. CODE and ALGO: empty."""
    site: Site | None = None
    """Lever ideas: where to apply it."""
    instructions: str = ""
    """Model and person ideas: what the coder is told."""


class Analysis(Record):
    """Output of ideator.analyse. File 05-analysis.json."""

    version: int = 1
    summary: str
    knobs: tuple[Knob, ...] = ()
    sites: tuple[Site, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    estimate_seconds: float | None = None
    """Expected time of search and confirmation, from the baseline."""
    knowledge: tuple[str, ...] = ()
    """Prior-knowledge notes with their sources (paper 3.7.1); empty where no model was asked."""
    notes: tuple[str, ...] = ()


# ── supervisor ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Violation(Record):
    """A crossed or suspected red line, with its evidence."""

    red_line: Literal["R1", "R2", "R3", "R4", "R5", "R6", "R7"] | None
    """None for `does-not-run` and `unstable`."""
    rule: str
    """e.g. "protected-changed"."""
    action: Literal["reject", "review", "disclose", "note"]
    evidence: str
    file: str | None = None
    line: int | None = None
    fix: str = ""
    """How an honest author repairs it."""


class Verdict(Record):
    """The Supervisor's word on an idea, a patch or measurements."""

    status: Literal["cleared", "rejected", "review"]
    violations: tuple[Violation, ...] = ()

    @staticmethod
    def of(violations: tuple[Violation, ...]) -> Verdict:
        """Rejected if any violation rejects, else review if any wants review, else cleared."""
        actions = {violation.action for violation in violations}
        status: Literal["cleared", "rejected", "review"] = (
            "rejected" if "reject" in actions else "review" if "review" in actions else "cleared"
        )
        return Verdict(status=status, violations=violations)


class Change(Record):
    """One file of a patch. Text and bytes alike; None deletes."""

    path: str
    content: bytes | None
    mode: Literal["100644", "100755", "120000"] = "100644"


class Patch(Record):
    """A change against a commit."""

    parent: str
    """Commit it was made on."""
    commit: str
    base: str
    """The baseline commit; the red lines always look at the whole difference to it."""
    changes: tuple[Change, ...]
    """Whole difference between `base` and `commit`."""


@dataclass(frozen=True)
class Case:
    """Everything a red line or an idea may look at; no I/O behind it but the lazy `tree`."""

    rubric: Rubric
    environment: Environment
    baseline: Baseline | None
    analysis: Analysis | None
    tree: Mapping[str, bytes]
    """The baseline's files: path → content, read on demand."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Installed distribution → version."""
    paper: Paper | None = None
    """What was read from the paper, where there is one."""


# ── scheduler ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Trial(Record):
    """A measurement as an experiment's line keeps it (contract, section 4)."""

    seed: int
    values: Mapping[str, float]
    seconds: float
    cpu_seconds: float
    exit_code: int


class Experiment(Record):
    """One line of 07-experiments.jsonl."""

    number: int
    parent: int
    """Number of the experiment it was made on; 0 is the baseline."""
    idea: str
    """Idea id."""
    title: str
    level: Level
    step: int
    """The exploration it belongs to: all settings of one visit to a PARAM idea share a step (paper 3.8)."""
    setting: Mapping[str, Scalar] = {}
    """PARAM: knob id → value."""
    status: Literal["improved", "not_improved", "failed", "rejected", "stopped"]
    commit: str | None
    measurements: tuple[Trial, ...] = ()
    score: float | None = None
    """Mean of the primary metric over the seeds run; None without a complete evaluation."""
    gain: float | None = None
    """Mean paired gain over the parent state on the same seeds."""
    verdict: Verdict | None = None
    note: str = ""
    seconds: float = 0.0
    leap: bool = False
    honeymoon: bool = False
    """Made on a leap's state that has not (yet) paid off."""


class Gain(Record):
    """The claim, from fresh paired runs only."""

    absolute: float
    relative: float | None
    low: float
    high: float
    p: float
    pairs: int
    attempts: int


class BaselineSummary(Record):
    """Baseline as the result prints it: fresh confirmation runs where there are any, else the noise runs."""

    values: tuple[float, ...]
    mean: float | None
    std: float | None
    reported: float | None
    reproduced: Literal["yes", "partly", "no", "unknown"]


class BestSummary(Record):
    """Best candidate as the result prints it: fresh confirmation runs only, in the order of their seeds."""

    experiment: int | None
    values: tuple[float, ...]
    mean: float | None
    std: float | None


class Secondary(Record):
    """A guarded metric in both arms."""

    name: str
    baseline: float
    best: float
    within_margin: bool


class ExperimentCounts(Record):
    """How the search went."""

    total: int = 0
    improved: int = 0
    rejected: int = 0
    failed: int = 0


class Cost(Record):
    """Money and tokens spent on models."""

    usd: float | None = 0.0
    """None where a model was asked whose price is unknown."""
    input_tokens: int = 0
    output_tokens: int = 0


class MetricName(Record):
    """The primary metric in a result."""

    name: str
    direction: Direction


class Check(Record):
    """What a control, a probe or a calibration of the scorer found beside the paired runs (validity 3.5 and 3.6)."""

    kind: Literal["control", "probe", "scorer"]
    name: str
    """e.g. "P1", "without configuration", "baseline with the candidate's compute"."""
    outcome: Literal["passed", "found", "not-run"]
    text: str
    """What was done and seen in a sentence, or why it was not done."""
    runs: int = 0
    """Full evaluations that it took."""


class Result(Record):
    """Output of a run, an audit or a verification. File 08-result.json; contract, section 4."""

    version: int = 1
    run: str
    command: Literal["run", "audit", "verify"]
    grade: Grade | None
    assurance: Assurance
    metric: MetricName
    baseline: BaselineSummary
    best: BestSummary | None
    gain: Gain | None
    gain_visible: Gain | None = None
    secondary: tuple[Secondary, ...] = ()
    labels: tuple[str, ...] = ()
    violations: tuple[Violation, ...] = ()
    checks: tuple[Check, ...] = ()
    """Controls and probes of the candidate, in the order they were made."""
    experiments: ExperimentCounts = ExperimentCounts()
    patch: str | None = None
    runs: int = 0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    evaluation_cpu_seconds: float = 0.0
    cost: Cost = Cost()
