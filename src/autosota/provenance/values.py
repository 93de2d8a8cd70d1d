"""What a value is made of: rows of data, what it learned from, what chose it, and the objects it may be."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

_LONG = 200
MOVES = str.maketrans("[]:#", "<>;~")
_DEEPEST = 16
_MOST_ROWS, _MOST_DEPS, _MOST_REFS, _MOST_INSIDE = 60, 200, 16, 80
Rows = frozenset["Atom"]
NONE: Any = object()
"""The constant of a value that is none."""


@dataclass(frozen=True, slots=True)
class Atom:
    """Some rows or columns of data: a source, or a part of another atom. Equal texts are equal data."""

    text: str
    parent: Atom | None = field(default=None, compare=False, repr=False)
    how: str = field(default="", compare=False)
    """"" for a source; "rows" for a part of the rows, "columns" for a projection."""
    selector: str = field(default="", compare=False)
    depth: int = field(default=0, compare=False)


@lru_cache(maxsize=100_000)
def part(atom: Atom, how: Literal["rows", "columns"], selector: str) -> Atom:
    """A part of an atom. The same selection twice is selected once."""
    selector = short(selector)
    if atom.depth >= _DEEPEST or (atom.how == how and atom.selector == selector and how == "columns"):
        return atom
    return Atom(short(f"{atom.text}|{selector}"), atom, how, selector, atom.depth + 1)


def lineage(atom: Atom) -> Iterator[Atom]:
    """The atom and what it is a part of."""
    current: Atom | None = atom
    while current is not None:
        yield current
        current = current.parent


def short(text: str) -> str:
    """A text, its middle replaced by a digest where it is long."""
    if len(text) <= _LONG:
        return text
    return f"{text[:60]}~{hashlib.sha1(text.encode('utf-8', 'replace')).hexdigest()[:12]}~{text[-60:]}"


@dataclass(frozen=True, slots=True)
class Influence:
    """A way in which data got into a value other than as its own rows."""

    how: Literal["learn", "choose"]
    atom: Atom
    path: str
    line: int


@dataclass(eq=False, slots=True)
class Thing:
    """An object with an identity: container, instance, model, function, class, module."""

    kind: Literal["tuple", "list", "dict", "instance", "library", "function", "class", "module", "name", "loader", "generator"]
    name: str = ""
    fields: dict[str, Value] = field(default_factory=dict)
    """Attributes, items of a tuple by position ("0"), items of a dict by key ("[key")."""
    element: Value | None = None
    """What any item of a container may be."""
    rows: Rows = frozenset()
    deps: frozenset[Influence] = frozenset()
    code: Any = None
    """A function's Scope, a class's (Module, ClassDef)."""
    closure: Any = None
    bound: Value | None = None
    given: tuple[Any, ...] = ()
    """Of a partial: (args, keywords)."""
    count: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """An abstract value."""

    rows: Rows = frozenset()
    deps: frozenset[Influence] = frozenset()
    refs: tuple[Thing, ...] = ()
    through: frozenset[Thing] = frozenset()
    """Models that had a part in it: what a backward pass would reach."""
    const: Any = NONE
    text: str = "?"

    def but(self, **changes: Any) -> Value:
        """A copy with other fields."""
        fields = {name: getattr(self, name) for name in ("rows", "deps", "refs", "through", "const", "text")}
        return Value(**{**fields, **changes})


EMPTY = Value()


def constant(value: object) -> Value:
    """A value that is known."""
    return Value(const=value, text=short(repr(value)))


def join(values: Iterable[Value]) -> Value:
    """Any of several values."""
    found = [value for value in values if value is not EMPTY]
    if not found:
        return EMPTY
    if len(found) == 1:
        return found[0]
    first = found[0]
    same = all(
        value.const is not NONE and type(value.const) is type(first.const) and value.const == first.const for value in found
    )
    texts = dict.fromkeys(value.text for value in found)
    return Value(
        rows=capped(frozenset().union(*(value.rows for value in found)), _MOST_ROWS),
        deps=capped(frozenset().union(*(value.deps for value in found)), _MOST_DEPS),
        refs=tuple(dict.fromkeys(ref for value in found for ref in value.refs))[:_MOST_REFS],
        through=frozenset().union(*(value.through for value in found)),
        const=first.const if same else NONE,
        text=first.text if len(texts) == 1 else short(f"one({','.join(sorted(texts))})"),
    )  # fmt: skip


def capped(items: frozenset[Any], most: int) -> frozenset[Any]:
    """A set, cut where it is too large to be carried along."""
    return items if len(items) <= most else frozenset(sorted(items, key=_order)[:most])


def _order(item: Atom | Influence) -> tuple[str, int]:
    return (item.text, 0) if isinstance(item, Atom) else (item.atom.text, item.line)


def derived(values: Sequence[Value], text: str, *, refs: tuple[Thing, ...] = ()) -> Value:
    """What is computed from values: their rows and influences, not their identity."""
    flat = [flatten(value) for value in values]
    return Value(
        rows=capped(frozenset().union(*(value.rows for value in flat)), _MOST_ROWS),
        deps=capped(frozenset().union(*(value.deps for value in flat)), _MOST_DEPS),
        refs=refs,
        through=frozenset().union(*(value.through for value in flat)),
        text=short(text),
    )  # fmt: skip


def flatten(value: Value) -> Value:
    """Everything inside a value, contents of containers and states of models included, as one plain value."""
    if not value.refs:
        return value
    parts = [value.but(refs=(), const=NONE)]
    known: dict[int, Thing] = {}
    waiting = list(value.refs)
    while waiting and len(known) < _MOST_INSIDE:
        thing = waiting.pop()
        if id(thing) in known:
            continue
        known[id(thing)] = thing
        through = frozenset({thing}) if thing.kind in ("library", "instance") else frozenset()
        parts.append(Value(rows=thing.rows, deps=thing.deps, through=through))
        if thing.kind in ("tuple", "list", "dict", "loader", "instance", "library"):
            for item in (*thing.fields.values(), *([thing.element] if thing.element is not None else [])):
                parts.append(item.but(refs=(), const=NONE))
                waiting.extend(item.refs)
    return join(parts).but(text=value.text)


def element(value: Value) -> Value:
    """What iterating over a value gives."""
    found: list[Value] = []
    for thing in value.refs:
        if thing.kind == "tuple":
            found.append(join(thing.fields.values()))
        elif thing.kind == "dict":
            found.append(Value(text=f"key({value.text})"))
        if thing.element is not None and thing.kind != "dict":
            found.append(thing.element)
    if value.rows or value.deps or not found:
        found.append(value.but(refs=(), const=NONE, text=short(f"each({value.text})")))
    return join(found)


def mapped(value: Value, change: Callable[[Atom], Atom], text: str) -> Value:
    """The same structure with every atom replaced: a part of everything that a container holds."""
    return _mapped(value, change, text, {}, 4)


def _mapped(value: Value, change: Callable[[Atom], Atom], text: str, known: dict[int, Thing], depth: int) -> Value:
    refs: list[Thing] = []
    for thing in value.refs:
        if depth > 0 and thing.kind in ("tuple", "list", "dict", "loader", "instance") and len(known) < _MOST_INSIDE:
            if id(thing) not in known:
                new = known[id(thing)] = Thing(
                    thing.kind, thing.name, rows=frozenset(map(change, thing.rows)), deps=thing.deps, code=thing.code
                )
                for name, item in list(thing.fields.items()):
                    new.fields[name] = _mapped(item, change, f"{text}.{name}", known, depth - 1)
                if thing.element is not None:
                    new.element = _mapped(thing.element, change, f"each({text})", known, depth - 1)
            refs.append(known[id(thing)])
        else:
            refs.append(thing)
    return Value(frozenset(map(change, value.rows)), value.deps, tuple(refs), value.through, NONE, short(text))


def container(kind: Literal["tuple", "list"], items: Sequence[Value], text: str = "?") -> Value:
    """A tuple or list whose items are known by position."""
    fields = {str(index): item for index, item in enumerate(items)}
    return Value(refs=(Thing(kind, fields=fields, element=join(items) if kind == "list" else None),), text=short(text))


# ── which rows overlap ────────────────────────────────────────────────────────────────────────────────────────────────

_SLICE = re.compile(r"^(.*)\[([^\[\]:]*):([^\[\]:]*)\]$", re.DOTALL)
_NUMBERED = re.compile(r"^(.*)#(\d+)$", re.DOTALL)
_COMPARED = re.compile(r"^(Eq|NotEq|Lt|LtE|Gt|GtE)\((.*),([^,]*)\)$", re.DOTALL)
_OPPOSITE = {"Eq": "NotEq", "NotEq": "Eq", "Lt": "GtE", "GtE": "Lt", "Gt": "LtE", "LtE": "Gt"}


def relation(atom: Atom, test: Atom) -> Literal["same", "holds", "inside", "apart", "unclear"]:
    """How the rows of an atom relate to those of a test atom: the same, all of them and more, some of them, none, or unknown."""
    mine, others = list(lineage(atom)), list(lineage(test))
    if atom == test:
        return "same"
    if test in mine:
        return "inside"
    if atom in others:
        return "holds"
    shared = next((item for item in mine if item in others), None)
    if shared is None:
        return "apart"
    own, other = mine[: mine.index(shared)], others[: others.index(shared)]
    if any(disjoint(a.selector, b.selector) for a in own for b in other if a.how == b.how == "rows"):
        return "apart"
    if any(a.how == b.how == "columns" and a.selector != b.selector for a in own[-1:] for b in other[-1:]):
        return "apart"
    rows_apart = any(a.how == "rows" for a in own) and any(b.how == "rows" for b in other)
    return "unclear" if rows_apart else "apart"


@lru_cache(maxsize=50_000)
def disjoint(a: str, b: str) -> bool:
    """Do two selections of rows, as texts, exclude each other for certain?"""
    one, two = _NUMBERED.match(a), _NUMBERED.match(b)
    if one and two and one[1] == two[1] and one[2] != two[2]:
        return True
    if a in (f"Not({b})", f"Invert({b})") or b in (f"Not({a})", f"Invert({a})"):
        return True
    first, second = _COMPARED.match(a), _COMPARED.match(b)
    if first and second and first[2] == second[2]:
        if first[3] == second[3]:
            return first[1] == _OPPOSITE[second[1]]
        return first[1] == second[1] == "Eq"
    left, right = _SLICE.match(a), _SLICE.match(b)
    if left and right and left[1] == right[1]:
        return _before(left[3], right[2]) or _before(right[3], left[2])
    return False


def _before(end: str, start: str) -> bool:
    """Is an upper bound not beyond a lower bound?"""
    end, start = end.strip(), start.strip()
    if not end or not start:
        return False
    if end == start:
        return True
    numbers = [_number(end), _number(start)]
    if None not in numbers:
        low, high = numbers
        return low is not None and high is not None and low <= high and (low < 0) == (high < 0)
    # Bounds grow by adding and shrink by subtracting or taking a share: a smaller end, or a larger start.
    return _shrinks(end, start) or _grows(start, end)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shrinks(text: str, known: str) -> bool:
    if text == known:
        return True
    for pattern in (r"^Sub\((.*),([^,]+)\)$", r"^FloorDiv\((.*),([^,]+)\)$", r"^int\((.*)\)$"):
        if (match := re.match(pattern, text)) and _shrinks(match[1], known):
            return True
    share = re.match(r"^Mult\((.*),(0?\.\d+)\)$", text) or re.match(r"^Mult\((0?\.\d+),(.*)\)$", text)
    return share is not None and known in (share[1], share[2])


def _grows(text: str, known: str) -> bool:
    if text == known:
        return True
    match = re.match(r"^Add\((.*),([^,]+)\)$", text)
    return match is not None and (_grows(match[1], known) or match[2] == known)


def bound_text(text: str) -> str:
    """A text that can stand in a selection."""
    return short(text).translate(MOVES)


def position(node: ast.AST) -> int:
    """A node's line; 0 where it has none."""
    return int(getattr(node, "lineno", 0))
