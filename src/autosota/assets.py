"""Registry of the data sets, models and checkpoints a repository refers to (paper section 3.2.2). Nothing is downloaded here.

Read from Python by its syntax, from README, scripts and configurations by their words, each with file and line.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from autosota.records import Asset, Evidence
from autosota.repositories import files

Kind = Literal["dataset", "model", "checkpoint", "other"]
MOST = 500
LARGEST_SOURCE = 2**20
LARGEST_TOTAL = 64 * 2**20
_TEXTS = frozenset(
    (".md", ".rst", ".txt", ".sh", ".bash", ".yaml", ".yml", ".toml", ".json", ".cfg", ".ini", ".py", ".ipynb", "")
)
_DATA = (
    ".csv",
    ".tsv",
    ".npz",
    ".npy",
    ".parquet",
    ".h5",
    ".hdf5",
    ".mat",
    ".arff",
    ".feather",
    ".jsonl",
    ".lmdb",
    ".tfrecord",
    ".xlsx",
)
_WEIGHTS = (".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".bin", ".gguf", ".weights", ".tar.pth")
_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz")
_EITHER = (".pkl", ".pickle", ".joblib")
_URL = re.compile(r"(?:https?|ftp|s3|gs)://[^\s<>\"'`\\)\]}|,;]+")
_DRIVE = re.compile(r"https?://drive\.google\.com/(?:file/d/|drive/folders/|open\?id=|uc\?[^\s\"']*?id=)([\w-]{15,})")
_PLACES = re.compile(
    r"https?://(?:www\.)?(?:zenodo\.org/(?:records?|api)/|doi\.org/10\.5281/zenodo\.|kaggle\.com/(?:datasets|c|competitions)/|figshare\.com/|"
    r"osf\.io/|dropbox\.com/|[\w.-]*sharepoint\.com/|1drv\.ms/|pan\.baidu\.com/|archive\.ics\.uci\.edu/|dl\.fbaipublicfiles\.com/|"
    r"[\w.-]*amazonaws\.com/|storage\.googleapis\.com/|huggingface\.co/(?:datasets/)?[\w.-]+/[\w.-]+|data\.mendeley\.com/|physionet\.org/)"
)
_OUTPUT = re.compile(r"-(?:O|o|-output(?:-document)?)[= ]+([\w./-]+)|-P[= ]+([\w./-]+)|>\s*([\w./-]+)")
_HUB_COMMAND = re.compile(r"(?:huggingface-cli|hf)\s+download\s+([\w.-]+/[\w.-]+)")
_READERS = frozenset(
    ("open", "load", "loadtxt", "genfromtxt", "read_csv", "read_table", "read_parquet", "read_json", "read_excel", "read_pickle",
     "read_feather", "read_hdf", "loadmat", "load_npz", "File", "imread", "load_state_dict_from_file", "memmap", "safe_open",
     "load_file", "load_from_disk", "fromfile")
)  # fmt: skip


def find(root: Path) -> tuple[Asset, ...]:
    """Everything the repository at `root` refers to, each thing once, with its first evidence."""
    found: dict[tuple[str, str], Asset] = {}
    total = 0
    for path in files(root):
        suffix = path.suffix.lower()
        if suffix not in _TEXTS or len(found) >= MOST or total > LARGEST_TOTAL:
            continue
        try:
            size = path.stat().st_size
            if size > LARGEST_SOURCE or (suffix == "" and not re.match(r"readme|makefile|dockerfile", path.name, re.IGNORECASE)):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        total += size
        name = path.relative_to(root).as_posix()
        for asset in _of_file(name, suffix, text, root):
            key = (asset.kind if asset.url is None and asset.path is None else "", asset.url or asset.path or asset.name)
            found.setdefault(key, asset)
    return tuple(found.values())[:MOST]


def _of_file(name: str, suffix: str, text: str, root: Path) -> Iterator[Asset]:
    if suffix == ".ipynb":
        text = _notebook_code(text)
    if suffix in {".py", ".ipynb"}:
        yield from _in_python(name, text, root)
    if suffix != ".py" or "://" in text:
        yield from _in_text(name, text)


def _notebook_code(text: str) -> str:
    try:
        cells = json.loads(text).get("cells", [])
        sources = ["".join(cell.get("source", [])) for cell in cells if cell.get("cell_type") == "code"]
    except (ValueError, RecursionError, AttributeError, TypeError):
        return ""
    return "\n".join(re.sub(r"^\s*[%!].*$", "pass", source, flags=re.MULTILINE) for source in sources)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_text(file: str, text: str) -> Iterator[Asset]:
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > 20_000 or ("://" not in line and "download" not in line):
            continue
        evidence = Evidence(file=file, line=number, quote=line.strip()[:300])
        hub = _HUB_COMMAND.search(line)
        if hub:
            kind: Kind = "dataset" if "dataset" in line else "model"
            yield Asset(
                kind=kind,
                name=hub[1],
                url=f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{hub[1]}",
                evidence=evidence,
            )
        for match in _URL.finditer(line):
            url = match[0].rstrip(".:*")
            before = line[: match.start()] or line
            drive = _DRIVE.match(url)
            if drive:
                yield Asset(
                    kind=_kind_by_words(before), name=f"Google Drive {drive[1]}", url=url, path=_output(line), evidence=evidence
                )
            elif _PLACES.match(url) or _ending(url, _DATA + _WEIGHTS + _PACKED + _EITHER):
                if re.search(r"/(?:blob|archive|pull|actions|badge)/|badge|shields\.io|\.git$|colab\.", url):
                    continue
                yield Asset(kind=_kind(url, before), name=_name(url), url=url, path=_output(line), evidence=evidence)


def _output(line: str) -> str | None:
    match = _OUTPUT.search(line) if re.search(r"\b(?:wget|curl|gdown|aria2c)\b", line) else None
    return next((group for group in match.groups() if group), None) if match else None


def _ending(url: str, endings: tuple[str, ...]) -> bool:
    return re.split(r"[?#]", url)[0].lower().endswith(endings)


def _kind(url: str, line: str) -> Kind:
    if _ending(url, _WEIGHTS):
        return "checkpoint"
    if _ending(url, _DATA) or "huggingface.co/datasets" in url or "kaggle.com" in url or "archive.ics.uci.edu" in url:
        return "dataset"
    if re.match(r"https?://huggingface\.co/", url):
        return "model"
    return _kind_by_words(line)


def _kind_by_words(line: str) -> Kind:
    """By the word nearest before the address, which stands at the line's end; else by any word of the line."""
    kinds: dict[Kind, str] = {
        "checkpoint": r"\b(?:checkpoints?|weights|pre-?trained|ckpt)\b",
        "dataset": r"data(?:set)?s?\b|corpus|benchmark|annotations|images",
        "model": r"\bmodels?\b",
    }
    last = {kind: max((m.end() for m in re.finditer(words, line, re.IGNORECASE)), default=-1) for kind, words in kinds.items()}
    best = max(last, key=lambda kind: last[kind])
    return best if last[best] >= 0 else "other"


def _name(url: str) -> str:
    path = re.split(r"[?#]", url)[0].rstrip("/")
    return path.rpartition("/")[2][:100] or url[:100]


# ── Python ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_python(file: str, text: str, root: Path) -> Iterator[Asset]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = text.splitlines()
    constants = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            quote = lines[node.lineno - 1].strip()[:300] if node.lineno <= len(lines) else ""
            evidence = Evidence(file=file, line=node.lineno, quote=quote)
            yield from _of_call(node, constants, evidence, root)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names bound to one string."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = _text(node.value, found)
            if value is not None:
                found[node.targets[0].id] = value
    return found


def _text(node: ast.expr | None, constants: dict[str, str]) -> str | None:
    """A string that is known without running anything: literal, constant, Path(…), joined paths, `/` of paths."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and len(node.value) < 2000 else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        left, right = _text(node.left, constants), _text(node.right, constants)
        mark = "/" if isinstance(node.op, ast.Div) else ""
        return None if left is None or right is None or len(left) > 4000 else f"{left.rstrip('/') if mark else left}{mark}{right}"
    if isinstance(node, ast.Call) and _dotted(node.func).rpartition(".")[2] in {"Path", "join", "str"} and node.args:
        parts = [_text(part, constants) for part in node.args]
        known = [part for part in parts if part is not None]
        return "/".join(known) if len(known) == len(parts) else None
    return None


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 20:
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def _argument(node: ast.Call, position: int, names: Iterable[str], constants: dict[str, str]) -> str | None:
    for keyword in node.keywords:
        if keyword.arg is not None and keyword.arg in names:
            return _text(keyword.value, constants)
    return _text(node.args[position], constants) if position < len(node.args) else None


def _of_call(node: ast.Call, constants: dict[str, str], evidence: Evidence, root: Path) -> Iterator[Asset]:
    dotted = _dotted(node.func)
    owner, _, function = dotted.rpartition(".")
    first = _argument(
        node, 0, ("path", "repo_id", "pretrained_model_name_or_path", "name", "url", "data_id", "model_name"), constants
    )
    if function == "load_dataset" and first:
        yield from _hub("dataset", first, evidence, root)
    elif function in {"from_pretrained", "SentenceTransformer"} and first:
        yield from _hub("model", first, evidence, root)
    elif function in {"hf_hub_download", "snapshot_download"} and first:
        data = _argument(node, 9, ("repo_type",), constants) == "dataset"
        yield from _hub("dataset" if data else "model", first, evidence, root)
    elif function == "create_model" and owner.endswith("timm") and first:
        yield Asset(kind="model", name=first, evidence=evidence)
    elif function.startswith("fetch_") and not owner.startswith(("self", "client", "cursor")):
        name = first if function == "fetch_openml" and first else function.removeprefix("fetch_")
        yield Asset(kind="dataset", name=name, path=_argument(node, 9, ("data_home",), constants), evidence=evidence)
    elif re.search(r"(?:^|\.)(?:torchvision\.)?datasets$", owner) and function[:1].isupper():
        path = _argument(node, 0, ("root",), constants)
        yield Asset(kind="dataset", name=function, path=path, present=_is_there(root, path), evidence=evidence)
    elif function in {
        "urlretrieve",
        "download_url",
        "download_and_extract_archive",
        "load_state_dict_from_url",
        "cached_download",
        "download",
    }:
        url = _argument(node, 0, ("url", "id"), constants)
        if url and re.match(r"(?:https?|ftp)://", url):
            path = _argument(node, 1, ("filename", "root", "output", "download_root"), constants)
            weights = "state_dict" in function or _ending(url, _WEIGHTS)
            kind: Kind = "checkpoint" if weights else _kind(url, evidence.quote)
            yield Asset(kind=kind, name=_name(url), url=url, path=path, present=_is_there(root, path), evidence=evidence)
    elif function in _READERS:
        yield from _opened(node, constants, evidence, root)


def _hub(kind: Kind, name: str, evidence: Evidence, root: Path) -> Iterator[Asset]:
    """A name on the hub, or a local folder given in its place."""
    if name.startswith((".", "/", "~")) or (root / name).exists():
        yield Asset(kind=kind, name=PurePosixPath(name).name or name, path=name, present=_is_there(root, name), evidence=evidence)
    elif re.fullmatch(r"[\w.-]+(?:/[\w.-]+)?", name) and name not in {"csv", "json", "text", "parquet", "imagefolder"}:
        prefix = "datasets/" if kind == "dataset" else ""
        yield Asset(kind=kind, name=name, url=f"https://huggingface.co/{prefix}{name}", evidence=evidence)


def _opened(node: ast.Call, constants: dict[str, str], evidence: Evidence, root: Path) -> Iterator[Asset]:
    """A file that is read by a path written in the code."""
    mode = _argument(node, 1, ("mode",), constants) if _dotted(node.func) in {"open", "io.open", "gzip.open"} else None
    path = _argument(node, 0, ("file", "filepath_or_buffer", "fname", "f"), constants)
    if path is None or (mode and set(mode) & set("wax")) or "://" in path or not re.fullmatch(r"[\w./~ -]{3,200}", path):
        return
    endings = (*_DATA, *_WEIGHTS, *_PACKED, *_EITHER, ".json", ".txt", ".db", ".wav", ".png", ".jpg")
    if not path.lower().endswith(endings):
        return
    kind: Kind = (
        "checkpoint" if path.lower().endswith(_WEIGHTS) else "dataset" if path.lower().endswith((*_DATA, *_EITHER)) else "other"
    )
    yield Asset(
        kind=kind,
        name=PurePosixPath(path).name,
        path=path,
        bytes=_size(root, path),
        present=_is_there(root, path),
        evidence=evidence,
    )


def _is_there(root: Path, path: str | None) -> bool:
    if not path or path.startswith(("/", "~")) or ".." in PurePosixPath(path).parts or "\x00" in path:
        return False
    try:
        return (root / path).exists()
    except OSError:
        return False


def _size(root: Path, path: str) -> int | None:
    target = root / path
    return target.stat().st_size if _is_there(root, path) and target.is_file() else None
