"""Writes values back as edits of exactly their own characters, and looks values up by dotted key."""

from __future__ import annotations

import ast
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from autosota.errors import UsageError
from autosota.knobs import configuration, python
from autosota.knobs.configuration import Configuration
from autosota.knobs.place import MAX_BYTES, PYTHON, Place, float_text, scalar
from autosota.knobs.text import Text
from autosota.records import Change, Scalar


def write(tree: Mapping[str, bytes], setting: Mapping[str, Scalar]) -> tuple[Change, ...]:
    """Put the values where the knobs are; formatting and comments stay, equal settings give equal bytes.

    Files whose content does not change are left out. Raises UsageError for an id that is not in the tree and for a value
    that its place cannot hold.
    """
    by_file: dict[str, dict[str, Scalar]] = defaultdict(dict)
    for identity, value in setting.items():
        by_file[identity.partition("::")[0]][identity] = value
    changes = []
    for file, values in sorted(by_file.items()):
        text, places = _read(tree, file, next(iter(values)))
        pairs = [(_find(places, identity), value) for identity, value in sorted(values.items())]
        content = _rewritten(file, text, pairs)
        if content != tree[file]:
            changes.append(Change(path=file, content=content))
    return tuple(changes)


def value(tree: Mapping[str, bytes], file: str, key: str) -> Scalar:
    """The effective value at a dotted key. Raises KeyError if it is absent.

    In YAML, TOML, JSON or INI, or in Python a module or class constant, an option's default, a dataclass field or a parameter's
    default. Where a key occurs twice, the last one counts.
    """
    return _at_key(tree, file, key).value


def write_key(tree: Mapping[str, bytes], file: str, key: str, value: Scalar) -> Change:
    """Put a value at a dotted key as `value` finds it. Raises KeyError if absent, UsageError if it cannot be written there."""
    place = _at_key(tree, file, key)
    text, _ = _read(tree, file, key)
    return Change(path=file, content=_rewritten(file, text, [(place, value)]))


# ── looking up ──


def _read(tree: Mapping[str, bytes], file: str, what: str) -> tuple[Text, list[Place]]:
    if file not in tree:
        raise UsageError(f"{what}: there is no file {file}", "knobs are named <file>::<kind>:<place>; see 05-analysis.json")
    content = tree[file]
    if file.endswith(".py"):
        module = python.read(file, content) if len(content) <= MAX_BYTES else None
        found: python.Module | Configuration | None = module
    else:
        found = configuration.read(file, content)
    if found is None:
        raise UsageError(f"{what}: {file} cannot be read", "it must be Python, YAML, TOML, JSON or INI text of less than 1 MB")
    return found.text, found.places


def _find(places: list[Place], identity: str) -> Place:
    for place in places:
        if place.id == identity and not place.implicit:
            if place.plain:
                return place
            raise UsageError(f"{identity}: this value stands elsewhere in the file", "tune the constant it refers to")
    base, mark, count = identity.partition("#")
    owner, _, name = base.rpartition(".")
    for place in places:
        if place.implicit and place.id == f"{owner}.*{mark}{count}" and name.isidentifier():
            return replace(place, key=f"{owner}.{name}", before=f"{place.before}{name}=", plain=True)
    raise UsageError(f"{identity}: no such knob in this tree", "the code around it has changed; `autosota show` lists the knobs")


def _at_key(tree: Mapping[str, bytes], file: str, key: str) -> Place:
    try:
        content = tree[file]
        found = python.read(file, content) if file.endswith(".py") else configuration.read(file, content)
    except KeyError:
        raise KeyError(f"{file}: no such file") from None
    if found is None or len(content) > MAX_BYTES:
        raise KeyError(f"{file} cannot be read")
    wanted = key.partition("#")[0]
    if isinstance(found, Configuration):
        matching = [place for place in found.places if place.key.partition("#")[0] == wanted]
        matching = matching or _through_aliases(found, wanted, 0)
    else:
        flag = wanted.lstrip("-").replace("-", "_")
        usual = [place for place in found.places if place.kind != "keyword"]
        matching = [place for place in usual if place.key.partition("#")[0] == wanted]
        matching = matching or [place for place in usual if place.kind in ("argparse", "click") and place.name == flag]
        matching = matching or [place for place in usual if place.key.partition("#")[0].endswith("." + wanted)]
    scalars = [place for place in matching if not place.structured] or matching
    if not scalars:
        raise KeyError(f"{file}: no key {key!r}")
    return scalars[-1]


def _through_aliases(found: Configuration, key: str, depth: int) -> list[Place]:
    """YAML aliases and merges: "b.lr" is "a.lr" after `b: *a` or `b: {<<: *a}`."""
    for prefix, origins in found.aliases.items():
        if depth < 5 and (key == prefix or key.startswith(prefix + ".") or not prefix):
            for origin in reversed(origins):
                target = origin + (key[len(prefix) :] if prefix else f".{key}")
                matching = [place for place in found.places if place.key == target]
                matching = matching or _through_aliases(found, target, depth + 1)
                if matching:
                    return matching
    return []


# ── editing ──


def _rewritten(file: str, text: Text, pairs: list[tuple[Place, Scalar]]) -> bytes:
    if pairs[0][0].kind == "toml":
        return _rewritten_toml(text, pairs)
    edits: dict[tuple[int, int], str] = {}
    for place, new in pairs:
        span = (place.start, place.end)
        written = place.before + _rendered(place, new, text)
        if span in edits and not place.before.startswith(","):
            written = ", " + written
        edits[span] = edits.get(span, "") + written
    try:
        content = text.replaced([(start, end, written) for (start, end), written in edits.items()])
    except UnicodeError:
        raise UsageError(f"{file}: its encoding {text.encoding} cannot hold the new value", "use plain characters") from None
    if file.endswith(".py"):
        _check(file, content, text)
    return content


def _check(file: str, content: bytes, text: Text) -> None:
    """The edited file must still be Python."""
    try:
        ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            f"{file}: the new value does not fit into the source", "give a number, a string, true, false or none"
        ) from None


def _rendered(place: Place, new: Scalar, text: Text) -> str:
    """The value as text of the file's language. Raises UsageError for what the place cannot hold."""
    problem = UsageError(f"{place.id}: cannot hold {new!r}", f"now it is {place.value!r}")
    if isinstance(new, float) and not math.isfinite(new):
        raise problem
    if place.structured:
        if not isinstance(new, str) or not re.fullmatch(r"[\[(]\s*\d+(\s*,\s*\d+)*\s*,?\s*[\])]", new):
            raise problem
        return new
    if isinstance(new, (bool, int)) and isinstance(place.value, float) and not isinstance(new, bool):
        new = float(new)
    old = text.data[place.start : place.end].decode("utf-8", "replace")
    if place.kind in PYTHON:
        return _python_text(new, old)
    if place.kind == "json":
        return float_text(new) if isinstance(new, float) else json.dumps(new)
    if isinstance(new, str) and (not new.isprintable() or "#" in new or ": " in new or not new.strip() or ";" in new):
        raise problem
    if place.kind == "ini":
        if new is None:
            raise problem
        return _word(new, old) if isinstance(new, bool) else float_text(new) if isinstance(new, float) else str(new)
    return _yaml_text(new, old, place)


def _python_text(new: Scalar, old: str) -> str:
    if isinstance(new, float):
        return float_text(new)
    if isinstance(new, str) and not old.startswith("'") and '"' not in new and "\\" not in new and new.isprintable():
        return f'"{new}"'
    return repr(new)


def _word(new: bool, old: str) -> str:
    """True or false in the words and case that stand there: yes/no, on/off, True/False."""
    pairs = {"true": "false", "false": "true", "yes": "no", "no": "yes", "on": "off", "off": "on"}
    positive = {"true", "yes", "on"}
    lower = old.lower() if old.lower() in pairs else "true"
    word = lower if (lower in positive) == new else pairs[lower]
    return word.upper() if old.isupper() and len(old) > 1 else word.capitalize() if old[:1].isupper() else word


def _yaml_text(new: Scalar, old: str, place: Place) -> str:
    if new is None:
        written = "null"
    elif isinstance(new, bool):
        written = _word(new, old)
    elif isinstance(new, float):
        written = float_text(new)
        if "e" in written and "." not in written:
            written = written.replace("e", ".0e")  # YAML 1.1 reads 1e-05 as text
    elif isinstance(new, int):
        written = str(new)
    elif old[:1] in "\"'" and old[:1] not in new and "\\" not in new:
        written = f"{old[:1]}{new}{old[:1]}"
    else:
        written = new if re.fullmatch(r"[A-Za-z_][\w./+-]*", new) and scalar(new) == new else json.dumps(new)
    return written if place.start < place.end else f" {written}"


def _rewritten_toml(text: Text, pairs: list[tuple[Place, Scalar]]) -> bytes:
    import tomlkit
    from tomlkit.items import Array, Item

    document = tomlkit.parse(text.data.decode())
    for place, new in pairs:
        if new is None or (isinstance(new, float) and not math.isfinite(new)):
            raise UsageError(f"{place.id}: cannot hold {new!r}", f"now it is {place.value!r}")
        parts = _toml_parts(document, place.key.partition("#")[0])
        container = document
        for part in parts[:-1]:
            container = container[part]  # type: ignore[index]
        if isinstance(place.value, float) and not isinstance(new, str):
            new = float(float_text(float(new)))
        old = container[parts[-1]]  # type: ignore[index]
        item: Item = tomlkit.item(ast.literal_eval(str(new)) if place.structured else new)
        if isinstance(old, Item) and not isinstance(old, Array):
            item.trivia.indent, item.trivia.comment_ws = old.trivia.indent, old.trivia.comment_ws
            item.trivia.comment, item.trivia.trail = old.trivia.comment, old.trivia.trail
        container[parts[-1]] = item  # type: ignore[index]
    return text.mark + tomlkit.dumps(document).encode()


def _toml_parts(document: object, key: str) -> list[str | int]:
    """The dotted key as steps into the document; keys may themselves hold dots."""
    if not key:
        return []
    if isinstance(document, list):
        head, _, rest = key.partition(".")
        return [int(head), *_toml_parts(document[int(head)], rest)]
    if isinstance(document, dict):
        for name, child in document.items():
            if key == name or key.startswith(f"{name}."):
                try:
                    return [name, *_toml_parts(child, key[len(name) + 1 :])]
                except (KeyError, IndexError, ValueError):
                    continue
    raise KeyError(key)
