"""Everything the report, the views and `show` tell, gathered once from a run directory and derived by code."""

from __future__ import annotations

import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from autosota.ask import exchanges, usage
from autosota.ask.exchanges import Taken
from autosota.ask.usage import Usage
from autosota.records import (
    Analysis,
    Baseline,
    Environment,
    Experiment,
    Idea,
    Knob,
    Measurement,
    MetricSpec,
    Result,
    Rubric,
    Scalar,
    Task,
    Verdict,
    Violation,
)
from autosota.report import words
from autosota.store import NOTES, PATCH, PROTOCOL, Store

TEXT_LIMIT = 2_000_000
STAGES = ("task", "rubric", "environment", "baseline", "analysis", "result")


@dataclass(frozen=True)
class Facts:
    """The records of a run as they are now; whatever does not exist yet is None or empty."""

    folder: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    task: Task | None = None
    rubric: Rubric | None = None
    environment: Environment | None = None
    baseline: Baseline | None = None
    analysis: Analysis | None = None
    result: Result | None = None
    ideas: Sequence[tuple[Idea, Verdict | None]] = ()
    experiments: Sequence[Experiment] = ()
    measurements: Sequence[Measurement] = ()
    patch: str = ""
    protocol: str = ""
    notes: str = ""
    usage: Sequence[Usage] = ()
    taken: Sequence[Taken] = ()

    @property
    def models(self) -> str:
        """What models were asked and cost, in a sentence without a period."""
        return usage.text(self.usage)

    @property
    def model_rows(self) -> list[list[str]]:
        """The same, one row an agent."""
        return [list(usage.TABLE), *usage.table(self.usage)] if self.usage else []

    @property
    def name(self) -> str:
        """The run's name: the result's, else the last two parts of its folder."""
        if self.result:
            return words.clip(self.result.run, 120)
        return words.clip("/".join(self.folder.absolute().parts[-2:]), 120)

    @property
    def title(self) -> str:
        """The paper's title, else the repository's name."""
        if self.task and self.task.paper and self.task.paper.title.strip():
            return words.clip(self.task.paper.title, 200)
        if self.task:
            return words.clip(self.task.repository.source.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git"), 200) or self.name
        return self.name

    @property
    def command(self) -> str:
        """ "run", "audit", "verify" or what run.toml says."""
        if self.result:
            return self.result.command
        return words.clip(self.config.get("command", "run"), 20)

    @cached_property
    def metric(self) -> MetricSpec | None:
        """The primary metric."""
        if self.rubric and self.rubric.metrics:
            return self.rubric.primary
        if self.result:
            return MetricSpec(name=self.result.metric.name, direction=self.result.metric.direction, primary=True)
        return None

    @property
    def mean(self) -> float | None:
        """Mean of the primary metric over the baseline's repeats, else over the result's baseline runs."""
        if self.baseline and self.metric and (known := words.finite(self.baseline.mean.get(self.metric.name))) is not None:
            return known
        return words.finite(self.result.baseline.mean) if self.result else None

    @property
    def noise(self) -> float | None:
        """Standard deviation of the primary metric over the baseline's repeats; None where it is unknown."""
        if self.baseline and self.metric and (known := words.finite(self.baseline.noise.get(self.metric.name))) is not None:
            return known
        return words.finite(self.result.baseline.std) if self.result else None

    @property
    def reported(self) -> float | None:
        """The paper's number."""
        if self.metric and self.metric.reported is not None:
            return words.finite(self.metric.reported)
        return words.finite(self.result.baseline.reported) if self.result else None

    @cached_property
    def places(self) -> int:
        """Decimals that show the primary metric."""
        values = [self.mean, self.reported, *(entry.score for entry in self.experiments[:200])]
        return words.decimals([words.finite(value) for value in values], self.noise)

    @property
    def repeats(self) -> list[float]:
        """Values of the primary metric in the baseline's repeats."""
        if not (self.baseline and self.metric):
            return []
        values = [words.finite(entry.values.get(self.metric.name)) for entry in self.baseline.measurements]
        return [value for value in values if value is not None]

    @cached_property
    def best(self) -> Experiment | None:
        """The experiment the result names, else the improved one with the best score."""
        if self.result and self.result.best and self.result.best.experiment is not None:
            chosen = self.result.best.experiment
            return next((entry for entry in self.experiments if entry.number == chosen), None)
        scored = [entry for entry in self.experiments if entry.status == "improved" and words.finite(entry.score) is not None]
        if not scored or self.metric is None:
            return None
        return max(scored, key=lambda entry: self.metric.gain(0.0, entry.score or 0.0) if self.metric else 0.0)

    @cached_property
    def statuses(self) -> Counter[str]:
        """How many experiments ended how."""
        return Counter(entry.status for entry in self.experiments)

    @cached_property
    def tried(self) -> Counter[str]:
        """How many experiments an idea got, by its id."""
        return Counter(entry.idea for entry in self.experiments)

    @cached_property
    def purposes(self) -> list[tuple[str, int, float, float, int]]:
        """Per purpose: (purpose, evaluations, seconds, CPU seconds, failures)."""
        table: dict[str, list[float]] = {}
        for entry in self.measurements:
            row = table.setdefault(entry.purpose, [0, 0.0, 0.0, 0])
            row[0] += 1
            row[1] += words.finite(entry.seconds) or 0.0
            row[2] += words.finite(entry.cpu_seconds) or 0.0
            row[3] += entry.failure is not None
        return [(purpose, int(row[0]), row[1], row[2], int(row[3])) for purpose, row in table.items()]

    @property
    def protocol_hash(self) -> str:
        """Hash of the protocol lock as the ledger holds it, else of the file; "" without either."""
        for entry in reversed(self.measurements):
            if entry.protocol:
                return entry.protocol
        return hashlib.sha256(self.protocol.encode()).hexdigest() if self.protocol else ""

    @property
    def protocols(self) -> int:
        """How many different protocol locks the ledger names; more than one needs a reader's attention."""
        return len({entry.protocol for entry in self.measurements if entry.protocol})

    @cached_property
    def knobs(self) -> dict[str, Knob]:
        """Every knob known to the analysis or an idea, by its id."""
        found = {knob.id: knob for knob in self.analysis.knobs} if self.analysis else {}
        for idea, _ in self.ideas:
            found.update({knob.id: knob for knob in idea.knobs})
        return found

    @cached_property
    def path_to_best(self) -> list[Experiment]:
        """The experiments the best state is made of, oldest first."""
        by_number = {entry.number: entry for entry in self.experiments}
        path: list[Experiment] = []
        entry = self.best
        while entry is not None and entry not in path:
            path.append(entry)
            entry = by_number.get(entry.parent)
        return path[::-1]

    @property
    def settings(self) -> list[tuple[str, Scalar, Scalar]]:
        """Knob values of the best state: (knob id, baseline's value, best's value)."""
        final: dict[str, Scalar] = {}
        for entry in self.path_to_best:
            final.update(entry.setting)
        return [(key, self.knobs[key].value if key in self.knobs else None, value) for key, value in final.items()]

    @cached_property
    def violations(self) -> list[tuple[str, Violation]]:
        """Every violation with what it was found in: the claim, an experiment, an idea."""
        found = [("the claim", violation) for violation in (self.result.violations if self.result else ())]
        for entry in self.experiments:
            found += [
                (f"experiment {entry.number}", violation) for violation in (entry.verdict.violations if entry.verdict else ())
            ]
        for idea, verdict in self.ideas:
            found += [(f"idea {words.clip(idea.title, 80)}", violation) for violation in (verdict.violations if verdict else ())]
        return found

    @property
    def machine(self) -> list[tuple[str, str]]:
        """Sandbox, machine and versions as protocol.toml and run.toml tell them: (name, text)."""
        try:
            lock: dict[str, Any] = tomllib.loads(self.protocol)
        except tomllib.TOMLDecodeError:
            lock = {}
        found = [("Sandbox", lock.get("sandbox") or _at(self.config, "settings", "sandbox"))]
        found += [("Machine", _at(self.config, "machine", "system")), ("autosota", _at(self.config, "versions", "autosota"))]
        return [(name, words.clip(value, 120)) for name, value in found if isinstance(value, (str, int)) and value]

    @property
    def pair_names(self) -> list[str]:
        """One name per confirmation pair: its seed where the ledger tells, else its number."""
        values = self.result.best.values if self.result and self.result.best else ()
        seeds: dict[str, list[int]] = {}
        for entry in self.measurements:
            if entry.purpose in ("confirm", "verify") and not entry.arm and entry.ok:
                seeds.setdefault(entry.commit, []).append(entry.seed)
        for commit, found in seeds.items():
            if self.environment and commit == self.environment.commit:
                continue
            if len(found) == len(values):
                return [f"seed {seed}" for seed in found]
        return [f"pair {index}" for index in range(1, len(values) + 1)]


def _at(table: Mapping[str, Any], *keys: str) -> object:
    """The value at nested keys of a table that may have another shape; None where there is none."""
    value: object = table
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def gather(store: Store) -> Facts:
    """Read a run directory. Raises StageError or UsageError where one of its files cannot be read."""
    return Facts(
        folder=store.folder,
        config=store.config(),
        task=store.task(),
        rubric=store.rubric(),
        environment=store.environment(),
        baseline=store.baseline(),
        analysis=store.analysis(),
        result=store.result(),
        ideas=store.ideas(),
        experiments=sorted(store.experiments(), key=lambda entry: entry.number),
        measurements=store.measurements(),
        patch=read_text(store.folder / PATCH),
        protocol=read_text(store.folder / PROTOCOL),
        notes=read_text(store.folder / NOTES, 20_000),
        usage=usage.read(store),
        taken=exchanges.taken(store),
    )


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """The first `limit` bytes of a text file; "" where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
