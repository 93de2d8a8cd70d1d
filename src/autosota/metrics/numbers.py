"""Numbers as programs print them, and one number that was printed under a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER = re.compile(
    r"""(?<![\w.@^])(?<![\w)\]][-−])                          # not inside a word, a version, "recall@10" or "top-5"
    (?P<sign>[-+−]?)
    (?P<digits>[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?!\d|,\d)   # 1,234.5
      |\d+(?:\.\d*)?(?:[eE][-+]?\d+)?                        # 12  0.93  1e-3
      |\.\d+(?:[eE][-+]?\d+)?                                # .93
      |(?:nan|inf(?:inity)?|∞)(?![\w]))                      # not finite
    (?P<comma>,\d+(?![\w.,]))?                               # 0,93
    (?P<unit>\s?%|[ ]?(?:ms|µs|us|sec(?:ond)?s?|min|[smh])(?![\w/=:]))?
    (?![\w@^]|\.\d|-\d)""",
    re.VERBOSE | re.IGNORECASE,
)
_SECONDS = {"ms": 1e-3, "µs": 1e-6, "us": 1e-6, "min": 60.0, "h": 3600.0, "m": 60.0}
LONGEST = 400
"""A printed number of more digits than this is none."""


@dataclass(frozen=True)
class Number:
    """A number as it was printed."""

    value: float
    text: str
    percent: bool = False
    seconds: float = 1.0
    """Factor to seconds where a unit of time other than seconds was printed."""


@dataclass(frozen=True)
class Occurrence:
    """A number that was printed under a name."""

    names: tuple[str, ...]
    """Normalized forms it answers to, the whole one first."""
    label: str
    """As printed; "" where nothing but its place names it."""
    number: Number | None
    """None where what stands there is no number; `text` then shows it."""
    text: str
    where: str
    """For messages: "line 12", "test.accuracy"."""
    line: int = 0
    column: int = 0
    around: tuple[str, ...] = ()
    """Normalized row, column or path names that `section` may name."""
    group: int = 0
    """Which of several documents it stands in."""
    sentence: str = ""
    """All that stands left of "name: value" where it has an explicit separator; for loose matching."""


def number(match: re.Match[str]) -> Number | None:
    """The number that `NUMBER` matched; None where it is too long to be one."""
    text = match.group(0).strip()
    if len(text) > LONGEST:
        return None
    digits, comma, unit = match["digits"], match["comma"], (match["unit"] or "").strip().lower()
    digits = digits.lower().replace("∞", "inf")
    if comma is not None:
        if not digits.isdigit():
            return None
        digits = f"{digits}.{comma[1:]}"
    value = float(digits.replace(",", ""))
    return Number(-value if match["sign"] in "-−" and match["sign"] else value, text, unit == "%", _SECONDS.get(unit, 1.0))


def parse(text: str) -> Number | None:
    """The number that `text` is, and nothing but; None for anything else."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return None
    match = NUMBER.fullmatch(text)
    return number(match) if match else None
