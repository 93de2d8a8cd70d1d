"""Prompt files → prompts, of bounded size however long a run is.

A prompt file `prompts/<agent>.<purpose>.md` is a strict Jinja template: a name it uses and does not get is an error of ours. What
stands above the line `---question---` is the stable part: it may use only what is the same throughout a run. In front of it comes
`_preamble.md`, behind it the form of the answer; so a provider's cache serves all of it from the second call on.

Filters for foreign text, all bounded: `clip(n)` one line, `block(n)` lines kept, `quoted(name, n)` lines kept between marks that
the preamble declares to be data, `excerpt(lines, n)` numbered lines around given ones, `some(n)` the first items and how many
more there are, `table(n)` a mapping as lines.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autosota import formats
from autosota.ports import Prompt

if TYPE_CHECKING:
    import jinja2

FOLDER = Path(__file__).parent.parent / "prompts"
MARK = "---question---"
LARGEST = 48_000
"""Characters of either half of a prompt; more is cut out of its middle."""
_AROUND = 4
"""Lines shown on either side of a line asked for."""


class Prompts:
    """The prompt files of a folder; those that are not there are the package's."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folders = [folder, FOLDER] if folder != FOLDER else [FOLDER]
        self._parsed: dict[str, tuple[jinja2.Template, jinja2.Template]] = {}
        self._made: jinja2.Environment | None = None
        self._lock = threading.Lock()

    def render(self, purpose: str, context: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> Prompt:
        """The prompt of a purpose. Raises jinja2's errors for a template that does not fit its context: a bug of ours."""
        stable, question = self._templates(purpose)
        parts = [self._text("_preamble.md"), stable.render(context)]
        if schema is not None:
            parts.append(self._environment().from_string(self._text("_answer.md")).render(form=form(schema)))
        head = "\n\n".join(part.strip() for part in parts if part.strip())
        return Prompt(stable=bounded(head), question=bounded(question.render(context).strip()) or "Go on.", purpose=purpose)

    def warm(self) -> None:
        """Load the template library."""
        with self._lock:
            self._environment()

    def _templates(self, purpose: str) -> tuple[jinja2.Template, jinja2.Template]:
        with self._lock:
            if purpose not in self._parsed:
                head, mark, tail = f"\n{self._text(f'{purpose}.md')}".partition(f"\n{MARK}\n")
                head, tail = (head, tail) if mark else ("", head)
                made = self._environment()
                self._parsed[purpose] = made.from_string(head), made.from_string(tail)
            return self._parsed[purpose]

    def _text(self, name: str) -> str:
        path = next((folder / name for folder in self._folders if (folder / name).is_file()), self._folders[0] / name)
        return path.read_text(encoding="utf-8")

    def _environment(self) -> jinja2.Environment:
        if self._made is None:
            import jinja2

            self._made = jinja2.Environment(
                undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(self._folders), trim_blocks=True,
                lstrip_blocks=True,
            )  # fmt: skip
            self._made.filters.update(
                clip=formats.clip, block=formats.block, quoted=quoted, excerpt=excerpt, some=some, table=table,
                number=formats.number,
            )  # fmt: skip
        return self._made


# ── bounded views of foreign text ─────────────────────────────────────────────────────────────────────────────────────


def bounded(text: str, limit: int = LARGEST) -> str:
    """`text`, its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    left = limit * 2 // 3
    return f"{text[:left]}\n[… {len(text) - limit:,} characters left out …]\n{text[left - limit :]}"


def quoted(text: object, name: str = "", limit: int = 4000) -> str:
    """Foreign text between marks that it cannot close."""
    body = re.sub(r"(<<<|>>>)", lambda match: match[0][0] + "\u200a" + match[0][1:], bounded(formats.block(text, 10**6), limit))
    return f"<<< {formats.clip(name, 120)}\n{body}\n>>>"


def excerpt(text: str, lines: Iterable[int] = (), limit: int = 4000) -> str:
    """Numbered lines of a source around those given (counted from 1), else from its beginning, within `limit` characters."""
    rows = text.splitlines()
    wanted = {near for line in lines for near in range(max(1, line - _AROUND), min(len(rows), line + _AROUND) + 1)}
    shown, size, before = [], 0, 0
    for number in sorted(wanted) or range(1, len(rows) + 1):
        text = rows[number - 1].expandtabs(4).rstrip()
        row = f"{number:>4}  {text if len(text) <= 200 else text[:200] + '…'}"
        size += len(row) + 1
        if size > limit:
            shown.append(f"[… {len(rows) - number + 1} more lines]")
            return "\n".join(shown)
        if shown and number != before + 1:
            shown.append("      …")
        shown.append(row)
        before = number
    return "\n".join(shown)


def some(items: Sequence[Any], most: int = 10) -> list[Any]:
    """The first items; where there are more, a last one says how many."""
    found = list(items)
    return found if len(found) <= most else [*found[:most], f"… and {len(found) - most} more"]


def table(values: Mapping[str, Any], most: int = 20) -> str:
    """A mapping, one line an entry."""
    return "\n".join(
        line if isinstance(line, str) else f"{formats.clip(line[0], 80)}: {formats.clip(line[1], 200)}"
        for line in some(list(values.items()), most)
    )


# ── the form of an answer ─────────────────────────────────────────────────────────────────────────────────────────────


def form(schema: Mapping[str, Any]) -> str:
    """A JSON schema as a commented skeleton: a tenth of its tokens, and small models follow it better."""
    return _form(schema, schema.get("$defs", {}), 0)


def _form(part: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> str:
    if "$ref" in part:
        part = {**known.get(str(part["$ref"]).rsplit("/", 1)[-1], {}), **{k: v for k, v in part.items() if k != "$ref"}}
    if depth > 8:
        return "…"
    if "enum" in part:
        return " | ".join(_word(value) for value in part["enum"])
    if "const" in part:
        return _word(part["const"])
    if "anyOf" in part:
        return " | ".join(dict.fromkeys(_form(option, known, depth) for option in part["anyOf"]))
    kind = part.get("type")
    if kind == "object" and part.get("properties"):
        pad = "  " * (depth + 1)
        rows = []
        for name, inner in part["properties"].items():
            words = inner.get("description") or ""
            rows.append(
                f'{pad}"{name}": {_form(inner, known, depth + 1)},' + (f"  // {formats.clip(words, 200)}" if words else "")
            )
        return "{\n" + "\n".join(rows) + "\n" + "  " * depth + "}"
    if kind == "array":
        most = f", at most {part['maxItems']}" if "maxItems" in part else ", …"
        return f"[{_form(part.get('items') or part.get('prefixItems', [{}])[0], known, depth)}{most}]"
    if kind == "object":
        return "{name: value}"
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "true | false", "null": "null"}.get(
        str(kind), "value"
    )


def _word(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
