"""Remedies for files, folders and modules that are not where the code looks for them."""

from __future__ import annotations

import ast
import posixpath
import re
import shlex
from collections.abc import Mapping

from autosota import entrypoints
from autosota.environments import imports
from autosota.failures import Failure
from autosota.records import Change
from autosota.skills import Context, Remedy, edits, remedy
from autosota.skills.edits import Editor
from autosota.skills.remedies.interfaces import done

_WRITES = re.compile(
    r"open\([^)]*['\"](?:w|a|x|wb|ab|w\+|wt)['\"]|\.save\w*\(|\.to_(?:csv|json|excel|parquet|pickle|hdf)\(|\.dump\(|savefig|imwrite|imsave|"
    r"savetxt|savez|write_\w+\(|FileHandler|SummaryWriter|mkdir\(|mkstemp|write_text|write_bytes|copy\w*\("
)
_LARGEST = 64 * 2**20
_CONFIGURATIONS = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".txt", ".sh", ".csv", ".lst")


def missing_path(failure: Failure, context: Context) -> str | None:
    """The path that does not exist, as the code has it; inside the tree it is made relative."""
    words = failure.message
    quoted: list[str] = re.findall(r"['\"]([^'\"\n]+)['\"]", words)
    path = (
        quoted[-1]
        if quoted
        else next(iter(re.findall(r"((?:/|\.{0,2}/)?[\w.-]+(?:/[\w. -]+)*)\s*$", words.splitlines()[0] if words else "")), None)
    )
    if path is None:
        return None
    path = path.removeprefix("file://")
    root = context.root.rstrip("/")
    return path.removeprefix(root + "/") if root and path.startswith(root + "/") else path


@remedy("hard-coded-path")
def hard_coded_path(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Absolute paths of the author's machine whose end exists in the repository become relative to its root."""
    folders = {posixpath.dirname(path) for path in context.tree}
    folders |= {parent for folder in folders for parent in _parents(folder)}

    def relative(text: str) -> str | None:
        parts = [part for part in text.replace("\\", "/").split("/") if part]
        for start in range(len(parts)):
            rest = "/".join(parts[start:])
            if rest in context.tree or rest in folders:
                return rest + ("/" if text.endswith("/") else "")
        return None

    roots = _roots(failure, context, relative)

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or not _absolute(node.value):
                continue
            if node.value.rstrip("/") in roots:
                editor.replace(node, repr("./" if node.value.endswith("/") else "."))
            elif (found := relative(node.value)) is not None and found.strip("/"):
                editor.replace(node, repr(found))

    changes = edits.edited(failure, context.tree, context.root, edit)
    if not changes:
        changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return done(changes or _configured(failure, context), "Make paths of the author's machine relative to the repository")


def _configured(failure: Failure, context: Context) -> tuple[Change, ...]:
    """Configuration files and scripts in which the missing path stands below a folder of the author's machine."""
    path = missing_path(failure, context) or ""
    parts = path.split("/")
    ends = ["/".join(parts[start:]) for start in range(1, len(parts))]
    inside = next((end for end in ends if end and _exists(end, context.tree)), None)
    if inside is None or not _absolute(path):
        return ()
    root = path.removesuffix(inside)
    changes = []
    for name, content in context.tree.items() if len(root) > 1 else ():
        if name.endswith(_CONFIGURATIONS) and len(content) < 2**20 and root.encode() in content:
            changes.append(Change(path=name, content=content.replace(root.encode(), b"")))
    return tuple(changes)


@remedy("windows-separator")
def windows_separator(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Paths with backslashes, of which the repository holds the same with slashes."""
    folders = {posixpath.dirname(path) for path in context.tree}

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\\" in node.value:
                path = node.value.replace("\\", "/")
                clean = posixpath.normpath(path)
                if clean in context.tree or clean in folders or posixpath.dirname(clean) in folders:
                    editor.replace(node, repr(path))

    changes = edits.edited(failure, context.tree, context.root, edit)
    if not changes:
        changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return done(changes, "Write paths with slashes")


def _absolute(text: str) -> bool:
    if len(text) < 2 or "\n" in text or text.startswith(("/dev/", "/proc/", "/tmp", "/usr/", "/bin/", "/etc/", "//")):
        return False
    return text.startswith(("/", "~/")) or re.match(r"[A-Za-z]:[\\/]", text) is not None


def _roots(failure: Failure, context: Context, relative: object) -> set[str]:
    """Absolute folders in the code that mean the repository's root: what follows them in the missing path is in the tree."""
    path = missing_path(failure, context) or ""
    found = set()
    texts: set[str] = set()
    for file in imports.source_files(context.tree):
        editor = Editor(file, context.tree[file])
        texts |= {
            n.value for n in editor.nodes() if isinstance(n, ast.Constant) and isinstance(n.value, str) and _absolute(n.value)
        }
    for text in texts:
        rest = path.removeprefix(text.rstrip("/") + "/")
        if rest != path and (rest in context.tree or any(name.startswith(rest.rstrip("/") + "/") for name in context.tree)):
            found.add(text.rstrip("/"))
        elif "sys.path" in failure.text or failure.exception == "ModuleNotFoundError":
            found.add(text.rstrip("/")) if relative(text) is None else None  # type: ignore[operator]
    return found


def _parents(folder: str) -> list[str]:
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


@remedy("missing-output-folder")
def missing_output_folder(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A folder that results are written to is not made by the code: an empty one with a placeholder file."""
    path = missing_path(failure, context)
    if path is None or path.startswith(("/", "~", "..")):
        return None
    folder = path.rstrip("/") if "non-existent directory" in failure.message or path.endswith("/") else posixpath.dirname(path)
    folder = posixpath.normpath(posixpath.join(_working_folder(context), folder))
    if folder in ("", ".") or folder.startswith("..") or any(name.startswith(folder + "/") for name in context.tree):
        return None
    if "non-existent directory" not in failure.message and not _writes(failure, context) and not _listed(failure):
        return None
    return Remedy(
        f"Make the folder {folder}, which results are written to", changes=(Change(path=f"{folder}/.gitkeep", content=b""),)
    )


def _writes(failure: Failure, context: Context) -> bool:
    """Does a line of the traceback write?"""
    for frame in failure.repository_frames(context.root):
        path = edits.located(frame.file, context.tree)
        lines = context.tree[path].decode("utf-8", errors="replace").splitlines() if path else []
        if 0 < frame.line <= len(lines) and _WRITES.search(" ".join(lines[max(frame.line - 2, 0) : frame.line + 2])):
            return True
    return bool(
        re.search(r"(cannot create|can't create|Permission denied|savefig|to_csv|Directory nonexistent)", failure.text[-3000:])
    )


def _listed(failure: Failure) -> bool:
    return bool(re.search(r"os\.(listdir|mkdir)\(", failure.text[-3000:])) and "mkdir" in failure.text[-3000:]


def _working_folder(context: Context) -> str:
    """Folder the command changes into, relative to the root."""
    found = re.match(r"\s*cd\s+([\w./-]+)\s*(?:&&|;)", context.commands.evaluate or "")
    return posixpath.normpath(found[1]) if found else ""


@remedy("working-folder")
def working_folder(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A relative path that exists seen from the script's folder, or from one above: the command starts there."""
    path, line = missing_path(failure, context), context.commands.evaluate or ""
    if path is None or path.startswith(("/", "~")) or line.lstrip().startswith("cd "):
        return None
    for script in entrypoints.scripts(line, context.tree):
        folder = posixpath.dirname(script)
        for start in [folder, *reversed(_parents(folder))]:
            target = posixpath.normpath(posixpath.join(start, path)) if start else ""
            if target and _exists(target, context.tree) and re.search(rf"\bpython\s+(\./)?{re.escape(script)}\b", line):
                inner = posixpath.relpath(script, start)
                moved = re.sub(rf"\bpython\s+(\./)?{re.escape(script)}\b", f"python {inner}", line, count=1)
                variables = {"PYTHONPATH": _joined(context, ".")} if not context.recipe.variables.get("PYTHONPATH") else {}
                return Remedy(
                    f"Start in {start}, where {path} is", command=f"cd {shlex.quote(start)} && {moved}", variables=variables
                )
    return None


def _exists(path: str, tree: Mapping[str, bytes]) -> bool:
    return path in tree or any(name.startswith(path.rstrip("/") + "/") for name in tree)


@remedy("data-elsewhere")
def data_elsewhere(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A missing file of which the repository holds exactly one of the same name: a copy where the code looks."""
    path = missing_path(failure, context)
    if path is None or path.startswith(("~", "..")):
        return None
    name = posixpath.basename(path)
    same = [found for found in context.tree if posixpath.basename(found) == name]
    if not name or len(same) != 1 or _writes(failure, context):
        return None
    if path.startswith("/"):
        return None
    target = posixpath.normpath(posixpath.join(_working_folder(context), path))
    content = context.tree[same[0]]
    if target.startswith("..") or len(content) > _LARGEST:
        return None
    return Remedy(f"Put {same[0]} where the code looks for it, {target}", changes=(Change(path=target, content=content),))


@remedy("compressed-data")
def compressed_data(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A missing file that the repository holds compressed: unpacked before the evaluation."""
    path, line = missing_path(failure, context), context.commands.evaluate
    if path is None or line is None or path.startswith(("/", "~", "..")):
        return None
    target = posixpath.normpath(posixpath.join(_working_folder(context), path))
    for ending, program in ((".gz", "gzip -dk"), (".bz2", "bzip2 -dk"), (".xz", "xz -dk")):
        if target + ending in context.tree:
            return Remedy(f"Unpack {target}{ending} first", command=f"{program} {shlex.quote(target + ending)} && {line}")
    for archive in sorted(name for name in context.tree if name.endswith((".zip", ".tar.gz", ".tgz", ".tar"))):
        folder = posixpath.dirname(archive) or "."
        stem = re.sub(r"\.(zip|tar\.gz|tgz|tar)$", "", archive)
        if target.startswith(stem + "/") or posixpath.dirname(target) == posixpath.dirname(archive):
            verb = "-m zipfile -e" if archive.endswith(".zip") else "-m tarfile -e"
            return Remedy(
                f"Unpack {archive} first", command=f"python {verb} {shlex.quote(archive)} {shlex.quote(folder)} && {line}"
            )
    return None


@remedy("own-module-not-on-path")
def own_module_not_on_path(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """A module of the repository in another folder: that folder joins the import path."""
    top = match[1].partition(".")[0]
    whole = match[1].replace(".", "/")
    folders = set()
    for path in context.tree:
        for form in (f"{whole}.py", f"{whole}/__init__.py", f"{top}.py", f"{top}/__init__.py"):
            if path == form or path.endswith("/" + form):
                folders.add(path[: len(path) - len(form)].rstrip("/") or ".")
    for path in context.tree:
        if not folders and (path.startswith(f"{top}/") or f"/{top}/" in path) and path.endswith(".py"):
            folders.add(path.partition(f"{top}/")[0].rstrip("/") or ".")
    have = (context.recipe.variables.get("PYTHONPATH") or "").split(":")
    wanted = sorted(
        (folder for folder in folders if _place(context, folder) not in have), key=lambda folder: (folder.count("/"), folder)
    )
    if not wanted:
        return None
    best = "." if "." in wanted else wanted[0]
    return Remedy(f"Put {best} on the import path, where {top} is", variables={"PYTHONPATH": _joined(context, best)})


def _place(context: Context, folder: str) -> str:
    root = context.root.rstrip("/")
    return (root if folder == "." else f"{root}/{folder}") if root else folder


def _joined(context: Context, folder: str) -> str:
    have = [entry for entry in (context.recipe.variables.get("PYTHONPATH") or "").split(":") if entry]
    return ":".join([_place(context, folder), *have])


@remedy("train-first")
def train_first(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """The evaluation wants a trained model that is not in the repository: the documented training runs before it."""
    path, line = missing_path(failure, context), context.commands.evaluate or ""
    if (
        path is None
        or "&&" in line
        or not re.search(
            r"\.(pt|pth|ckpt|h5|keras|pkl|pickle|joblib|npz|npy|safetensors|bin|model|json)$|checkpoint|model|weight|saved",
            path,
            re.I,
        )
    ):
        return None
    started = set(entrypoints.scripts(line, context.tree))
    for candidate in entrypoints.find(context.tree):
        if re.search(r"train|fit", posixpath.basename(candidate.script)) and candidate.script not in started:
            return Remedy(f"Train first: {path} is not in the repository", command=f"{candidate.line} && {line}")
    return None


@remedy("author-output-folder")
def author_output_folder(failure: Failure, match: re.Match[str], context: Context) -> Remedy | None:
    """Results are written into folders of the author's machine: below the repository instead, by the same names."""
    refused = match[1].rstrip("/")

    def edit(editor: Editor) -> None:
        for node in editor.nodes():
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if isinstance(node, ast.Constant) and _absolute(text) and f"{text}/".startswith(f"{refused}/") and _below(text):
                editor.replace(node, repr(_below(text)))

    changes = edits.edited(failure, context.tree, context.root, edit)
    if not changes:
        changes = edits.edited(failure, context.tree, context.root, edit, everywhere=True)
    return done(changes, "Write results below the repository, not into the author's folders")


def _below(path: str) -> str:
    """What follows the home or volume in an absolute path."""
    return re.sub(r"^/(?:(?:home|Users|mnt|media|scratch|data\d*)/[^/]+|root|[^/]+)(?:/|$)", "", path.replace("~/", "/root/", 1))
