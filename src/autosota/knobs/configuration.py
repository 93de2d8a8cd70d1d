"""Reads the values of YAML, TOML, JSON and INI files with their spans.

Nothing is constructed, so that tags, aliases and depth are harmless.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from autosota.knobs.place import Kind, Place, number_duplicates, scalar
from autosota.knobs.text import Lines, Text, decode
from autosota.records import Scalar

SUFFIXES: Mapping[str, Kind] = {
    ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json", ".ini": "ini", ".cfg": "ini", ".conf": "ini",
}  # fmt: skip
_MAX_BYTES = 200_000
_MAX_PLACES = 2_000
_MAX_DEPTH = 30


@dataclass
class Configuration:
    """What one configuration file holds."""

    file: str
    text: Text
    places: list[Place] = field(default_factory=list)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    """YAML: key → keys whose content it also has, by alias or merge."""


def kind_of(file: str) -> Kind | None:
    """The kind of a configuration file by its name; None for others."""
    return SUFFIXES.get("." + file.rpartition(".")[2].lower()) if "." in file else None


def read(file: str, content: bytes) -> Configuration | None:
    """None where the file is no readable configuration, or too large to be one."""
    kind = kind_of(file)
    text = decode(content) if kind and len(content) <= _MAX_BYTES else None
    if kind is None or text is None:
        return None
    configuration = Configuration(file, text)
    readers: dict[str, Callable[[Configuration], None]] = {"yaml": _yaml, "toml": _toml, "json": _json, "ini": _ini}
    try:
        readers[kind](configuration)
    except (ValueError, RecursionError):
        return None
    if len(configuration.places) > _MAX_PLACES:
        return None
    configuration.places = number_duplicates(configuration.places)
    return configuration


@dataclass
class _Level:
    """An open mapping or sequence while events are read."""

    key: str
    start: int
    line: int
    mapping: bool
    flow: bool = True
    index: int = 0
    pending: str | None = None
    """Mapping: the key whose value comes next."""
    integers: bool = True

    def child(self) -> str:
        """The key of the value that comes next."""
        part = (self.pending or "") if self.mapping else str(self.index)
        self.index += 1
        self.pending = None
        return f"{self.key}.{part}" if self.key else part


class _Builder:
    """Turns a stream of values and brackets into places, without recursion."""

    def __init__(self, configuration: Configuration, kind: Kind) -> None:
        self.configuration = configuration
        self.kind: Kind = kind
        self.stack: list[_Level] = []

    def next_key(self) -> str:
        return self.stack[-1].child() if self.stack else ""

    def value(self, value: Scalar, start: int, end: int, line: int) -> str:
        """A scalar that stands as a value. Returns its key."""
        level = self.stack[-1] if self.stack else None
        if level and not level.mapping and (isinstance(value, bool) or not isinstance(value, int)):
            level.integers = False
        key = self.next_key()
        self._add(key, value, start, end, line)
        return key

    def opened(self, mapping: bool, start: int, line: int, *, flow: bool = True) -> str:
        if self.stack and not self.stack[-1].mapping:
            self.stack[-1].integers = False
        key = self.next_key()
        self.stack.append(_Level(key, start, line, mapping, flow))
        if len(self.stack) > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        return key

    def closed(self, end: int) -> None:
        level = self.stack.pop()
        if not level.mapping and level.integers and level.flow and 0 < level.index <= 8:
            text = self.configuration.text.data[level.start : end].decode("utf-8", "replace")
            self._add(level.key, text, level.start, end, level.line, structured=True)

    def _add(self, key: str, value: Scalar, start: int, end: int, line: int, *, structured: bool = False) -> None:
        owner, _, name = key.rpartition(".")
        if name.isdigit() and owner:
            name = f"{owner.rpartition('.')[2]}.{name}"
        self.configuration.places.append(Place(self.configuration.file, self.kind, key, name, owner, line, value, start, end,
                                               structured=structured))  # fmt: skip


def _yaml(configuration: Configuration) -> None:
    import yaml

    data = configuration.text.data
    lines = Lines(data)
    builder = _Builder(configuration, "yaml")
    anchors: dict[str, str] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(data.decode(), Loader=loader):
            if event.start_mark is None or event.end_mark is None:
                continue
            start = lines.character_offset(event.start_mark.line, event.start_mark.column)
            end = lines.character_offset(event.end_mark.line, event.end_mark.column)
            line = event.start_mark.line + 1
            level = builder.stack[-1] if builder.stack else None
            expects_key = level is not None and level.mapping and level.pending is None
            match event:
                case yaml.ScalarEvent() if expects_key and level:
                    level.pending = event.value
                case yaml.AliasEvent() if expects_key and level:
                    level.pending = ""
                case yaml.AliasEvent():
                    _alias(builder, configuration, anchors.get(event.anchor or "", ""))
                case yaml.ScalarEvent():
                    key = builder.value(_yaml_value(event.value, event.style, event.tag), start, end, line)
                    anchors[event.anchor or ""] = key
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    if expects_key:
                        raise ValueError("a key that is no scalar")
                    key = builder.opened(isinstance(event, yaml.MappingStartEvent), start, line, flow=bool(event.flow_style))
                    anchors[event.anchor or ""] = key
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    builder.closed(end)
    except yaml.YAMLError as error:
        raise ValueError("not YAML") from error


def _alias(builder: _Builder, configuration: Configuration, origin: str) -> None:
    level = builder.stack[-1] if builder.stack else None
    if level is None:
        return
    if level.mapping and level.pending == "<<":
        level.pending = None
        key = level.key
    elif not level.mapping and level.key.rpartition(".")[2] == "<<":
        level.child()
        key = level.key.rpartition(".")[0]
    else:
        key = level.child()
        level.integers = False
    configuration.aliases.setdefault(key, []).append(origin)


def _yaml_value(text: str, style: str | None, tag: str | None) -> Scalar:
    """A plain scalar as YAML 1.1 reads it, but "1e-3" is a number: code that reads it has to convert it anyway."""
    if style or (tag and tag != "!"):
        return text
    if text.lower() in ("", "~", "null"):
        return None
    if re.fullmatch(r"[-+]?0[0-9_]+|0[xob]\w+", text):
        return text
    return scalar(text)


_JSON_TOKEN = re.compile(r'[ \t\r\n]+|"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|[\[\]{},:]')


def _json(configuration: Configuration) -> None:
    text = configuration.text.data.decode("latin-1")  # one character per byte, so that offsets are those of the data
    lines = Lines(configuration.text.data)
    builder = _Builder(configuration, "json")
    position = 0
    while position < len(text):
        match = _JSON_TOKEN.match(text, position)
        if match is None:
            raise ValueError("not JSON")
        token, start, position = match.group(), position, match.end()
        level = builder.stack[-1] if builder.stack else None
        if token[0] in " \t\r\n,:":
            continue
        if token in "]}":
            if level is None:
                raise ValueError("not JSON")
            builder.closed(position)
        elif token in "[{":
            builder.opened(token == "{", start, lines.line(start))
        elif level is not None and level.mapping and level.pending is None:
            level.pending = str(json.loads(token.encode("latin-1")))
        else:
            builder.value(json.loads(token.encode("latin-1")), start, position, lines.line(start))


def _toml(configuration: Configuration) -> None:
    text = configuration.text.data.decode()
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    where = _toml_lines(text)
    stack: list[tuple[str, object]] = [("", document)]
    while stack:
        key, value = stack.pop()
        owner, _, name = key.rpartition(".")
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        stack.extend((f"{key}.{part}" if key else str(part), item) for part, item in children)
        place = Place(configuration.file, "toml", key, name, owner, where.get(key, 1), None)
        if isinstance(value, (bool, int, float, str)):
            number = f"{owner.rpartition('.')[2]}.{name}" if name.isdigit() and owner else name
            configuration.places.append(replace(place, value=value, name=number))
        elif isinstance(value, list) and 0 < len(value) <= 8 and all(type(item) is int for item in value):
            configuration.places.append(replace(place, value=str(value), structured=True))
    configuration.places.sort(key=lambda place: (place.line, place.key))


def _toml_lines(text: str) -> dict[str, int]:
    """Dotted key → line, as far as plain lines show it; only for display."""
    section = ""
    found: dict[str, int] = {}
    tables: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*(\[+)\s*([^\[\]]+?)\s*\]+\s*(#.*)?$", line):
            name = re.sub(r"[\"' ]", "", match[2])
            section = f"{name}.{tables[name]}." if len(match[1]) == 2 else f"{name}."
            tables[name] += len(match[1]) == 2
        elif match := re.match(r"""\s*([\w."'-]+)\s*=""", line):
            found.setdefault(section + match[1].strip("\"'"), number)
    return found


_INI_LINE = re.compile(r"(?P<key>[^=:#;\[\s][^=:]*?)[ \t]*[=:][ \t]*(?P<value>.*?)[ \t]*(?:[ \t][#;].*)?$")


def _ini(configuration: Configuration) -> None:
    section, offset = "", 0
    for number, raw in enumerate(configuration.text.data.splitlines(keepends=True), 1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if match := re.match(r"\[([^\]]+)\]", line):
            section = match[1].strip()
        elif match := _INI_LINE.match(line):
            start = offset + len(line[: match.start("value")].encode())
            end = start + len(match["value"].encode())
            key = f"{section}.{match['key'].strip()}" if section else match["key"].strip()
            configuration.places.append(Place(configuration.file, "ini", key, match["key"].strip(), section, number,
                                              scalar(match["value"]), start, end))  # fmt: skip
        offset += len(raw)
