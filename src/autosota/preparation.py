"""From settings, task file and code to what an evaluation needs: commands, seed place, mounts, variables."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autosota import crossing, entrypoints, metrics, rows
from autosota.environments import imports
from autosota.errors import UsageError
from autosota.exports import outside
from autosota.records import Change, Commands, MetricSpec, Mount, SeedPlace

if TYPE_CHECKING:
    from autosota.config import Resolved
    from autosota.taskfile import EvaluationTable
    from autosota.workspace import Workspace

_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS", "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "RAYON_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)  # fmt: skip
_SECRET = re.compile(r"(?i)(^|_)(api_?key|key|token|secret|passw\w*|credentials?|auth)(_|$)")
_NATIVE = (
    ".parquet", ".h5", ".hdf5", ".pt", ".pth", ".ckpt", ".npz", ".npy", ".mat", ".lmdb", ".db", ".sqlite", ".arrow", ".feather",
    ".safetensors", ".bin", ".nc", ".zarr", ".tif", ".onnx",
)  # fmt: skip
"""Formats whose libraries read past Python's own `open`, which is what the trace sees."""
REDUCED = "reduced settings: "
"""Start of a note on a command that asks for less than the published experiment."""
_REDUCING = re.compile(
    r"(?<!\S)(--?(?:quick|fast|smoke|debug|dry|toy|tiny|mini|sanity)(?:[-_](?:run|test|dev|dev[-_]run|mode|check))*)(?![\w-])"
)
_LANGUAGES = {
    ".r": "R", ".jl": "Julia", ".cpp": "C++", ".cc": "C++", ".c": "C", ".java": "Java", ".m": "MATLAB", ".rs": "Rust",
    ".go": "Go", ".js": "JavaScript", ".ts": "TypeScript", ".scala": "Scala", ".lua": "Lua",
}  # fmt: skip


def commands(resolved: Resolved, tree: Mapping[str, bytes]) -> tuple[Commands | None, tuple[str, ...]]:
    """The commands of flags and task file, else what the code suggests; None, with notes, where rules cannot decide."""
    table, line = resolved.task_file.evaluation, resolved.config.evaluate
    base = Commands(
        metrics=table.metrics, items=table.items, access=table.access, redraws=table.redraws, labels=table.labels
    )  # fmt: skip
    if line:
        return base.model_copy(update={"evaluate": line}), ()
    if table.predict:
        parts: dict[str, object] = {"predict": table.predict, "score": table.score}
        parts |= {name: getattr(table, name) for name in ("outputs", "withhold", "form")}
        _check_crossing(table)
        return base.model_copy(update=parts), ()
    found, notes = entrypoints.choose(tree)
    return (base.model_copy(update={"evaluate": found}) if found else None), notes


def _check_crossing(table: EvaluationTable) -> None:
    """Only inert data crosses, and only rows that can be told apart can be withheld. Raises UsageError."""
    code = next((name for name in table.outputs if name.lower().endswith(crossing.CODE_SUFFIXES)), None)
    if code is not None:
        raise UsageError(
            f"[evaluation] outputs: {code} is a format that runs code when it is read",
            'let predict write .npz, .csv or .jsonl, e.g. outputs = ["predictions.npz"]',
        )
    odd = next((name for name in (*table.outputs, *table.labels[:1]) if not rows.supported(name)), None)
    if table.withhold is not None and odd is not None:
        raise UsageError(
            f"[evaluation] withhold: rows of {odd} cannot be told apart",
            f"outputs and labels need a form with one row per item: {', '.join(rows.SUFFIXES)}",
        )


def sealed(resolved: Resolved, workspace: Workspace, commit: str) -> dict[str, str]:
    """Path in the tree → host file of the folder `sealed`. Raises UsageError where it replaces nothing or is within sight."""
    given = resolved.task_file.evaluation.sealed
    if given is None:
        return {}
    folder = Path(resolved.config.task).parent if resolved.config.task else Path.cwd()
    root = (folder / given).resolve()
    hint = "sealed = a folder outside the repository and [mounts], with files at their paths in it"
    if not root.is_dir():
        raise UsageError(f"[evaluation] sealed: there is no folder {root}", hint)
    if root.is_relative_to(workspace.repository.resolve()):
        raise UsageError(f"[evaluation] sealed: {root} lies in the repository, where candidates see it", hint)
    seen = next((mount for mount in mounts(resolved) if root.is_relative_to(Path(mount.source).resolve())), None)
    if seen is not None:
        raise UsageError(f"[evaluation] sealed: {root} lies in {seen.source}, which candidates see at {seen.target}", hint)
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    tree, missing = workspace.tree(commit), []
    for name in files:
        if name not in tree and not outside(name, mounts(resolved), workspace.repository).is_file():
            missing.append(name)
    if missing or not files:
        what = f"{missing[0]} replaces nothing" if missing else "the folder holds no files"
        raise UsageError(f"[evaluation] sealed: {what}", hint)
    return {name: str(path) for name, path in files.items()}


def last_commit(repository: Path) -> str | None:
    """Day of the last commit upstream, like "2021-04-13"; None where the folder is no git checkout of its own."""
    if not (repository / ".git").exists():
        return None
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", str(repository), "log", "-1", "--format=%cs"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, env=variables)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if re.fullmatch(r"\d{4}-\d\d-\d\d", done.stdout.strip()) else None


def reductions(chosen: Commands) -> tuple[str, ...]:
    """Notes on options of the commands that ask for less than the published experiment."""
    lines = " ".join(filter(None, (chosen.evaluate, chosen.predict, chosen.score)))
    return tuple(f"{REDUCED}the command says {option}" for option in dict.fromkeys(_REDUCING.findall(lines)))


def undecided(tree: Mapping[str, bytes], notes: Sequence[str]) -> UsageError:
    """What to tell the user where no command is found."""
    if notes:
        return UsageError(notes[-1], "choose with --eval, or `command` under [evaluation] in the task file")
    if not any(path.endswith((".py", ".ipynb", ".sh")) for path in tree):
        counted = Counter(_LANGUAGES.get(posixpath.splitext(path)[1].lower(), "") for path in tree)
        counted.pop("", None)
        words = f"no Python code; most of it is {counted.most_common(1)[0][0]}" if counted else "no code"
        return UsageError(f"the repository holds {words}", "name its evaluation with --eval, or give another folder with REPO")
    return UsageError(
        "neither README nor scripts tell how this repository is evaluated",
        "name the command with --eval, or `command` under [evaluation] in the task file",
    )


def notebook_script(tree: Mapping[str, bytes]) -> Change | None:
    """A script with the code cells of the only, or the best named, notebook of a repository without scripts."""
    notebooks = sorted(path for path in tree if path.endswith(".ipynb"))
    if not notebooks or any(path.endswith(".py") and path != "setup.py" and "/" not in path for path in tree):
        return None
    named = [path for path in notebooks if re.search(r"(?i)eval|reproduc|result|main|experiment|test", posixpath.basename(path))]
    chosen = notebooks if len(notebooks) == 1 else named if len(named) == 1 else []
    if not chosen:
        return None
    source = imports.notebook_source(tree[chosen[0]])
    source = re.sub(r"\bfrom tqdm\.notebook import\b", "from tqdm import", source)
    source = re.sub(r"(?m)^(\s*)display\(", r"\1print(", source)
    if not source.strip():
        return None
    path = re.sub(r"[^\w/.-]", "_", chosen[0].removesuffix(".ipynb")) + ".py"
    return Change(path=path, content=source.encode()) if path not in tree else None


def seed_place(
    resolved: Resolved, chosen: Commands, tree: Mapping[str, bytes], read: Iterable[str] = ()
) -> tuple[SeedPlace, str]:
    """Where the seed is set: as the task file says, else found in the command and the code it runs (contract, "Seeds")."""
    told = resolved.task_file.evaluation.seed
    if told and told.startswith("-"):
        return SeedPlace(kind="option", option=told), f"the task file names the option {told}"
    if told and ":" in told:
        file, _, key = told.partition(":")
        return SeedPlace(kind="key", file=file, key=key), f"the task file names {told}"
    if told:
        raise UsageError(f"[evaluation] seed = {told!r} names no place", 'write an option ("--seed") or "config.yaml:seed"')
    line = chosen.evaluate or f"{chosen.predict} ; {chosen.score}"
    return entrypoints.seed_place(line, tree, read)


def check_constraints(resolved: Resolved, tree: Mapping[str, bytes]) -> None:
    """What the task file's constraints name is there: one that is not would hold for nothing. Raises UsageError."""
    from autosota import knobs

    for constraint in resolved.task_file.constraint:
        if constraint.file and constraint.file not in tree:
            raise UsageError(
                f"[[constraint]] {constraint.text!r} names {constraint.file}, which the repository lacks",
                "`file` is a path from the repository's root; files that git ignores cannot be constrained",
            )
        if constraint.file and constraint.key:
            try:
                knobs.value(tree, constraint.file, constraint.key)
            except KeyError:
                raise UsageError(
                    f"[[constraint]] {constraint.text!r}: there is no `{constraint.key}` in {constraint.file}",
                    "`key` is a dotted path, or in a Python file a constant or an option's name",
                ) from None


def check_metrics(specs: Sequence[MetricSpec], stdout: str, file: bytes | None) -> None:
    """The metrics that the user named are printed, each once. Raises UsageError; no number at all may be the seed's doing."""
    readings = metrics.read([spec for spec in specs if spec.name != "cpu_seconds"], stdout=stdout, file=file)
    if readings.undecided:
        raise UsageError(
            readings.failure or "",
            "name what it prints with --metric NAME:max (or :min); for a name that occurs more than once give `section` in the "
            "task file's [[metric]]",
        )


def mounts(resolved: Resolved) -> tuple[Mount, ...]:
    """[mounts], and folders that variables under `env` point to; all read-only. Raises UsageError for what is not there."""
    folder = Path(resolved.config.task).parent if resolved.config.task else Path.cwd()
    found = []
    for target, source in resolved.task_file.mounts.items():
        path = (folder / Path(source).expanduser()).absolute()
        if not path.exists():
            raise UsageError(
                f"[mounts] {target!r}: there is no {path}", "paths are relative to the task file; is the data there?"
            )
        found.append(Mount(source=str(path), target=target.strip("/") if not target.startswith("/") else target))
    for value in variables(resolved).values():
        if value.startswith("/") and Path(value).is_dir() and value != "/":
            found.append(Mount(source=value, target=value))
    return tuple(found)


def variables(resolved: Resolved) -> dict[str, str]:
    """Variables named under `env` that are set; keys and tokens are refused with UsageError."""
    for name in resolved.task_file.env:
        if _SECRET.search(name):
            raise UsageError(f"env names {name}, which looks like a secret", "keys and tokens never enter the sandbox; remove it")
    return {name: os.environ[name] for name in resolved.task_file.env if name in os.environ}


def thread_variables(threads: int) -> dict[str, str]:
    """The libraries' thread counts, the same in every arm."""
    return dict.fromkeys(_THREADS, str(threads))


def specs(resolved: Resolved) -> tuple[MetricSpec, ...]:
    """Metrics named by flags or task file, as far as they are; a direction that is still open is taken as "max" for reading."""
    tables = {table.name: table for table in resolved.task_file.metric}
    found = []
    for text in resolved.config.metrics:
        name, _, direction = text.rpartition(":") if text.endswith((":max", ":min")) else (text, "", "")
        section = tables[name].section if name in tables else None
        found.append(MetricSpec(name=name, direction="min" if direction == "min" else "max", section=section))
    if not found:
        for table in resolved.task_file.metric:
            found.append(MetricSpec(**{**table.model_dump(), "direction": table.direction or "max"}))
    return tuple(found)


def inside(path: str | None, folder: Path) -> str | None:
    """A file's path relative to `folder`, or None if it lies elsewhere."""
    if path is None or not Path(path).is_relative_to(folder):
        return None
    return Path(path).relative_to(folder).as_posix()


def needed(ignored: Sequence[str], read: Iterable[str]) -> tuple[str, ...]:
    """Git-ignored files and folders that the evaluation read, or may have read through a native library."""
    paths = tuple(read)
    kept = []
    for name in ignored:
        used = any(path == name or (name.endswith("/") and path.startswith(name)) for path in paths)
        if used or name.endswith(_NATIVE):
            kept.append(name)
    return tuple(kept)
