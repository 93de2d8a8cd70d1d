"""The result of a run, an audit or a verification, made from the records alone, so that a resumed run says the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Literal

from autosota.agents.confirming import Confirmed
from autosota.ask import usage
from autosota.battery import BEATEN
from autosota.records import (
    Assurance,
    Baseline,
    BaselineSummary,
    BestSummary,
    Case,
    ExperimentCounts,
    Grade,
    Measurement,
    MetricName,
    MetricSpec,
    Result,
    Verdict,
)
from autosota.statistics import deviation, mean
from autosota.store import OPTIMIZED, PATCH, Store
from autosota.workspace import Workspace

_CLOCK = ".seconds"


def conclude(
    case: Case, workspace: Workspace, store: Store, confirmed: Confirmed | None, *, assurance: Assurance, seconds: float,
    command: Literal["run", "audit", "verify"] = "run", verdict: Verdict | None = None,
) -> Result:  # fmt: skip
    """The result. `verdict`: of an audit that ended before anything was measured. `seconds`: of this process so far.

    Writes best.patch and the optimized tree where there is a candidate.
    """
    metric, confirmation = case.rubric.primary, confirmed.confirmation if confirmed else None
    noise = case.baseline.measurements if case.baseline else ()
    before = confirmation.baseline if confirmation and confirmation.baseline else noise
    history, ledger = store.experiments(), store.measurements()
    violations = confirmation.violations if confirmation else verdict.violations if verdict else ()
    if confirmed:
        _export(case, workspace, store, confirmed)
    return Result(
        run=store.folder.name, command=command, metric=MetricName(name=metric.name, direction=metric.direction),
        grade=confirmation.grade if confirmation else _grade(verdict, command),
        assurance=confirmation.assurance if confirmation else assurance,
        baseline=_summary(before, metric, case.baseline), best=_best(confirmed, metric),
        gain=confirmation.gain if confirmation else None,
        gain_visible=confirmation.gain_visible if confirmation else None,
        secondary=confirmation.secondary if confirmation else (),
        labels=_labels(confirmed, case.baseline, case), violations=violations,
        checks=confirmation.checks if confirmation else (),
        experiments=ExperimentCounts(
            total=len(history),
            improved=sum(experiment.status == "improved" for experiment in history),
            rejected=sum(experiment.status == "rejected" for experiment in history),
            failed=sum(experiment.status == "failed" for experiment in history),
        ),
        patch=PATCH if (store.folder / PATCH).exists() else None, runs=len(ledger),
        seconds=round(active_seconds(store) + seconds, 1),
        evaluation_seconds=round(sum(measurement.seconds for measurement in ledger), 1),
        evaluation_cpu_seconds=round(sum(measurement.cpu_seconds for measurement in ledger), 1),
        cost=usage.total(usage.read(store)),
    )  # fmt: skip


def _grade(verdict: Verdict | None, command: str) -> Grade | None:
    """Without fresh runs: a run found no candidate; an audit was rejected, needs a person, or is clean so far."""
    if command == "run" or verdict is None:
        return "UNCONFIRMED"
    grades: dict[str, Grade | None] = {"rejected": "REJECTED", "review": "REVIEW", "cleared": None}
    return grades[verdict.status]


def _export(case: Case, workspace: Workspace, store: Store, confirmed: Confirmed) -> None:
    base = case.environment.commit
    store.write(PATCH, workspace.diff(base, confirmed.commit))
    workspace.tag("_baseline", base)
    workspace.tag("_best", confirmed.commit)
    shutil.rmtree(store.folder / OPTIMIZED, ignore_errors=True)
    workspace.export(confirmed.commit, store.folder / OPTIMIZED)


def _summary(measurements: Sequence[Measurement], metric: MetricSpec, baseline: Baseline | None) -> BaselineSummary:
    values = tuple(measurement.values[metric.name] for measurement in measurements if measurement.ok)
    return BaselineSummary(
        values=values, mean=mean(values) if values else None, std=deviation(values) if len(values) > 1 else None,
        reported=metric.reported, reproduced=baseline.reproduced if baseline else "unknown",
    )  # fmt: skip


def _best(confirmed: Confirmed | None, metric: MetricSpec) -> BestSummary | None:
    if confirmed is None:
        return None
    values = tuple(measurement.values[metric.name] for measurement in confirmed.confirmation.best if measurement.ok)
    return BestSummary(
        experiment=confirmed.experiment.number if confirmed.experiment else None, values=values,
        mean=mean(values) if values else None, std=deviation(values) if len(values) > 1 else None,
    )  # fmt: skip


def _labels(confirmed: Confirmed | None, baseline: Baseline | None, case: Case) -> tuple[str, ...]:
    labels = list(confirmed.confirmation.labels if confirmed else ())
    if baseline is not None and baseline.reproduced == "no":
        labels.append("baseline-differs")
    if baseline is not None and any(note.startswith(BEATEN) for note in baseline.notes):
        labels.append("dummy-beats-baseline")
    if any(note.startswith("substitute: ") for note in case.environment.notes):
        labels.append("substitute-data")
    return tuple(dict.fromkeys(labels))


# ── the clock of a run that may be resumed ────────────────────────────────────────────────────────────────────────────


def add_seconds(store: Store, seconds: float) -> None:
    """Remember the time a process spent on the run; a resumed run adds to it."""
    store.write(_CLOCK, f"{active_seconds(store) + seconds:.3f}\n")


def active_seconds(store: Store) -> float:
    """Time spent by earlier processes."""
    try:
        return float((store.folder / _CLOCK).read_text())
    except (OSError, ValueError):
        return 0.0
