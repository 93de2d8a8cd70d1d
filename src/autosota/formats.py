"""Numbers, durations and foreign text as people read them. Pure functions, used by progress, views and the report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def clip(text: object, limit: int = 300) -> str:
    """`text` on one line, without control and direction-changing characters, at most `limit` characters."""
    line = " ".join(_CONTROL.sub("\ufffd", str(text)[: limit * 8].replace("\r", "\n")).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def block(text: object, limit: int = 4000) -> str:
    """`text` with its lines kept, control characters replaced, at most `limit` characters."""
    clean = _CONTROL.sub("\ufffd", str(text)[: limit + 1].replace("\r\n", "\n").replace("\r", "\n"))
    return clean if len(clean) <= limit else clean[:limit] + "\n…"


def finite(value: object) -> float | None:
    """The number, or None for what is none, is missing, or is not finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def decimals(values: Iterable[float | None], noise: float | None = None) -> int:
    """How many decimals show a metric: two figures of its noise, else four of its largest value; 0 to 6."""
    if noise is not None and math.isfinite(noise) and noise > 0:
        return max(0, min(6, 1 - math.floor(math.log10(noise))))
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    return max(0, min(6, 3 - math.floor(math.log10(max(sizes))))) if sizes else 2


def number(value: object, places: int | None = None) -> str:
    """A value for people: fixed decimals where given, else four figures; "–" where there is none."""
    known = finite(value)
    if known is None:
        return "–"
    if places is not None and abs(known) < 1e15:
        return f"{known:.{places}f}"
    return f"{known:,.0f}" if 1e4 <= abs(known) < 1e15 else f"{known:.4g}"


def signed(value: object, places: int | None = None) -> str:
    """Like `number`, with its sign and a true minus."""
    known = finite(value)
    if known is None:
        return "–"
    text = number(abs(known), places)
    return text if not text.strip("0.") else ("+" if known > 0 else "−") + text


def percent(value: object) -> str:
    """A signed share as per cent with sensible decimals."""
    known = finite(value)
    if known is None:
        return "–"
    return f"{signed(known * 100, 1 if abs(known) < 1 else 0)} %"


def duration(seconds: object) -> str:
    """Seconds as people say them: "0.42 s", "38 s", "4 min 10 s", "2 h 05 min"."""
    known = finite(seconds)
    if known is None:
        return "–"
    if known < 9.95:
        return f"{max(known, 0.0):.{1 if known >= 0.95 else 2}f} s"
    whole = round(known)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(known / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def count(amount: int, noun: str, plural: str = "") -> str:
    """ "1 evaluation", "2 evaluations", "10,000 experiments"."""
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def size(amount: int | None) -> str:
    """Bytes as people say them."""
    if amount is None:
        return "–"
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
