"""`autosota audit`: judge a change made by anybody. Asks no model."""

from __future__ import annotations

import datetime
import getpass
import random
import time
from pathlib import Path
from typing import Any, Literal

from autosota import candidates, compose, config, pipeline, report
from autosota.agents.confirming import Confirmed, Confirming
from autosota.agents.supervisor import assurance, settled
from autosota.conclusion import conclude
from autosota.errors import StageError, UsageError
from autosota.progress import Progress
from autosota.records import Case, Patch, Record, Result, Verdict, Violation
from autosota.seeds import Seeds
from autosota.store import PATCH
from autosota.workspace import Workspace

ACCEPTED = "accepted.json"
NO_BASELINE = 3
"""Exit code where the baseline does not run."""


class Acceptance(Record):
    """A person's settlement of a REVIEW."""

    reason: str
    who: str
    when: str
    """UTC, ISO 8601."""


def audit(
    flags: dict[str, Any], *, candidate: str, static: bool, accept: str | None, out: Path | None, live: Progress
) -> tuple[Result, Path]:
    """Judge `candidate` against the task that the flags describe. Returns the result and the folder of its records."""
    resolved = config.resolve(flags)
    folder = out or new_folder("audit")
    live.note(f"audit directory: {folder}")
    with compose.opened(resolved, folder, live) as parts:
        pipeline.resource(parts)
        compose.write_config(parts.store, parts.resolved)
        if accept is not None:
            parts.store.write(ACCEPTED, _acceptance(accept).model_dump_json(indent=2) + "\n")
        case, workspace = pipeline.outline(parts) if static else replicated(parts)
        try:
            result = judge(parts, case, workspace, candidate, command="audit", static=static, accepted=accept is not None)
            parts.store.save(result)
            pipeline.seal(parts, case, workspace, result)
        finally:
            workspace.close()
        if not static:
            report.write(parts.store)
    return result, folder


def replicated(parts: pipeline.Parts) -> tuple[Case, Workspace]:
    """The baseline; one that cannot be had ends with an exit code of its own (contract, section 2)."""
    try:
        return pipeline.replicate(parts)
    except StageError as error:
        error.exit_code = NO_BASELINE
        raise


def judge(
    parts: pipeline.Parts, case: Case, workspace: Workspace, candidate: str, *,
    command: Literal["audit", "verify"], static: bool = False, accepted: bool = False, tries: int = 0,
) -> Result:  # fmt: skip
    """The red lines on a change, and unless `static` or rejected a confirmation on fresh seeds.

    `tries`: how many candidates this one was chosen from by the same metric; 0 where that is not known.
    """
    base = case.environment.commit

    def concluded(verdict: Verdict, confirmed: Confirmed | None = None) -> Result:
        return conclude(
            case, workspace, parts.store, confirmed, assurance=assurance(case, parts), command=command, verdict=verdict,
            seconds=time.monotonic() - parts.started,
        )  # fmt: skip

    try:
        commit = candidates.commit(candidate, workspace, base)
    except candidates.DoesNotApply as problem:
        fix = "make the patch against the task's repository, with `git diff`"
        evidence = f"the patch does not apply: {problem}"
        return concluded(
            Verdict.of((Violation(red_line=None, rule="does-not-run", action="reject", evidence=evidence, fix=fix),))
        )
    patch = Patch(parent=base, commit=commit, base=base, changes=workspace.changes(base, commit))
    verdict = parts.supervisor.screen_patch(patch, case)
    parts.store.write(PATCH, workspace.diff(base, commit))
    if accepted:
        verdict = Verdict.of(settled(verdict.violations))
    if static or verdict.status == "rejected":
        return concluded(verdict)
    parts.progress.stage("confirmation", "fresh seeds, both arms")
    # A verification is not held to the time of the run it verifies.
    deadline = pipeline.end(parts) if command == "audit" else None
    confirming = _confirming(parts, case, workspace, deadline)
    plan = Seeds(parts.store.secret())
    confirmation = confirming.confirm_commit(plan, commit, verdict, searched=tries > 0, tries=max(1, tries), accepted=accepted)
    return concluded(verdict, Confirmed(None, commit, confirmation))


def _confirming(parts: pipeline.Parts, case: Case, workspace: Workspace, deadline: float | None) -> Confirming:
    digest = pipeline.lock(parts, case.environment, case.rubric, workspace)
    evaluation = pipeline.evaluation(parts, case.environment, case.rubric.metrics, workspace, digest)
    return Confirming(
        case=case, supervisor=parts.supervisor, evaluation=evaluation, store=parts.store, engine=parts.engine,
        progress=parts.progress, protocol=digest, deadline=deadline, checks=parts.resolved.config.controls,
    )  # fmt: skip


def _acceptance(reason: str) -> Acceptance:
    if not reason.strip():
        raise UsageError("--accept needs a reason", 'write why, e.g. --accept "the split is the paper\'s own"')
    return Acceptance(
        reason=reason.strip(), who=getpass.getuser(), when=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )


def new_folder(kind: str) -> Path:
    """Where an audit or a verification writes by default (contract, section 1)."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    return Path.cwd() / "runs" / "audit" / f"{kind}-{stamp}-{random.randrange(1000):03d}"
