"""Metrics from an evaluation's output (contract, section 3, "Metrics are read").

    read(specs, stdout=…, file=…)   the value of every metric a task lists, or why there is none
    names(stdout, file)             every number with a name, for matching with the paper

Order: the named file; the last JSON object on stdout; `name: value` lines; tables. A wrong number is worse than none, so what
can be read in two ways is a failure that shows both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from autosota.metrics import documents, text, vocabulary
from autosota.metrics.numbers import Number, Occurrence
from autosota.metrics.vocabulary import normalize
from autosota.records import MetricSpec

LARGEST_FILE = 64 * 2**20


@dataclass(frozen=True)
class Readings:
    """What was read. Complete exactly when `failure` is None."""

    values: dict[str, float]
    """Metric name as in its spec → value, in the unit of the reported number."""
    failure: str | None = None
    """Why there are not all metrics, in one line."""
    notes: tuple[str, ...] = ()
    undecided: bool = False
    """Another name or a section would settle it: the output has numbers, but not one of that name."""


@dataclass(frozen=True)
class _Source:
    """One place to look, in the order of the contract."""

    kind: str
    occurrences: Sequence[Occurrence]
    lines: text.Lines | None = None
    last: bool = False
    """The last document that has the name wins."""


def read(specs: Sequence[MetricSpec], *, stdout: str, file: bytes | None = None, file_name: str = "") -> Readings:
    """The value of every spec, from the metrics file's content (None: no file) and what was printed."""
    values: dict[str, float] = {}
    notes: list[str] = []
    failures: list[str] = []
    undecided = False
    if file is None and file_name:
        notes.append(f"no {file_name} was written; metrics read from the output")
    wanted = frozenset(part for spec in specs for part in (normalize(spec.name), text.core(spec.name)))
    sources = _Sources(stdout, file, file_name, wanted)
    for spec in specs:
        try:
            occurrence, source, remark = _find(spec, sources)
        except _Unreadable as problem:
            failures.append(str(problem))
            undecided = undecided or isinstance(problem, _Undecided)
            continue
        number = occurrence.number
        assert number is not None
        value, note = _convert(spec, number)
        values[spec.name] = value
        notes += [note] if note else []
        notes += [remark] if remark else []
        if file is not None and source.kind != "file":
            notes.append(f"{spec.name} is not in {file_name or 'the metrics file'}; read from {occurrence.where}")
    failure = "; ".join(failures)
    if failure and sources.cut:
        failure += " (the output is so long that only its beginning and end were read)"
    return Readings(values, failure or None, tuple(dict.fromkeys(notes)), undecided)


def names(stdout: str, file: bytes | None = None, file_name: str = "") -> dict[str, list[float]]:
    """Every number with a name: name as printed → its distinct values in order, the file's first. At most 2,000 names."""
    found: dict[str, list[float]] = {}
    for source in _Sources(stdout, file, file_name).all():
        for occurrence in source.occurrences:
            if occurrence.number is None or not occurrence.label or not math.isfinite(occurrence.number.value):
                continue
            if len(found) >= 2000 and occurrence.label not in found:
                continue
            values = found.setdefault(occurrence.label[:120], [])
            if occurrence.number.value not in values and len(values) < 100:
                values.append(occurrence.number.value)
    return found


def series(name: str, stdout: str) -> tuple[float, ...]:
    """Every value printed under a name, in order: a learning curve. Lines only, without tables."""
    wanted = normalize(name)
    found = text.named(text.clean(stdout), wanted=frozenset((wanted,)))
    return tuple(
        item.number.value for item in found if item.number is not None and wanted in {normalize(form) for form in item.names}
    )


def scale(spec: MetricSpec, values: Sequence[float]) -> float | None:
    """Factor from printed to reported unit, by the values the baseline prints: 100, 0.01 or 1; None where nothing shows it.

    Kept in the spec, it holds for every later value: an accuracy of 1.0 is then one per cent where the baseline prints per cent.
    """
    if not spec.reported:
        return None
    factors = {_factor(spec, Number(value, ""), abs(value), abs(spec.reported)) for value in values if value}
    return factors.pop() if len(factors) == 1 else None


class _Unreadable(Exception):
    """One metric has no single value; the text says why."""


class _Undecided(_Unreadable):
    """Another name or a section would give it one."""


class _Sources:
    """The places to look, each parsed when first asked for."""

    def __init__(self, stdout: str, file: bytes | None, file_name: str, wanted: frozenset[str] | None = None) -> None:
        self._makers: list[Callable[[], Iterator[_Source]]] = [lambda: _from_output(self._lines(), wanted)]
        if file is not None:
            self._makers.insert(0, lambda: _from_file(file, file_name, wanted))
        self._made: list[_Source] = []
        self._running: Iterator[_Source] | None = None
        self._stdout = stdout
        self._file = (file, file_name)
        self._cleaned: text.Lines | None = None

    def _lines(self) -> text.Lines:
        if self._cleaned is None:
            self._cleaned = text.clean(self._stdout)
        return self._cleaned

    @property
    def cut(self) -> bool:
        return self._cleaned is not None and self._cleaned.cut

    def unfiltered(self) -> _Sources:
        """The same places with every name that the output's end has, for messages."""
        return _Sources(self._stdout[-100_000:], *self._file)

    def all(self) -> Iterator[_Source]:
        """Every source in order; what was parsed once is kept."""
        if self._running is None:
            self._running = (source for make in self._makers for source in make())
        position = 0
        while True:
            while position < len(self._made):
                yield self._made[position]
                position += 1
            following = next(self._running, None)
            if following is None:
                return
            self._made.append(following)


def _from_file(content: bytes, name: str, wanted: frozenset[str] | None) -> Iterator[_Source]:
    printed = content[:LARGEST_FILE].decode("utf-8", errors="replace")
    suffix = name.lower().rpartition(".")[2]
    if suffix == "ipynb":
        notebook = documents.notebook_text(printed)
        if notebook is not None:
            yield from (replace(source, kind="file") for source in _from_output(text.clean(notebook), wanted))
            return
    found = documents.read_json(printed)
    if found is not None:
        yield _Source("file", found, last=True)
        return
    if suffix in {"csv", "tsv"} and (found := documents.read_table_file(printed)) is not None:
        yield _Source("file", found)
        return
    yield from (replace(source, kind="file") for source in _from_output(text.clean(printed), wanted))
    if (found := documents.read_table_file(printed)) is not None:
        yield _Source("file", found)


def _from_output(lines: text.Lines, wanted: frozenset[str] | None) -> Iterator[_Source]:
    inside, taken = documents.objects(lines)
    yield _Source("object", inside, lines, last=True)
    cells, used = text.tables(lines)
    yield _Source("line", text.named(lines, used | taken, wanted), lines)
    yield _Source("table", cells, lines)


# ── one metric ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _find(spec: MetricSpec, sources: _Sources) -> tuple[Occurrence, _Source, str]:
    """The one occurrence that is this metric, where it was found, and a remark. Raises _Unreadable."""
    wanted = normalize(spec.name)
    no_section = ""
    for source in sources.all():
        matching = _matching(wanted, source)
        if not matching:
            continue
        if spec.section:
            matching, known = _in_section(matching, spec.section, source)
            if not matching:
                no_section = no_section or (
                    f"`{spec.name}` is not printed below section `{spec.section}`"
                    if known
                    else f"section `{spec.section}` of `{spec.name}` does not occur"
                )
                continue
        return _only(spec, matching, source), source, ""
    if no_section:
        raise _Undecided(no_section)
    if not spec.section:
        for source in sources.all():
            loose = [item for item in source.occurrences if text.loosely(spec.name, item)]
            if loose:
                occurrence = _only(spec, loose, source)
                return occurrence, source, f"`{spec.name}` read from `{occurrence.label}`"
    raise _missing(spec, sources.unfiltered())


def _matching(wanted: str, source: _Source) -> list[Occurrence]:
    found = [item for item in source.occurrences if wanted in item.names]
    if source.last or source.kind == "file":
        whole = [item for item in found if item.names[0] == wanted]
        found = whole or found
    return found


def _in_section(found: list[Occurrence], section: str, source: _Source) -> tuple[list[Occurrence], bool]:
    """The occurrences that `section` picks, and whether the section is there at all."""
    wanted = normalize(section)
    inside = [item for item in found if wanted in item.around]
    if inside:
        return inside, True
    if source.lines is None:
        return [], False
    lines = source.lines
    heads = [index for index in range(len(lines.lines)) if wanted in lines.normalized[index]]
    if not heads:
        return [], False
    for head in reversed(heads):
        start = lines.lines[head].casefold().find(section.casefold())
        below = [item for item in found if item.line > head or (item.line == head and item.column > start >= 0)]
        if below:
            first = min(below, key=lambda item: (item.line, item.column))
            return [first], True
    return [], True


def _only(spec: MetricSpec, found: list[Occurrence], source: _Source) -> Occurrence:
    """The one value among occurrences. Raises _Unreadable where they differ or are no numbers."""
    if source.last and not spec.section:
        newest = max(item.group for item in found)
        found = [item for item in found if item.group == newest]
    usable = [item for item in found if item.number is not None]
    if not usable:
        raise _Unreadable(f"`{spec.name}` is {found[0].text}, not a number ({found[0].where})")
    different = {item.number.value if item.number else math.nan: item for item in reversed(usable)}
    finite = {value: item for value, item in different.items() if math.isfinite(value)}
    if len(finite) < len(different):
        value = next(value for value in different if value not in finite)
        raise _Unreadable(f"`{spec.name}` is {'NaN' if math.isnan(value) else 'infinite'} ({different[value].where})")
    if len(different) > 1:
        shown = ", ".join(f"{item.text} ({item.where})" for item in list(reversed(different.values()))[:5])
        more = f" and {len(different) - 5} more" if len(different) > 5 else ""
        remedy = "set `section` to the text of the line above the one that counts"
        raise _Undecided(f"`{spec.name}` occurs with {len(different)} different values: {shown}{more}; {remedy}")
    return usable[0]


def _missing(spec: MetricSpec, sources: _Sources) -> _Unreadable:
    import difflib

    labels: dict[str, None] = {}
    for source in sources.all():
        for item in source.occurrences:
            if item.number is not None and item.label and len(labels) < 200:
                labels.setdefault(item.label[:40])
    if not labels:
        return _Unreadable(f"no metric `{spec.name}`: the evaluation printed no number with a name")
    near = difflib.get_close_matches(spec.name, labels, n=3, cutoff=0.5)
    shown = list(dict.fromkeys([*near, *labels]))[:6]
    return _Undecided(f"no metric `{spec.name}`; the output has {', '.join(f'`{label}`' for label in shown)}")


# ── units ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _convert(spec: MetricSpec, number: Number) -> tuple[float, str]:
    """The value in the reported number's unit, and a note where it was converted or could have been."""
    in_seconds = number.seconds != 1.0 and vocabulary.names_seconds(spec.name)
    value = number.value * number.seconds if in_seconds else number.value
    note = f"`{spec.name}`: {number.text} converted to seconds" if in_seconds else ""
    reported = spec.reported
    if spec.scale is not None:
        return float(f"{value * spec.scale:.12g}"), note
    if not reported or not value or in_seconds:
        return value, note
    factor = _factor(spec, number, abs(value), abs(reported))
    if factor != 1.0:
        return float(f"{value * factor:.12g}"), f"`{spec.name}`: {number.text} converted to the paper's unit (times {factor:g})"
    if any(_near(abs(value) * other, abs(reported), 1.25) for other in (100.0, 0.01)):
        doubt = "not converted, per cent and fraction cannot be told apart"
        return value, f"`{spec.name}`: printed {number.text}, reported {reported:g}; {doubt}"
    return value, ""


def _factor(spec: MetricSpec, number: Number, value: float, reported: float) -> float:
    kind = vocabulary.unit(spec.name)
    higher = spec.direction == "max"
    if number.percent:
        by_size = kind == "ratio" and _near(value / 100, reported, 2.0) and not _near(value, reported, 2.0)
        return 0.01 if reported <= 1 and (higher or by_size) else 1.0
    if kind == "unbounded" or value > 100 or reported > 100:
        return 1.0
    if value <= 1 < reported:
        sure = kind == "ratio" and (reported > 10 or _near(value * 100, reported, 3.0))
        return 100.0 if sure or _near(value * 100, reported, 1.25) else 1.0
    if reported <= 1 < value:
        sure = kind == "ratio" and (higher or _near(value / 100, reported, 3.0))
        return 0.01 if sure or _near(value / 100, reported, 1.25) else 1.0
    return 1.0


def _near(left: float, right: float, factor: float) -> bool:
    return right / factor <= left <= right * factor
