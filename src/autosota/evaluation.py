"""The only place numbers are made: run a candidate in a sandbox, read its metrics on the host, write the ledger.

The tree a command sees is the baseline's, with the candidate's free files laid over it; protected files always come from the
baseline. With predict and score apart, candidate code never sees the labels and baseline code does the scoring; only the
declared output files cross, as copies made by the host.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autosota import items, metrics
from autosota.commands import HOPELESS, Hopeless, Watch, ended, seeded_line, tail
from autosota.errors import StageError, UsageError
from autosota.ports import Command, Execution, Executor, Limits, Sandbox, Tree
from autosota.records import Change, Environment, Measurement, MetricSpec, Mount, Purpose
from autosota.store import ITEMS, VAULT, Store, digest
from autosota.workspace import Workspace, write_file

_COPIED = 64 * 2**20
_CROSSING = 256 * 2**20
_TRACER = """\
import os, sys
def _install():
    root, out, seen = os.environ["AUTOSOTA_ROOT"], os.environ["AUTOSOTA_TRACE"], set()
    file = os.open(out, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)) and not (arguments[2] or 0) & 3:
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(root + "/") and path not in seen:
                seen.add(path)
                os.write(file, os.fsencode(path) + b"\\0")
    sys.addaudithook(hook)
_install()
"""


@dataclass(frozen=True)
class Attempt:
    """One run of the evaluation, read but not recorded."""

    execution: Execution
    values: dict[str, float]
    failure: str | None
    notes: tuple[str, ...] = ()
    read: frozenset[str] = frozenset()
    """Repository files that Python code opened for reading; only when traced. Native code's reads are not seen."""
    items: bytes | None = None
    """The file with one row per scored item, where the task names one."""
    file: bytes | None = None
    """The metrics file, where the task names one."""


class Evaluation:
    """Measures commits of one workspace in one environment. Safe to use from several threads."""

    def __init__(
        self,
        *,
        workspace: Workspace,
        executor: Executor,
        environment: Environment,
        metrics: Sequence[MetricSpec],
        limits: Limits,
        scratch: Path,
        store: Store | None = None,
        protocol: str = "",
    ) -> None:
        """`scratch`: a folder of ours for exports and overlays; `store`: where `measure` records, needed by it alone."""
        self.workspace = workspace
        self.executor = executor
        self.environment = environment
        self.metrics = tuple(metrics)
        self.limits = limits
        self.protocol = protocol
        self._store = store
        self._scratch = scratch
        self._exporting = threading.Lock()
        self._turns: dict[tuple[str, int, str, str], threading.Lock] = {}
        scratch.mkdir(parents=True, exist_ok=True)

    # ── the two entries ───────────────────────────────────────────────────────────────────────────────────────────────

    def measure(
        self, commit: str, seed: int, purpose: Purpose, *, arm: str = "", hopeless: Hopeless | None = None
    ) -> Measurement:
        """Run once and append to the ledger; a finished measurement of the same content is returned, never repeated.

        `hopeless` is shown the declared progress number while the command runs and may end it. Raises StageError where it was
        interrupted: that says nothing about the candidate, so it is not recorded.
        """
        # Two workers may be given the same content: the second waits and finds it in the ledger.
        with self._turns.setdefault((commit, seed, purpose, arm), threading.Lock()):
            return self._measured(commit, seed, purpose, arm, hopeless)

    def _measured(self, commit: str, seed: int, purpose: Purpose, arm: str, hopeless: Hopeless | None) -> Measurement:
        if self._store is None:
            raise TypeError("measure needs a store")
        finished = self._store.finished(commit, seed, purpose, arm)
        if finished is not None:
            return finished
        attempt = self.attempt(commit, seed, hopeless=hopeless)
        execution = attempt.execution
        if execution.ended == "stopped":
            raise StageError("an evaluation was interrupted", "run the same command again to go on")
        if attempt.items is not None and purpose == "confirm":
            self._items_file(commit, seed).write_bytes(attempt.items)
        measurement = Measurement(
            commit=commit, seed=seed, purpose=purpose, arm=arm, protocol=self.protocol,
            values=attempt.values if attempt.failure is None else {},
            seconds=round(execution.seconds, 4), cpu_seconds=round(execution.cpu_seconds, 4),
            exit_code=execution.exit_code, peak_memory=execution.peak_memory,
            failure=attempt.failure, notes=attempt.notes, progress=self._progress(execution.stdout),
            tail=tail(execution) if attempt.failure else "",
        )  # fmt: skip
        return self._store.append_measurement(measurement)

    def items(self, commit: str, seed: int) -> dict[str, float] | None:
        """Scores per item of a finished confirmation run, larger is better; None where the task has none or they are unusable."""
        if self._store is None or self.environment.commands.items is None:
            return None
        path = self._items_file(commit, seed)
        return items.read(path.read_bytes()) if path.exists() else None

    def _items_file(self, commit: str, seed: int) -> Path:
        if self._store is None:
            raise TypeError("items need a store")
        folder = self._store.folder / ITEMS
        folder.mkdir(exist_ok=True)
        return folder / f"{commit[:16]}-{seed}"

    def attempt(self, commit: str, seed: int, *, trace: bool = False, hopeless: Hopeless | None = None) -> Attempt:
        """Run once without recording. `trace` lists the repository files that were read (one run a little slower)."""
        with self._folder() as folder:
            if self.environment.commands.sealed:
                return self._predict_and_score(commit, seed, folder, trace, hopeless)
            return self._evaluate(commit, seed, folder, trace, hopeless)

    # ── one command ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _evaluate(self, commit: str, seed: int, folder: Path, trace: bool, hopeless: Hopeless | None) -> Attempt:
        commands = self.environment.commands
        tree = self._tree(commit, seed, folder / "overlay", blind=False)
        mounts, variables, log = self._tracing(folder, trace)
        with self._open(tree, mounts) as sandbox:
            execution = self._run(sandbox, commands.evaluate or "true", seed, variables, self._watch(hopeless))
            file = sandbox.read(commands.metrics) if commands.metrics else None
            rows = sandbox.read(commands.items) if commands.items else None
            read = _traced(log, sandbox.root)
        return replace(self._judge(execution, file), read=read, items=rows)

    # ── predict and score ─────────────────────────────────────────────────────────────────────────────────────────────

    def _predict_and_score(self, commit: str, seed: int, folder: Path, trace: bool, hopeless: Hopeless | None) -> Attempt:
        commands = self.environment.commands
        made, crossed, labels = (folder / name for name in ("made", "crossed", "labels"))
        made.mkdir()
        made.chmod(0o777)
        mounts, variables, log = self._tracing(folder, trace)
        outputs = Mount(source=str(made), target=self._place(made, "/outputs"), writable=True)
        with self._open(self._tree(commit, seed, folder / "overlay", blind=True), [*mounts, outputs]) as sandbox:
            line = (commands.predict or "").replace("{outputs}", outputs.target)
            predicted = self._run(sandbox, line, seed, variables, self._watch(hopeless, metrics_too=False))
            missing = self._cross(sandbox, made, crossed)
            read = _traced(log, sandbox.root)
        if missing or HOPELESS in predicted.notes:
            why = ended(predicted) or f"predict delivered no {', '.join(missing)}"
            return Attempt(execution=predicted, values={}, failure=why, read=read)
        self._labels(labels)
        inputs = [
            Mount(source=str(crossed), target=self._place(crossed, "/outputs")),
            Mount(source=str(labels), target=self._place(labels, "/labels")),
        ]
        # A baseline tree without overlay: the scorer is the baseline's code, whatever the candidate changed.
        with self._open(self._tree(self.environment.commit, seed, folder / "scorer", blind=False), inputs) as sandbox:
            line = (commands.score or "").replace("{outputs}", inputs[0].target).replace("{labels}", inputs[1].target)
            scored = self._run(sandbox, line, seed, {}, self._watch(None))
            file = sandbox.read(commands.metrics) if commands.metrics else None
            rows = sandbox.read(commands.items) if commands.items else None
        total = replace(
            scored, seconds=predicted.seconds + scored.seconds, cpu_seconds=predicted.cpu_seconds + scored.cpu_seconds,
            peak_memory=max(filter(None, (predicted.peak_memory, scored.peak_memory)), default=None),
        )  # fmt: skip
        attempt = self._judge(total, file)
        if predicted.exit_code:
            attempt = replace(attempt, notes=(*attempt.notes, f"predict ended with exit code {predicted.exit_code}"))
        return replace(attempt, read=read, items=rows)

    def _cross(self, sandbox: Sandbox, made: Path, crossed: Path) -> list[str]:
        """Copy the declared outputs, and nothing else, out of reach of the candidate. Returns what is missing."""
        missing = []
        for name in self.environment.commands.outputs:
            content = _plain_file(made, name)
            if content is None:
                content = sandbox.read(name, _CROSSING)
            if content is None:
                missing.append(name)
            else:
                write_file(crossed, Change(path=name, content=content))
        return missing

    def _labels(self, folder: Path) -> None:
        """Copy the labels from the vault, where they were laid before the first scoring, to where the scorer sees them."""
        tree = self.workspace.tree(self.environment.commit)
        for name in self.environment.commands.labels:
            kept = self._store.folder / VAULT / name if self._store is not None else None
            if kept is not None and kept.is_file():
                content = kept.read_bytes()
            else:
                inside = tree.get(name)
                content = inside if inside is not None else _read_label(self.workspace.repository, name)
                if self._store is not None:
                    self._store.keep(VAULT, Change(path=name, content=content))
            write_file(folder, Change(path=name, content=content))

    # ── what a command sees ───────────────────────────────────────────────────────────────────────────────────────────

    def _tree(self, commit: str, seed: int, overlay: Path, *, blind: bool) -> Tree:
        environment = self.environment
        zones, read_only = environment.zones, environment.zones.protected
        changes = [
            change
            for change in self.workspace.changes(environment.commit, commit)
            if not zones.is_protected(change.path)
        ]  # fmt: skip
        place = environment.commands.seed
        if place.kind == "key" and place.file and place.key:
            from autosota import knobs

            seeded = knobs.write_key(self.workspace.tree(commit), place.file, place.key, seed)
            changes = [change for change in changes if change.path != seeded.path] + [seeded]
            read_only = tuple(path for path in read_only if path != seeded.path)
        overlay.mkdir(parents=True, exist_ok=True)
        for change in changes:
            if change.content is not None:
                write_file(overlay, change)
        return Tree(
            base=self._base(blind=blind),
            overlay=overlay if changes else None,
            deleted=tuple(change.path for change in changes if change.content is None),
            read_only=read_only,
        )

    def _base(self, *, blind: bool) -> Path:
        """The baseline's files on disk: without results of earlier runs, and where `blind` without labels."""
        commands = self.environment.commands
        results = {*commands.outputs, *filter(None, (commands.metrics, commands.items))}
        left_out = results | (set(commands.labels) if blind else set())
        content = [self.environment.commit, *self.environment.zones.ignored, *sorted(left_out)]
        folder = self._scratch / f"base-{digest(chr(0).join(content))[:16]}"
        with self._exporting:
            if folder.exists():
                return folder
            draft = folder.with_name(folder.name + ".new")
            shutil.rmtree(draft, ignore_errors=True)
            self.workspace.export(self.environment.commit, draft, leave_out=tuple(left_out))
            for name in self.environment.zones.ignored:
                source = self.workspace.repository / name
                if name.rstrip("/") not in left_out and _bytes(source) <= _COPIED:
                    _copy(source, draft / name)
            draft.rename(folder)
        return folder

    def _open(self, tree: Tree, mounts: Sequence[Mount]) -> contextlib.AbstractContextManager[Sandbox]:
        large = [
            Mount(source=str(self.workspace.repository / name), target=name.rstrip("/"))
            for name in self.environment.zones.ignored
            if _bytes(self.workspace.repository / name) > _COPIED
        ]
        return self.executor.open(tree, recipe=self.environment.recipe, mounts=[*self.environment.mounts, *large, *mounts])

    def _run(self, sandbox: Sandbox, line: str, seed: int, variables: dict[str, str], watch: Watch) -> Execution:
        command = Command(
            line=seeded_line(line, seed, self.environment),
            variables={"AUTOSOTA_SEED": str(seed), **variables, **({"AUTOSOTA_ROOT": sandbox.root} if variables else {})},
            limits=self.limits,
            until=watch,
            quiet=watch.quiet,
        )
        execution = sandbox.run(command)
        return replace(execution, notes=(*execution.notes, HOPELESS)) if watch.gave_up else execution

    def _watch(self, hopeless: Hopeless | None, *, metrics_too: bool = True) -> Watch:
        asked = self.metrics if metrics_too else ()
        return Watch(asked, hopeless if self.environment.commands.progress else None, self._progress)

    def _progress(self, stdout: str) -> tuple[float, ...]:
        declared = self.environment.commands.progress
        return metrics.series(declared.rpartition(":")[0], stdout) if declared else ()

    def _place(self, folder: Path, target: str) -> str:
        return target if self.executor.overlays else str(folder)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._scratch))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _tracing(self, folder: Path, trace: bool) -> tuple[list[Mount], dict[str, str], Path | None]:
        if not trace:
            return [], {}, None
        tracer, log = folder / "tracer", folder / "log"
        for made in (tracer, log):
            made.mkdir()
        log.chmod(0o777)
        (tracer / "sitecustomize.py").write_text(_TRACER)
        inside, written = self._place(tracer, "/autosota/tracer"), self._place(log, "/autosota/log")
        path = self.environment.recipe.variables.get("PYTHONPATH")
        variables = {"PYTHONPATH": f"{inside}:{path}" if path else inside, "AUTOSOTA_TRACE": f"{written}/opened"}
        mounts = [Mount(source=str(tracer), target=inside), Mount(source=str(log), target=written, writable=True)]
        return mounts, variables, log / "opened"

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _judge(self, execution: Execution, file: bytes | None) -> Attempt:
        """Exit code and metrics are judged apart: complete metrics before a later crash count, with a note."""
        commands, notes = self.environment.commands, list(execution.notes)
        if commands.metrics and file is None:
            notes.append(f"{commands.metrics} was not written; the output was read instead")
        asked = [spec for spec in self.metrics if spec.name != "cpu_seconds"]
        readings = metrics.read(asked, stdout=execution.stdout, file=file, file_name=commands.metrics or "")
        failure = readings.failure
        values = dict(readings.values)
        notes += readings.notes
        if len(asked) < len(self.metrics):
            values["cpu_seconds"] = execution.cpu_seconds
        if failure is None and execution.exit_code and execution.ended in ("exit", "silence"):
            notes.append(f"the command ended with exit code {execution.exit_code} after its metrics were complete")
        if HOPELESS in execution.notes or execution.ended not in ("exit", "silence"):
            failure = ended(execution)
        elif failure is not None:
            failure = ended(execution) or failure
        return Attempt(execution=execution, values=values, failure=failure, notes=tuple(notes), file=file)


def _traced(log: Path | None, root: str) -> frozenset[str]:
    if log is None or not log.exists():
        return frozenset()
    opened = (os.fsdecode(name) for name in log.read_bytes().split(b"\0") if name)
    return frozenset(os.path.relpath(name, root) for name in opened if name.isprintable() and "__pycache__" not in name)


def _read_label(repository: Path, name: str) -> bytes:
    """A label file that git does not hold. Raises UsageError where it is missing, or lies elsewhere."""
    path = repository / name
    if not path.resolve().is_relative_to(repository.resolve()):
        raise UsageError(f"the label file {name} lies outside the repository", "[evaluation] labels are paths in the repository")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the label file {name} cannot be read: {error.strerror}", "[evaluation] labels are paths in the repository"
        ) from None


def _plain_file(folder: Path, name: str) -> bytes | None:
    """A regular file below a folder that untrusted code wrote: no link is followed, size bounded."""
    path = folder
    for part in Path(name).parts:
        path = path / part
        if path.is_symlink() or part == "..":
            return None
    if not path.is_file() or path.stat().st_size > _CROSSING:
        return None
    return path.read_bytes()


def _bytes(path: Path) -> int:
    if path.is_symlink() or not path.exists():
        return 0
    if path.is_file():
        return path.stat().st_size
    total = 0
    for place, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
        if total > _COPIED:
            break
    return total


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError, shutil.Error):
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, target, follow_symlinks=False)
