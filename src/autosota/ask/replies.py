"""What a model wrote → the record that was asked for. Tolerant of form, never of content.

Models wrap JSON in prose and code fences, think aloud before it, use single quotes, trailing commas, comments and Python's
constants, and run out of room in the middle. Form is forgiven; a value that was cut is dropped, never completed, so that nothing
half said is taken for what was meant. Whether what is left is enough, the record's own validation decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

A = TypeVar("A", bound=BaseModel)

LONGEST = 400_000
"""Characters of a reply that are looked at."""
_DEEPEST, _BLOCKS = 40, 12
_STARTS = 24
"""Places in a reply where reading is tried."""
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_BARE = re.compile(r"[^\W\d][\w.-]*")
_RUNS = {quote: re.compile(rf"[^{quote}\\]+") for quote in "\"'"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Unreadable(ValueError):
    """A reply that holds no such record; the text says why, in words a model can act on."""


class _End(Exception):
    """The text ended inside a value."""


class _Bad(Exception):
    """Not a value."""


def read(text: str, answer: type[A]) -> A:
    """The record in a reply; of several the fullest, of equals the last. Raises Unreadable."""
    complaint = "there is no JSON object in it"
    best: A | None = None
    for value in _values(_THOUGHT.sub("", text[:LONGEST], count=1)):
        for shape in _shapes(value, answer):
            try:
                found = answer.model_validate(shape)
            except ValidationError as error:
                complaint = _explain(error)
                continue
            if best is None or len(found.model_fields_set) >= len(best.model_fields_set):
                best = found
            break
    if best is None:
        raise Unreadable(complaint)
    return best


def _values(text: str) -> Iterator[Any]:
    """Values found in a text: of the whole, of its code blocks; from each opening bracket that is not inside one read."""
    blocks = [match[1] for match in islice(_FENCE.finditer(text), _BLOCKS)]
    for part in (text, *blocks):
        end, starts = 0, 0
        for match in re.finditer(r"[{\[]", part):
            if match.start() < end:
                continue
            starts += 1
            if starts > _STARTS:
                break
            reader = _Reader(part, match.start())
            try:
                value = reader.value(0, keep=True)
            except (_End, _Bad):
                continue
            end = reader.at
            if value or not reader.cut:
                yield value


def _shapes(value: Any, answer: type[BaseModel]) -> Iterator[Any]:
    """A value, and what it may be a wrapping of: a record under one name, a bare list for a record of one list."""
    yield value
    if isinstance(value, dict):
        for name in ("properties", "answer", "result", "output", "response", "arguments", "parameters", answer.__name__):
            if isinstance(value.get(name), dict):
                yield value[name]
    lists = [
        name for name, field in answer.model_fields.items() if "tuple" in str(field.annotation) or "list" in str(field.annotation)
    ]
    if isinstance(value, list):
        if len(lists) == 1:
            yield {lists[0]: value}
        if len(value) == 1:
            yield value[0]


def _explain(error: ValidationError) -> str:
    """At most four complaints, each with its place."""
    told = [f"{'.'.join(map(str, item['loc'])) or 'the object'}: {item['msg']}" for item in error.errors(include_url=False)[:4]]
    return "; ".join(told)[:800]


class _Reader:
    """Reads one JSON-like value from a position. `cut`: the text ended inside it, and what was not complete is missing."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.at, self.cut = text, at, False

    def value(self, depth: int, *, keep: bool) -> Any:
        """The value here. `keep`: where the text ends inside a container, its complete members are worth having."""
        if depth > _DEEPEST:
            raise _Bad
        mark = self._next()
        if mark == "{":
            return self._object(depth, keep and depth == 0)
        if mark == "[":
            return self._list(depth, keep)
        return self._string(mark) if mark in "\"'" else self._scalar()

    def _object(self, depth: int, keep: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        try:
            while (mark := self._next()) != "}":
                if mark == ",":
                    self.at += 1
                    continue
                name = self._string(mark) if mark in "\"'" else self._match(_BARE)
                if self._next() not in ":=":
                    raise _Bad
                self.at += 1
                found[name] = self.value(depth + 1, keep=keep)
            self.at += 1
        except _End:
            if not keep:
                raise
            self.cut = True
        return found

    def _list(self, depth: int, keep: bool) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        try:
            while (mark := self._next()) != "]":
                if mark == ",":
                    self.at += 1
                    continue
                found.append(self.value(depth + 1, keep=False))
            self.at += 1
        except _End:
            if not (keep and found):  # an empty list would say that there is nothing
                raise
            self.cut = True
        return found

    def _string(self, quote: str) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            run = _RUNS[quote].match(self.text, self.at)
            if run:
                parts.append(run[0])
                self.at = run.end()
            if self.at + 1 >= len(self.text) and self.text[self.at :] != quote:
                raise _End
            mark = self.text[self.at]
            self.at += 1
            if mark == quote:
                return "".join(parts)
            mark = self.text[self.at]
            self.at += 1
            parts.append(self._unicode() if mark == "u" else _ESCAPES.get(mark, mark if mark in "\"'\\/\n" else "\\" + mark))

    def _unicode(self) -> str:
        digits = self.text[self.at : self.at + 4]
        if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            raise _End if self.at + 4 > len(self.text) else _Bad
        self.at += 4
        code = int(digits, 16)
        if 0xD800 <= code < 0xDC00 and (pair := re.match(r"\\u([dD][c-fC-F][0-9a-fA-F]{2})", self.text[self.at :])):
            self.at += 6
            return chr(0x10000 + ((code - 0xD800) << 10) + int(pair[1], 16) - 0xDC00)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)

    def _scalar(self) -> Any:
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            if self.at >= len(self.text):
                raise _End
            return float(number[0]) if re.search(r"[.eE]", number[0]) else int(number[0][:300])
        word = self._match(_BARE)
        if word.lower() not in _WORDS:
            raise _Bad
        return _WORDS[word.lower()]

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Bad
        self.at = match.end()
        if self.at >= len(self.text):
            raise _End
        return match[0]

    def _next(self) -> str:
        """The next character that is neither space nor comment."""
        while self.at < len(self.text):
            if self.text[self.at].isspace():
                self.at += 1
            elif self.text.startswith(("//", "#"), self.at):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text.startswith("/*", self.at):
                end = self.text.find("*/", self.at)
                self.at = len(self.text) if end < 0 else end + 2
            else:
                return self.text[self.at]
        raise _End
