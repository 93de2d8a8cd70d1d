"""Which command measures a repository, and where its seed is set: read from README, scripts and option parsers (paper 3.4)."""

from __future__ import annotations

import ast
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autosota.environments import imports
from autosota.records import SeedPlace

_RANKS = (
    (r"evaluat", 10), (r"(^|[^a-z])evals?([^a-z]|$)", 9), (r"reproduc|replicat", 8), (r"(^|[^a-z])tests?([^a-z]|$)", 7),
    (r"benchmark|(^|[^a-z])bench([^a-z]|$)|score", 6), (r"(^|[^a-z])run", 5), (r"(^|[^a-z])main([^a-z]|$)|__main__", 4),
    (r"experiment|(^|[^a-z])exp([^a-z]|$)", 3), (r"demo|example|predict|infer", 2), (r"train|(^|[^a-z])fit([^a-z]|$)", 1),
)  # fmt: skip
_NOT = re.compile(
    r"(?i)(download|prepare|preprocess|plot|visuali[sz]|figure|setup\.py|install|unittest|pytest|convert|format|lint|jupyter|tensorboard|"
    r"gdown|wget|curl|visdom|streamlit|gradio|conftest|docs?/|http\.server)"
)
_PLACEHOLDER = re.compile(r"<[\w\s./|-]+>|\[[\w\s./|-]+\]|path/to|/path|\.\.\.|your[_-]|\$\{?[A-Za-z_]\w*|xxx", re.I)
_SEED_OPTIONS = ("--seed", "--random_seed", "--random-seed", "--random_state", "--random-state", "--manual_seed", "--manual-seed",
                 "--manualSeed", "--rng_seed", "--rng-seed", "--global_seed", "--np_seed")  # fmt: skip
_SEED_KEYS = ("seed", "random_seed", "random_state", "rng_seed", "manual_seed", "global_seed")
_WEIGHTS = (".pt", ".pth", ".ckpt", ".h5", ".keras", ".safetensors", ".joblib", ".pkl", ".pickle", ".npz", ".onnx")
MAX_README = 2**20
_LEAST = 0.7
"""Rank below which a documented command is shown but never chosen: nothing says that it evaluates."""


@dataclass(frozen=True)
class Candidate:
    """A command that may be the evaluation."""

    line: str
    script: str
    """Repository path it starts."""
    rank: float
    origin: str
    """"README.md line 12", "script"."""


def find(tree: Mapping[str, bytes]) -> tuple[Candidate, ...]:
    """Candidates, the likeliest first: README commands before bare scripts of the same kind."""
    found = [*_readme(tree), *_scripts(tree), *_makefile(tree)]
    best: dict[str, Candidate] = {}
    for candidate in sorted(found, key=lambda candidate: -candidate.rank):
        best.setdefault(candidate.line, candidate)
    return tuple(best.values())


def choose(tree: Mapping[str, bytes]) -> tuple[str | None, tuple[str, ...]]:
    """The command the rules decide on, with notes; None where there is none or several speak equally for themselves."""
    candidates = find(tree)
    if not candidates:
        return None, ()
    best = candidates[0]
    if best.rank <= _LEAST:
        shown = "; ".join(item.line for item in candidates[:5])
        return None, (f"nothing says how this repository is evaluated; its README starts: {shown}",)
    rivals = [item for item in candidates[1:] if item.rank == best.rank and item.script != best.script]
    if rivals:
        lines = "; ".join(item.line for item in (best, *rivals[:4]))
        return None, (f"several commands may be the evaluation: {lines}",)
    notes = [f"evaluation command from {best.origin}: {best.line}"]
    same = [item.line for item in candidates[1:] if item.rank == best.rank]
    if same:
        notes.append(f"other settings are documented too: {'; '.join(same[:4])}")
    makers = _makers(best, candidates, tree)
    line = seeded(" && ".join([*makers, best.line]) if makers else _after_training(best, candidates, tree))
    if seeded(best.line) != line:
        notes.append(f"files it needs are not in the repository, so what makes them comes first: {line}")
    return line, tuple(notes)


def seeded(command: str) -> str:
    """The command with the number after its seed option replaced by {seed}."""
    options = "|".join(map(re.escape, _SEED_OPTIONS))
    return command if "{seed}" in command else re.sub(rf"(?<!\S)({options})([ =])\d+(?!\S)", r"\1\2{seed}", command)


def scripts(command: str, tree: Mapping[str, bytes]) -> tuple[str, ...]:
    """Python files of the repository that a command line starts, through shell scripts and Makefiles of the repository too."""
    found: dict[str, None] = {}
    pending, seen = [(command, "")], set[str]()
    while pending and len(seen) < 50:
        text, folder = pending.pop(0)
        if text in seen:
            continue
        seen.add(text)
        for part in re.split(r"&&|\|\||;|\n|\|", text):
            words = _words(part)
            if words[:1] == ["cd"] and len(words) > 1:
                folder = posixpath.normpath(posixpath.join(folder, words[1]))
                continue
            for path in _started(words, folder, tree):
                if path.endswith(".py"):
                    found[path] = None
                else:
                    pending.append((_text(tree, path), folder))
            if words[:1] == ["make"]:
                target = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
                pending.append((_recipe(tree, posixpath.normpath(posixpath.join(folder, "Makefile")), target), folder))
    return tuple(found)


def seed_place(command: str, tree: Mapping[str, bytes], read: Iterable[str] = ()) -> tuple[SeedPlace, str]:
    """Where the host sets the seed (contract, "Seeds"), and why. `read`: files the evaluation was seen to read."""
    if "{seed}" in command:
        return SeedPlace(kind="placeholder"), "the command has {seed}"
    started = scripts(command, tree)
    for path in started:
        options = options_of(tree.get(path, b""))
        for option in _SEED_OPTIONS:
            if option in options:
                return SeedPlace(kind="option", option=option), f"{path} has the option {option}"
    for path in sorted({*read, *started}):
        key = _seed_key(path, tree)
        if key:
            return SeedPlace(kind="key", file=path, key=key), f"{path} holds the seed as `{key}`"
    return SeedPlace(kind="environment"), "no place for a seed was found; AUTOSOTA_SEED is set, and may change nothing"


def options_of(content: bytes) -> dict[str, bool]:
    """Options of argparse, click and absl parsers in a Python file: name → is it required? Positionals have no dashes."""
    module = imports.parse(content)
    found: dict[str, bool] = {}
    for node in ast.walk(module) if module else ():
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        required = isinstance(keywords.get("required"), ast.Constant) and bool(getattr(keywords["required"], "value", False))
        if name == "add_argument":
            for text in texts:
                optional = keywords.get("nargs")
                spare = isinstance(optional, ast.Constant) and optional.value in ("?", "*")
                found[text] = required if text.startswith("-") else not spare and "default" not in keywords
        elif name in ("option", "Option"):
            found.update({part: required for text in texts for part in text.split("/") if part.startswith("-")})
        elif name.startswith("DEFINE_") and texts:
            found[f"--{texts[0]}"] = False
    return found


# ── where candidates come from ────────────────────────────────────────────────────────────────────────────────────────


def _readme(tree: Mapping[str, bytes]) -> Iterable[Candidate]:
    names = [path for path in tree if re.fullmatch(r"(?i)(docs/)?readme(\.\w+)?", path)]
    for name in sorted(names, key=lambda path: (path.count("/"), path)):
        heading, fenced = "", False
        text = re.sub(r"\\\r?\n[ \t>]*", " ", _text(tree, name)[:MAX_README])
        for number, line in enumerate(text.splitlines(), 1):
            if alone := re.fullmatch(r"\s*```+\s*([^`]+?)\s*```+\s*", line):
                line = f"    {alone[1]}"
            elif re.match(r"\s*(```|~~~|\.\. code)", line):
                fenced = not fenced or ".. code" in line
                continue
            if not fenced and re.match(r"#+\s|\S.*\n[=-]{3,}", line):
                heading = line
            indented = line.startswith(("    ", "\t")) or fenced or re.match(r"\s*[$]\s", line)
            inline = re.findall(r"`((?:python3?|bash|sh|make)\s[^`]+)`", line) if not indented else []
            for command in [line] if indented else inline:
                candidate = _command(command, heading, f"{name} line {number}", tree)
                if candidate:
                    yield candidate


def _command(line: str, heading: str, origin: str, tree: Mapping[str, bytes]) -> Candidate | None:
    text = re.sub(r"^\s*(?:[$>%#]|>>>)\s+", "", line).strip()
    text = re.sub(r"\s+#.*$", "", text)
    text = re.sub(r"^(?:(?:CUDA_VISIBLE_DEVICES|TF_CPP_MIN_LOG_LEVEL|OMP_NUM_THREADS)=\S+\s+)+", "", text)
    if _PLACEHOLDER.search(text) or _NOT.search(text) or len(text) > 500:
        return None
    text = _in_its_folder(text, tree)
    started = scripts(text, tree)
    direct = re.match(r"(?:python3?(?:\.\d+)?|bash|sh|make|\./|cd)\b|\./", text)
    if not direct or not started:
        return None
    text = re.sub(r"(^|&& )python3?(?:\.\d+)?\b", r"\1python", text)
    rank = _rank(f"{text.split(' --')[0]}") + (0.4 if _rank(heading) >= 6 else 0.0) + 0.3
    return Candidate(text, started[0], rank, origin)


def _in_its_folder(line: str, tree: Mapping[str, bytes]) -> str:
    """A documented `python train.py` whose script lies in one folder of the repository: started there."""
    match = re.match(r"python3?(?:\.\d+)?\s+(\w[\w.-]*\.py)(?=\s|$)", line)
    if match is None or match[1] in tree:
        return line
    folders = [posixpath.dirname(path) for path in tree if posixpath.basename(path) == match[1]]
    return f"cd {shlex.quote(folders[0])} && {line}" if len(folders) == 1 else line


def _scripts(tree: Mapping[str, bytes]) -> Iterable[Candidate]:
    for path in sorted(tree):
        depth = path.count("/")
        if depth > 1 or (depth and not re.match(r"(src|scripts?|experiments?|code|examples?|tools|bin)/", path)):
            continue
        if path.endswith(".py") and not _NOT.search(path):
            rank = _rank(posixpath.basename(path)) - 0.2 * depth
            if rank >= 0.8 and _runnable(tree[path]) and not any(options_of(tree[path]).values()):
                yield Candidate(f"python {shlex.quote(path)}", path, rank, "scripts")
        elif path.endswith(".sh") and not _NOT.search(path):
            rank = _rank(posixpath.basename(path)) - 0.5 - 0.2 * depth
            started = scripts(f"bash {path}", tree)
            if rank > 0.4 and started:
                yield Candidate(f"bash {shlex.quote(path)}", started[0], rank, "scripts")


def _makefile(tree: Mapping[str, bytes]) -> Iterable[Candidate]:
    for target in re.findall(r"(?m)^([\w-]+):(?!=)", _text(tree, "Makefile")):
        rank = _rank(target) - 0.6
        started = scripts(f"make {target}", tree)
        if rank > 0.3 and started and not _NOT.search(target) and target != "test":
            yield Candidate(f"make {target}", started[0], rank, "Makefile")


def _rank(text: str) -> float:
    lower = text.lower()
    return next((float(rank) for pattern, rank in _RANKS if re.search(pattern, lower)), 0.0)


def _runnable(content: bytes) -> bool:
    """Does starting the file do something? A main block, a call or a loop at the top level; unit tests do not count."""
    module = imports.parse(content)
    if module is None:
        return b"__main__" in content or b"print " in content
    names = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    if names and all(name.startswith("test_") for name in names):
        return False
    kinds = (ast.If, ast.For, ast.While, ast.With, ast.Try)
    return any(
        isinstance(node, kinds) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) for node in module.body
    )


def _makers(best: Candidate, candidates: Sequence[Candidate], tree: Mapping[str, bytes]) -> list[str]:
    """Documented commands above `best` that name a file it is given and the repository lacks, in their order."""
    words = _words(best.line)
    given = {
        posixpath.normpath(word)
        for before, word in zip(["", *words], words, strict=False)
        if re.search(r"\w\.\w{1,12}$", word)
        and not word.startswith("-")
        and not re.search(r"out|save|dest|log|result|report", before)
    }
    missing = {word for word in given if word not in tree and not word.startswith("/")}
    above = [item for item in candidates if item.line != best.line and _line_number(item) < _line_number(best)]
    makers = [item for item in above if missing & {posixpath.normpath(word) for word in _words(item.line)}]
    return [item.line for item in sorted(makers, key=_line_number)]


def _line_number(candidate: Candidate) -> float:
    match = re.search(r" line (\d+)$", candidate.origin)
    return int(match[1]) if match else float("inf")


def _after_training(best: Candidate, candidates: Sequence[Candidate], tree: Mapping[str, bytes]) -> str:
    """With a documented training command, an evaluation that loads a model, and no model in the repository: both in a row."""
    source = _text(tree, best.script)
    loads = re.search(
        r"torch\.load|load_state_dict|joblib\.load|pickle\.load|load_model|load_weights|np\.load|restore\(|from_pretrained",
        source,
    )
    present = any(path.endswith(_WEIGHTS) for path in tree)
    if _rank(best.script) < 2 or not loads or present:
        return best.line
    training = [item for item in candidates if 1 <= item.rank < 2 and _rank(posixpath.basename(item.script)) == 1]
    return f"{training[0].line} && {best.line}" if training else best.line


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _words(part: str) -> list[str]:
    try:
        words = shlex.split(part, comments=True)
    except ValueError:
        words = part.split()
    while words and re.fullmatch(
        r"[A-Za-z_]\w*=.*|env|time|nohup|exec|sudo|srun|accelerate|launch|torchrun|stdbuf|-oL", words[0]
    ):
        words = words[1:]
    return words


def _started(words: list[str], folder: str, tree: Mapping[str, bytes]) -> list[str]:
    if not words:
        return []
    head = posixpath.basename(words[0])
    if re.fullmatch(r"python[\d.]*", head):
        arguments = words[1:]
        while arguments and arguments[0].startswith("-") and arguments[0] not in ("-m", "-c"):
            arguments = arguments[2 if arguments[0] in ("-W", "-X") else 1 :]
        if arguments[:1] == ["-m"] and len(arguments) > 1:
            base = arguments[1].replace(".", "/")
            if arguments[1] in ("torch.distributed.launch", "torch.distributed.run", "accelerate.commands.launch"):
                return [path for word in arguments[2:] if (path := _inside(word, folder)) in tree and path.endswith(".py")][:1]
            places = [f"{base}.py", f"{base}/__main__.py", f"src/{base}.py", f"src/{base}/__main__.py"]
            return [path for place in places if (path := _inside(place, folder)) in tree][:1]
        target = _inside(arguments[0], folder) if arguments else ""
        return [target] if target in tree else []
    if head in ("bash", "sh", "zsh", "source", "."):
        target = next((_inside(word, folder) for word in words[1:] if not word.startswith("-")), "")
        return [target] if target in tree else []
    target = _inside(words[0], folder)
    return [target] if target in tree and ("/" in words[0] or target.endswith((".sh", ".py"))) else []


def _inside(word: str, folder: str) -> str:
    return posixpath.normpath(posixpath.join(folder, word))


def _recipe(tree: Mapping[str, bytes], path: str, target: str) -> str:
    """Commands of a Makefile's target and of those it needs; the first target where none is named."""
    text = re.sub(r"\\\r?\n", " ", _text(tree, path))
    variables = dict(re.findall(r"(?m)^(\w+)\s*[?:]?=\s*(.*?)\s*$", text))
    rules: dict[str, tuple[str, str]] = {}
    for match in re.finditer(r"(?m)^([\w./-]+)\s*:(?!=)([^\n]*)\n((?:[ \t]+[^\n]*\n?|\n)*)", text):
        rules.setdefault(match[1], (match[2], match[3]))
    pending, seen, lines = [target or next(iter(rules), "")], set[str](), []
    while pending:
        name = pending.pop(0)
        if name in rules and name not in seen:
            seen.add(name)
            needs, body = rules[name]
            pending += needs.split("#")[0].split()
            lines += [re.sub(r"^[@-]+", "", line.strip()) for line in body.splitlines()]
    joined = "\n".join(lines)
    for name, value in variables.items():
        joined = joined.replace(f"$({name})", value).replace(f"${{{name}}}", value)
    return joined


def _seed_key(path: str, tree: Mapping[str, bytes]) -> str | None:
    """A dotted key in a configuration file, or a module constant, that is the seed."""
    if path not in tree or len(tree[path]) > 2**20:
        return None
    if path.endswith(".py"):
        module = imports.parse(tree[path])
        for node in module.body if module else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id.lower() in _SEED_KEYS:
                        return target.id
        return None
    if path.endswith((".yaml", ".yml", ".json", ".toml")):
        return next((key for key in _keys(path, _text(tree, path)) if key.rpartition(".")[2].lower() in _SEED_KEYS), None)
    return None


def _keys(path: str, text: str) -> list[str]:
    """Dotted keys with integer values of a configuration file, the shallow ones first."""
    import json
    import tomllib

    import yaml

    try:
        data = (
            yaml.safe_load(text)
            if path.endswith((".yaml", ".yml"))
            else json.loads(text)
            if path.endswith(".json")
            else tomllib.loads(text)
        )
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    found: list[str] = []
    pending = [("", data)]
    while pending and len(found) < 10_000:
        prefix, value = pending.pop(0)
        if isinstance(value, dict):
            pending += [(f"{prefix}.{key}" if prefix else str(key), item) for key, item in value.items()]
        elif type(value) is int:
            found.append(prefix)
    return found


def _text(tree: Mapping[str, bytes], path: str) -> str:
    return tree[path][: 2 * MAX_README].decode("utf-8", errors="replace") if path in tree else ""
