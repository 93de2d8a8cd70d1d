"""`autosota verify`: is a finished run what it says? Its records are checked, then everything is measured again. Asks no model.

First the cheap part, which needs nothing but the records: signature, files, ledger, numbers, seeds, patch; and where predicting
and scoring are apart, the stored predictions are scored again. Then, in an environment built anew, both arms on new seeds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autosota import audit, bundle, candidates, compose, config, environments, pipeline, report, statistics, store
from autosota.agents.supervisor import assurance
from autosota.conclusion import conclude
from autosota.errors import AutosotaError, MachineError, StageError, UsageError
from autosota.progress import Progress
from autosota.protocol import Protocol
from autosota.records import Case, Environment, Measurement, Recipe, Record, Result, Verdict, Violation
from autosota.seeds import Seeds
from autosota.store import Store
from autosota.workspace import Workspace

FILE = "verification.json"
_STRANGER = {"sandbox": None, "python": None, "coder": None}
"""Settings that a bundle from elsewhere does not choose."""


class Check(Record):
    """One thing that was looked at."""

    name: str
    holds: bool | None
    """None: could not be looked at; why is in `detail`."""
    detail: str


class Checks(Record):
    """File verification.json."""

    run: str
    checks: tuple[Check, ...]


def verify(
    run: Path, *, out: Path | None, live: Progress, repository: Path | None = None, records_only: bool = False,
    python: str | None = None,
) -> tuple[Result, Path]:  # fmt: skip
    """Check a run directory or a bundle, and unless `records_only` measure baseline and best again on new seeds.

    A bundle may come from anybody: it chooses no sandbox, no interpreter and no folder of this machine, and runs in isolation or
    not at all. A run directory is taken for the user's own. `repository`: where the repository lies now, if it moved.
    `python`: this interpreter's environment, where a bundle's cannot be built from its versions.
    """
    folder = out or audit.new_folder("verify")
    source = _source(run, folder)
    claim = source.result()
    if claim is None:
        raise UsageError(f"{run} holds no finished run", "`autosota show RUN` tells how far it is")
    patch = source.folder / (claim.patch or store.PATCH)
    if claim.patch is None or not patch.is_file():
        raise UsageError(f"{run} claims no gain: there is nothing to verify", "`autosota report RUN` writes its report again")
    resolved, foreign = config.from_record(source.config()), run.is_file()
    if foreign:
        resolved = resolved.model_copy(update={"config": resolved.config.model_copy(update=_STRANGER)})
    live.note(f"verification directory: {folder}")
    with compose.opened(resolved, folder, live, asks=False) as parts:
        compose.write_config(parts.store, resolved)
        if foreign and not parts.executor.isolated:
            raise MachineError(
                "what a bundle holds runs in isolation only, and no sandbox here isolates", "see `autosota doctor`"
            )
        case, workspace = _restored(parts, source, repository, foreign)
        try:
            found = list(_records(source, claim, case, workspace, patch))
            runs = not records_only or case.environment.commands.sealed
            if runs and not _broken(found) and (foreign or python or not records_only):
                case, check = _rebuilt(parts, case, python, foreign)
                found.append(check)
            if not any(check.name == "ledger" and check.holds is False for check in found):
                found += _rescored(parts, source, case, workspace)
            _note(parts, found)
            verified = _verdict(parts, case, workspace, patch, found, claim, records_only)
        finally:
            workspace.close()
            shutil.rmtree(folder / "environment", ignore_errors=True)
        parts.store.save(verified)
        report.write(parts.store)
    return verified, folder


def checks(folder: Path) -> tuple[Check, ...]:
    """What a verification looked at; nothing where the folder holds none."""
    path = folder / FILE
    return Checks.model_validate_json(path.read_bytes()).checks if path.is_file() else ()


def _source(run: Path, folder: Path) -> Store:
    """The run's records: its directory, or a bundle unpacked below the verification's folder."""
    if run.is_file():
        return Store(bundle.unpack(run, folder.with_name(f"{folder.name}-bundle")))
    if not (run / store.CONFIG).is_file():
        raise UsageError(f"no run at {run}", f"give a run directory, or the {bundle.FILE} of one; `autosota list` shows the runs")
    return Store(run)


def _restored(parts: pipeline.Parts, source: Store, repository: Path | None, foreign: bool) -> tuple[Case, Workspace]:
    """The case as the run left it: records and history copied, the repository where it is now."""
    history, own = source.folder / store.HISTORY, parts.store.folder / store.HISTORY
    if not own.exists():
        if not history.exists():
            raise UsageError(f"{source.folder} has no history: the trees are not in it", "verify the run directory itself")
        draft = own.with_name(f"{own.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        Workspace(draft, source.folder).close()
        for name in ("objects", "refs"):  # and no settings, hooks or alternates of the other repository
            shutil.copytree(history / name, draft / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("alternates"))
        if (history / "packed-refs").is_file():
            shutil.copyfile(history / "packed-refs", draft / "packed-refs")
        draft.rename(own)
    if (source.folder / store.WITHHELD).is_file():
        parts.store.write(store.WITHHELD, (source.folder / store.WITHHELD).read_text(encoding="ascii")).chmod(0o600)
    task, environment = source.task(), source.environment()
    if task is None or environment is None:
        raise UsageError(f"{source.folder} is incomplete: its task or environment is missing", "verify the run directory itself")
    if foreign:
        environment = environment.model_copy(update={"mounts": ()})
    place = repository or Path(task.repository.path)
    if not place.is_dir() or (foreign and repository is None):
        place = parts.store.folder / "repository"
        workspace = Workspace(own, place)
        workspace.export(environment.commit, place)
        workspace.close()
    task = task.model_copy(update={"repository": task.repository.model_copy(update={"path": str(place.absolute())})})
    for record in (task, source.rubric(), environment, source.baseline()):
        if record is not None:
            parts.store.save(record)
    return audit.replicated(parts)


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _records(source: Store, claim: Result, case: Case, workspace: Workspace, patch: Path) -> Iterator[Check]:
    """Do the records belong together, and do the claim's numbers follow from them?"""
    yield from _signed(source)
    try:
        ledger = source.measurements()
    except AutosotaError as error:
        yield Check(name="ledger", holds=False, detail=error.message)
        return
    yield Check(name="ledger", holds=True, detail=f"{len(ledger)} lines, each naming the one before")
    fresh = [line for line in ledger if line.purpose == "confirm"]
    digest = Protocol.load(source.folder / store.PROTOCOL).digest()
    other = [line for line in fresh if line.protocol != digest]
    yield Check(name="protocol", holds=not other, detail=f"{len(fresh) - len(other)} of {len(fresh)} fresh runs name its digest")
    try:
        commit = candidates.commit(str(patch), workspace, case.environment.commit)
        detail, holds = f"gives {commit[:12]} on the baseline", commit in {line.commit for line in fresh} or not fresh
    except (candidates.DoesNotApply, AutosotaError) as error:
        commit, detail, holds = "", f"does not apply: {error}", False
    yield Check(name="patch", holds=holds, detail=detail + ("" if holds else ", which was never confirmed"))
    yield _numbers(claim, case, fresh, commit)
    yield _drawn(source, fresh, digest)


def _signed(source: Store) -> Iterator[Check]:
    folder = source.folder
    if not (folder / bundle.STATEMENT).exists():
        archive = folder / bundle.FILE
        if not archive.exists():
            yield Check(name="statement", holds=None, detail="this run wrote no bundle")
            return
        scratch = folder / ".bundle"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            bundle.unpack(archive, scratch)
            yield from _stated(scratch, folder)
        except AutosotaError as error:
            yield Check(name="statement", holds=False, detail=error.message)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return
    yield from _stated(folder, folder)


def _stated(laid_out: Path, folder: Path) -> Iterator[Check]:
    """The statement in `laid_out` against the files in `folder`; what only the bundle holds is looked up beside the statement."""
    try:
        found, words = bundle.signed_statement(laid_out)
    except AutosotaError as error:
        yield Check(name="statement", holds=False, detail=error.message)
        return
    yield Check(name="statement", holds=True if found else None, detail=words)
    if found:
        wrong = [name for name in bundle.differing(found, folder) if name in bundle.differing(found, laid_out)
                 or (folder / name).exists()]  # fmt: skip
        detail = f"differ from the statement: {', '.join(wrong[:5])}" if wrong else "all as the statement names them"
        yield Check(name="files", holds=not wrong, detail=detail)


def _numbers(claim: Result, case: Case, fresh: Sequence[Measurement], commit: str) -> Check:
    """Are the claim's values the ledger's, in the order of their seeds?"""
    metric = claim.metric.name
    lines = [line for line in fresh if line.ok and not line.arm]
    before = {line.seed: line.values.get(metric) for line in lines if line.commit == case.environment.commit}
    after = {line.seed: line.values.get(metric) for line in lines if line.commit == commit}
    if claim.best is None or claim.gain is None:
        return Check(name="numbers", holds=None, detail="the run claims no gain from fresh runs")
    held = sorted(((before[seed], after[seed]) for seed in after if seed in before), key=str)
    said = sorted(zip(claim.baseline.values, claim.best.values, strict=False), key=str)
    if not said or said != held:
        return Check(name="numbers", holds=False, detail=f"the result's {metric} values are not the ledger's")
    gains = [case.rubric.primary.gain(a, b) for a, b in said]
    mean = statistics.mean(gains)
    near = abs(mean - claim.gain.absolute) <= 1e-9 * max(1.0, abs(mean))
    return Check(name="numbers", holds=near, detail=f"gain {mean:+.4g} over {len(said)} pairs, from the ledger's values")


def _drawn(source: Store, fresh: Sequence[Measurement], protocol: str) -> Check:
    """Were the confirmation's seeds drawn from the run's secret, bound to its protocol and attempt?"""
    if not (source.folder / store.SECRET).exists():
        return Check(name="seeds", holds=None, detail="the secret they were drawn from stays with who made the run")
    used = {line.seed for line in fresh if not line.arm}
    plan = Seeds(source.secret())
    known = {
        seed
        for attempt in range(1, len(source.attempts()) + 1)
        for seed in plan.draw("confirm", statistics.LOOKS[-1], f"{protocol}|{attempt}")
    }
    return Check(name="seeds", holds=used <= known, detail=f"{len(used & known)} of {len(used)} drawn from the run's secret")


def _rescored(parts: pipeline.Parts, source: Store, case: Case, workspace: Workspace) -> Iterator[Check]:
    """Score the stored predictions again, where predicting and scoring are apart; no training, no model."""
    if not case.environment.commands.sealed:
        return
    evaluation = pipeline.evaluation(parts, case.environment, case.rubric.metrics, workspace)
    same, total, first = 0, 0, ""
    for line in source.measurements():
        outputs = source.predictions(line)
        if line.purpose != "confirm" or not line.ok or not outputs:
            continue
        total += 1
        attempt = evaluation.score(line.seed, outputs)
        if attempt.failure is None and all(attempt.values.get(name) == value for name, value in line.values.items()):
            same += 1
        else:
            first = first or f"; {line.commit[:12]} with seed {line.seed}: {attempt.failure or attempt.values}"
    if not total:
        yield Check(name="predictions", holds=None, detail="none are stored")
    else:
        yield Check(name="predictions", holds=same == total, detail=f"{same} of {total} score as recorded{first}")


# ── everything again ──────────────────────────────────────────────────────────────────────────────────────────────────


def _rebuilt(parts: pipeline.Parts, case: Case, given: str | None, foreign: bool) -> tuple[Case, Check]:
    """The case in an environment built anew from the recorded versions, in a cache of its own, or in the one that is given."""
    recipe = case.environment.recipe
    cache = parts.store.folder / "environment"
    if given:
        made = environments.build(Path("."), {}, executor=parts.executor, cache=cache, python=given)
        detail = "the interpreter that was given, not the recorded versions"
        return _in(parts, case, made), Check(name="environment", holds=None, detail=detail)
    if parts.resolved.config.python:
        found = Path(recipe.python).exists()
        if not found:
            raise UsageError(f"the environment of the run is gone: {recipe.prefix}", "make it again at that path, then verify")
        return case, Check(name="environment", holds=None, detail="an existing interpreter, used as it is")
    lines = [f"{package.name}=={package.version}" for package in recipe.packages]
    try:
        python = _version(recipe.prefix)
        made = environments.build(
            Path("."), {}, executor=parts.executor, cache=cache, python=python, extra=lines, variables=recipe.variables
        )
    except StageError as error:
        if foreign or not Path(recipe.python).exists():
            error.hint = "give an interpreter that has the packages of environment.lock with --python"
            raise
        return case, Check(name="environment", holds=None, detail=f"the run's own; it cannot be built anew: {error.message}")
    versions = {package.name: package.version for package in made.packages}
    differ = [package.name for package in recipe.packages if versions.get(package.name) != package.version]
    detail = f"built anew: {len(versions)} packages" + (f"; differing: {', '.join(differ)}" if differ else ", the same versions")
    return _in(parts, case, made), Check(name="environment", holds=not differ, detail=detail)


def _in(parts: pipeline.Parts, case: Case, recipe: Recipe) -> Case:
    """The case in another environment, with the variables of its own."""
    made = recipe.model_copy(update={"variables": case.environment.recipe.variables})
    environment: Environment = case.environment.model_copy(update={"recipe": made})
    parts.store.save(environment)
    return replace(case, environment=environment)


def _version(prefix: str) -> str | None:
    """The Python version of an environment folder: from its own configuration, else its library folder's name."""
    try:
        for line in (Path(prefix) / "pyvenv.cfg").read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    except OSError:
        pass
    found = sorted(Path(prefix).glob("lib/python3*"))
    return found[0].name.removeprefix("python") if found else None


def _broken(found: Sequence[Check]) -> list[Check]:
    return [check for check in found if check.holds is False]


def _note(parts: pipeline.Parts, found: Sequence[Check]) -> None:
    parts.store.write(FILE, Checks(run=parts.store.folder.name, checks=tuple(found)).model_dump_json(indent=2) + "\n")
    for check in found:
        mark = "holds" if check.holds else "DOES NOT HOLD" if check.holds is False else "not checked"
        parts.progress.note(f"{check.name}: {mark}: {check.detail}")


def _verdict(
    parts: pipeline.Parts,
    case: Case,
    workspace: Workspace,
    patch: Path,
    found: Sequence[Check],
    claim: Result,
    records_only: bool,
) -> Result:
    broken = _broken(found)
    if not broken and not records_only:
        return audit.judge(parts, case, workspace, str(patch), command="verify", tries=claim.experiments.total)
    violations = tuple(
        Violation(
            red_line="R2", rule="record-differs", action="reject", evidence=f"{check.name}: {check.detail}",
            fix="a run is verified as it was written; restore its files",
        )
        for check in broken
    )  # fmt: skip
    result = conclude(
        case, workspace, parts.store, None, assurance=assurance(case, parts), command="verify", verdict=Verdict.of(violations),
        seconds=0.0,
    )  # fmt: skip
    kept = {"patch": None, "grade": "REJECTED"} if broken else {
        "patch": None, "grade": claim.grade, "assurance": claim.assurance, "baseline": claim.baseline, "best": claim.best,
        "gain": claim.gain, "gain_visible": claim.gain_visible, "secondary": claim.secondary,
        "labels": (*claim.labels, "records-only"), "violations": claim.violations,
    }  # fmt: skip
    return result.model_copy(update=kept)
