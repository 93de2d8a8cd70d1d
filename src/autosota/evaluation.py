"""The only place numbers are made: run a candidate in a sandbox, read its metrics on the host, write the ledger.

The tree a command sees is the baseline's, with the candidate's free files laid over it; protected files always come from the
baseline. With predict and score apart, candidate code never sees the labels and baseline code does the scoring; only the
declared output files cross, as copies made by the host.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autosota import crossing, derived, items, leavings, metrics, rows, slices, tracing, withholding
from autosota.commands import HOPELESS, Hopeless, Watch, ended, seeded_line, tail
from autosota.errors import StageError
from autosota.exports import AS_IS, Exports, Swap
from autosota.ports import Command, Execution, Executor, Limits, Sandbox, Tree
from autosota.records import Change, Environment, Measurement, MetricSpec, Mount, Purpose
from autosota.store import ITEMS, Store
from autosota.vault import Vault
from autosota.withholding import Part
from autosota.workspace import Workspace, write_file

_PARTS: dict[Purpose, tuple[Part, ...]] = {
    "noise": ("visible", "whole"), "search": ("visible",), "confirm": ("withheld", "visible"), "control": ("withheld",),
    "verify": ("withheld", "visible"),
}  # fmt: skip
"""Purpose → the rows its values stand on, then others that are recorded beside them, where rows are withheld."""
_PART_HINT = "a part of the rows was scored: what the scorer reads row by row besides belongs in `labels`"
_CLAIMS = frozenset({"confirm", "control", "verify"})
"""Purposes that see the sealed files, where there are any."""
VISIBLE = Swap("visible")
"""The arm that is measured without sealed files, beside a claim on them."""


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
    written: Mapping[str, bytes] = field(default_factory=dict)
    """Small files with rows that one command wrote into the tree; only when traced or asked for."""
    outputs: Mapping[str, bytes] = field(default_factory=dict)
    """The declared outputs that crossed from predict to score."""
    kept: Mapping[str, bytes] = field(default_factory=dict)
    """What `Swap.keep` asked for and was there."""
    also: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Values of the same outputs on other rows, where rows are withheld."""


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
        self._exports = Exports(workspace, environment, scratch)
        self.vault = Vault(workspace, environment, store)
        self._turns: dict[tuple[str, int, str, str], threading.Lock] = {}
        scratch.mkdir(parents=True, exist_ok=True)

    # ── the two entries ───────────────────────────────────────────────────────────────────────────────────────────────

    def measure(
        self, commit: str, seed: int, purpose: Purpose, *, swap: Swap = AS_IS, hopeless: Hopeless | None = None
    ) -> Measurement:
        """Run once and append to the ledger; a finished measurement of the same content is returned, never repeated.

        `swap`: files replaced for this run; its name is the measurement's arm. `hopeless` is shown the declared progress number
        while the command runs and may end it. Raises StageError where it was interrupted: that says nothing about the
        candidate, so it is not recorded.
        """
        # Two workers may be given the same content: the second waits and finds it in the ledger.
        with self._turns.setdefault((commit, seed, purpose, swap.name), threading.Lock()):
            return self._measured(commit, seed, purpose, swap, hopeless)

    def _measured(self, commit: str, seed: int, purpose: Purpose, swap: Swap, hopeless: Hopeless | None) -> Measurement:
        if self._store is None:
            raise TypeError("measure needs a store")
        finished = self._store.finished(commit, seed, purpose, swap.name)
        if finished is not None:
            return finished
        parts = _PARTS.get(purpose, ("whole",)) if self.environment.commands.withhold else ("whole",)
        laid = self.fresh(swap) if purpose in _CLAIMS else swap
        return self._record(commit, seed, purpose, swap, self.attempt(commit, seed, swap=laid, parts=parts, hopeless=hopeless))

    def observe(self, commit: str, seed: int, purpose: Purpose, swap: Swap) -> tuple[Measurement, Mapping[str, bytes]]:
        """Run once, append to the ledger, and hand back the files that the run left: for controls and probes, on a claim's rows.

        What is finished is not run again; the files of probes are kept for that, and numbers always come with their own
        run's files. Files of controls are not kept. Raises StageError where it was interrupted.
        """
        with self._turns.setdefault((commit, seed, purpose, swap.name), threading.Lock()):
            if self._store is None:
                raise TypeError("observe needs a store")
            finished, kept = self._finished(commit, seed, purpose, swap.name)
            if finished is not None and kept is not None:
                return finished, kept
            parts = _PARTS.get("confirm", ("whole",)) if self.environment.commands.withhold else ("whole",)
            laid = replace(swap, files={**self.fresh().files, **swap.files})
            attempt = self.attempt(commit, seed, swap=laid, parts=parts)
            measurement, files = self._made(commit, seed, purpose, swap, attempt), self._files(attempt)
            if finished is not None:
                return measurement, files  # the ledger's numbers belong to files that are lost
            if purpose == "probe":
                self._store.keep_probed(measurement, files)
            return self._store.append_measurement(measurement), files

    def seen(self, commit: str, seed: int, purpose: Purpose, arm: str) -> bool:
        """Would `observe` find it in the ledger, and take no time?"""
        return self._finished(commit, seed, purpose, arm)[1] is not None

    def _finished(self, commit: str, seed: int, purpose: Purpose, arm: str) -> tuple[Measurement | None, dict[str, bytes] | None]:
        """What the ledger holds, and the files of that run; no files where it must run (again)."""
        finished = self._store.finished(commit, seed, purpose, arm) if self._store is not None else None
        if self._store is None or finished is None:
            return None, None
        return finished, self._store.probed(finished) if purpose == "probe" else {}

    def _files(self, attempt: Attempt) -> dict[str, bytes]:
        """The files of a run that probes may look at, within bounds."""
        commands = self.environment.commands
        items = {commands.items: attempt.items} if commands.items and attempt.items is not None else {}
        found = leavings.bounded({**attempt.outputs, **items}, attempt.written)
        return {name: content for name, content in found.items() if name != commands.metrics}

    def _record(self, commit: str, seed: int, purpose: Purpose, swap: Swap, attempt: Attempt) -> Measurement:
        if self._store is None:
            raise TypeError("measurements need a store")
        measurement = self._made(commit, seed, purpose, swap, attempt)
        if attempt.items is not None and purpose == "confirm":
            self._items_file(commit, seed, swap.name).write_bytes(attempt.items)
        if purpose == "confirm":
            self._store.keep_predictions(commit, seed, swap.name, attempt.outputs)
        return self._store.append_measurement(measurement)

    def _made(self, commit: str, seed: int, purpose: Purpose, swap: Swap, attempt: Attempt) -> Measurement:
        """An attempt as the ledger's record of it. Raises StageError where it was interrupted."""
        execution = attempt.execution
        if execution.ended == "stopped":
            raise StageError("an evaluation was interrupted", "run the same command again to go on")
        return Measurement(
            commit=commit, seed=seed, purpose=purpose, arm=swap.name, protocol=self.protocol,
            values=attempt.values if attempt.failure is None else {},
            seconds=round(execution.seconds, 4), cpu_seconds=round(execution.cpu_seconds, 4),
            exit_code=execution.exit_code, peak_memory=execution.peak_memory,
            failure=attempt.failure, notes=attempt.notes, progress=self._progress(execution.stdout),
            tail=tail(execution) if attempt.failure else "", also=attempt.also,
        )  # fmt: skip

    def items(self, commit: str, seed: int, arm: str = "") -> dict[str, float] | None:
        """Scores per item of a finished confirmation run, larger is better; None where there are none, or unusable ones."""
        if self._store is None:
            return None
        path = self._items_file(commit, seed, arm)
        scores = items.read(path.read_bytes()) if path.exists() else None
        return items.thinned(scores) if scores is not None else None

    def groups(self, commit: str, seed: int) -> dict[str, str]:
        """Group of each item of a finished confirmation run; empty where the file of items names none."""
        path = self._items_file(commit, seed, "")
        return slices.read(self.environment.commands.items or "items.csv", path.read_bytes()) if path.exists() else {}

    def predictions(self, run: Measurement) -> dict[str, bytes]:
        """The outputs of a finished confirmation run; nothing where they were not kept."""
        return self._store.predictions(run) if self._store is not None else {}

    def _items_file(self, commit: str, seed: int, arm: str) -> Path:
        if self._store is None:
            raise TypeError("items need a store")
        folder = self._store.folder / ITEMS
        folder.mkdir(exist_ok=True)
        return folder / "-".join(filter(None, (commit[:16], str(seed), arm)))

    def attempt(
        self, commit: str, seed: int, *, swap: Swap = AS_IS, trace: bool = False, hopeless: Hopeless | None = None,
        parts: Sequence[Part] = ("whole",),
    ) -> Attempt:  # fmt: skip
        """Run once without recording. `trace` lists the repository files that were read (one run a little slower).

        `parts`: which rows are scored, where rows can be withheld; the first gives the values, the others are in `also`.
        """
        with self._folder() as folder:
            if self.environment.commands.sealed:
                return self._predict_and_score(commit, seed, folder, swap, trace, hopeless, parts)
            return self._evaluate(commit, seed, folder, swap, trace, hopeless)

    # ── one command ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _evaluate(self, commit: str, seed: int, folder: Path, swap: Swap, trace: bool, hopeless: Hopeless | None) -> Attempt:
        commands = self.environment.commands
        tree = self._exports.tree(commit, seed, folder / "overlay", blind=False, swap=swap)
        mounts, variables, log = self._tracing(folder, trace)
        with self._open(tree, [*self._exports.mounts(blind=False, swap=swap), *mounts]) as sandbox:
            execution = self._run(sandbox, commands.evaluate or "true", seed, variables, self._watch(hopeless))
            file = sandbox.read(commands.metrics) if commands.metrics else None
            scores = sandbox.read(commands.items) if commands.items else None
            read, kept = tracing.opened(log, sandbox.root), leavings.of(sandbox, swap.keep)
            written = leavings.written(sandbox) if trace or swap.written else {}
        return replace(self._judge(execution, file), read=read, items=scores, kept=kept, written=written)

    # ── predict and score ─────────────────────────────────────────────────────────────────────────────────────────────

    def _predict_and_score(
        self, commit: str, seed: int, folder: Path, swap: Swap, trace: bool, hopeless: Hopeless | None, parts: Sequence[Part]
    ) -> Attempt:
        commands = self.environment.commands
        made = folder / "made"
        made.mkdir()
        made.chmod(0o777)
        mounts, variables, log = self._tracing(folder, trace)
        outputs = Mount(source=str(made), target=self._place(made, "/outputs"), writable=True)
        tree = self._exports.tree(commit, seed, folder / "overlay", blind=True, swap=swap)
        with self._open(tree, [*self._exports.mounts(blind=True, swap=swap), *mounts, outputs]) as sandbox:
            line = (commands.predict or "").replace("{outputs}", outputs.target)
            predicted = self._run(sandbox, line, seed, variables, self._watch(hopeless, metrics_too=False))
            outputs_made, missing = self._cross(sandbox, made)
            read, kept = tracing.opened(log, sandbox.root), leavings.of(sandbox, swap.keep)
        if missing or HOPELESS in predicted.notes:
            why = ended(predicted) or f"predict delivered no {', '.join(missing)}"
            return Attempt(execution=predicted, values={}, failure=why, read=read, kept=kept)
        attempt = self._score(seed, outputs_made, folder, swap, parts[0], before=predicted)
        if attempt.failure is None:
            others = {part: self._score(seed, outputs_made, folder, swap, part) for part in parts[1:]}
            attempt = replace(attempt, also={str(part): other.values for part, other in others.items() if not other.failure})
        if predicted.exit_code:
            attempt = replace(attempt, notes=(*attempt.notes, f"predict ended with exit code {predicted.exit_code}"))
        return replace(attempt, read=read, kept=kept)

    def score(
        self, seed: int, outputs: Mapping[str, bytes], *, swap: Swap = AS_IS, split: withholding.Split | None = None
    ) -> Attempt:
        """Score given outputs as a confirmation does, nothing predicted and nothing recorded; two-command form only.

        `split`: its withheld rows are scored, in place of the task's own.
        """
        part = _PARTS["confirm"][0] if self.environment.commands.withhold or split else "whole"
        with self._folder() as folder:
            return self._score(seed, outputs, folder, self.fresh(swap), part, split=split)

    def _score(
        self, seed: int, outputs: Mapping[str, bytes], above: Path, swap: Swap, part: Part, *,
        before: Execution | None = None, split: withholding.Split | None = None,
    ) -> Attempt:  # fmt: skip
        commands, folder, labels = self.environment.commands, above / part, self.vault.labels(swap)
        crossed, laid = folder / "crossed", folder / "labels"
        folder.mkdir()
        failure = crossing.breach(outputs, labels, commands.form)
        shown = outputs
        if part != "whole" and failure is None:
            split = split or self.vault.split()
            try:
                shown = withholding.cut(outputs, split, part, strict=True)
            except rows.Malformed as problem:
                failure = f"{crossing.BREACH}{problem}"
            labels = withholding.cut(labels, split, part, strict=False)
        cut = {} if part == "whole" else labels
        if failure is not None:
            nothing = Execution(exit_code=0, stdout="", stderr="", seconds=0.0, cpu_seconds=0.0)
            return Attempt(execution=before or nothing, values={}, failure=failure, outputs=outputs)
        _lay(crossed, shown)
        _lay(laid, labels)
        inputs = [
            Mount(source=str(crossed), target=self._place(crossed, "/outputs")),
            Mount(source=str(laid), target=self._place(laid, "/labels")),
        ]
        # The scorer is the baseline's code, whatever the candidate changed; only labels that were cut are laid over it.
        tree = self._exports.tree(self.environment.commit, seed, folder / "scorer", blind=False, swap=swap)
        tree = _laid_over(tree, cut, folder)
        mounts = self._exports.mounts(blind=False, swap=replace(swap, files={**swap.files, **cut}))
        with self._open(tree, [*mounts, *inputs]) as sandbox:
            line = (commands.score or "").replace("{outputs}", inputs[0].target).replace("{labels}", inputs[1].target)
            total = self._run(sandbox, line, seed, {}, self._watch(None))
            file = sandbox.read(commands.metrics) if commands.metrics else None
            scores = sandbox.read(commands.items) if commands.items else None
        if before is not None:
            total = replace(
                total, seconds=before.seconds + total.seconds, cpu_seconds=before.cpu_seconds + total.cpu_seconds,
                peak_memory=max(filter(None, (before.peak_memory, total.peak_memory)), default=None),
            )  # fmt: skip
        attempt = self._judge(total, file)
        if attempt.failure is not None and part != "whole":
            attempt = replace(attempt, failure=f"{attempt.failure} ({_PART_HINT})")
        if commands.items is None and attempt.failure is None:
            scores = derived.items(shown, labels, attempt.values[self.metrics[0].name]) if self.metrics else None
        return replace(attempt, items=scores, outputs=outputs)

    def fresh(self, swap: Swap = AS_IS) -> Swap:
        """What a claim is measured on: the sealed files, unless the swap is an arm of its own."""
        if swap.name or not self.environment.sealed:
            return swap
        return replace(swap, files={**self.vault.sealed(), **swap.files})

    def _cross(self, sandbox: Sandbox, made: Path) -> tuple[dict[str, bytes], list[str]]:
        """The declared outputs, and nothing else, read by the host; and the names of those that are missing."""
        found: dict[str, bytes] = {}
        for name in self.environment.commands.outputs:
            content = leavings.plain_file(made, name)
            if content is None:
                content = sandbox.read(name, leavings.LARGEST)
            if content is not None:
                found[name] = content
        return found, [name for name in self.environment.commands.outputs if name not in found]

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, tree: Tree, mounts: Sequence[Mount]) -> contextlib.AbstractContextManager[Sandbox]:
        return self.executor.open(tree, recipe=self.environment.recipe, mounts=mounts)

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
        return tracing.prepare(folder, self._place, self.environment.recipe.variables.get("PYTHONPATH"))

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


def _laid_over(tree: Tree, files: Mapping[str, bytes], folder: Path) -> Tree:
    """The tree with some files in place of its own, written below `folder` where it has no overlay yet."""
    if not files:
        return tree
    overlay = tree.overlay or folder / "over"
    for name, content in files.items():
        write_file(overlay, Change(path=name, content=content))
    return replace(tree, overlay=overlay, read_only=tuple(path for path in tree.read_only if path not in files))


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of the host for the scorer to read."""
    folder.mkdir()
    for name, content in files.items():
        write_file(folder, Change(path=name, content=content))
