"""What every plot is drawn with: nice ticks, a linear scale, and SVG elements with escaped attributes and text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr


def ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Round values inside [low, high], about `wanted` of them, a step of 1, 2, 2.5 or 5 times a power of ten apart."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return (low,) if math.isfinite(low) else ()
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda known: abs(math.log(known / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > 1000 or step == 0 or low + step == low:
        return (low, high)
    return tuple(index * step + 0.0 for index in range(first, last + 1))


def tick_labels(values: Sequence[float]) -> list[str]:
    """Labels with just as many decimals as tell the ticks apart."""
    for places in range(7):
        labels = [f"{value:.{places}f}" for value in values]
        if len(set(labels)) == len(values) and all(
            abs(float(label) - value) <= 1e-6 * max(1.0, abs(value)) * (0 if value == 0 else 1) + 1e-12
            for label, value in zip(labels, values, strict=True)
        ):
            break
    else:
        labels = [f"{value:.3g}" for value in values]
    if any(len(label) > 9 for label in labels):
        labels = [f"{value:.3g}" for value in values]
    return ["0" if label.strip("-0.") == "" else label.replace("-", "−") for label in labels]


def widened(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """The range with some air on both sides; a range of one value becomes a small one around it."""
    if high > low:
        air = (high - low) * share
        return low - air, high + air
    air = abs(low) * 0.05 or 1.0
    return low - air, high + air


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a value; values outside lie outside."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def bound(self, value: float) -> float:
        """Pixel of the value moved into the range."""
        return self(min(max(value, self.low), self.high))


def element(name: str, content: str = "", **attributes: object) -> str:
    """One SVG element. Attribute values are escaped; `content` must be SVG already. `class_` is `class`, `_` becomes `-`."""
    words = []
    for key, value in attributes.items():
        if value is None:
            continue
        text = f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        words.append(f"{key.rstrip('_').replace('_', '-')}={quoteattr(text)}")
    head = " ".join([name, *words])
    return f"<{head}>{content}</{name}>" if content else f"<{head}/>"


def text(words: str, x: float, y: float, class_: str = "", **attributes: object) -> str:
    """A text element; `words` are escaped."""
    return element("text", escape(words), x=x, y=y, class_=class_ or None, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(parts: Iterable[str], width: int, height: int, title: str, description: str, class_: str = "") -> str:
    """A whole SVG with its title and description for readers who do not see it."""
    inside = element("title", escape(title)) + element("desc", escape(description)) + "".join(parts)
    return element(
        "svg",
        inside,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"plot {class_}".strip(),
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=title,
    )


def apart(places: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """The places moved as little as needed to be `distance` apart and inside [low, high], order kept."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = [float(place) for place in places]
    for _ in range(50):
        still = True
        for first, second in itertools.pairwise(order):
            gap = moved[second] - moved[first]
            if gap < distance - 1e-6:
                moved[first] -= (distance - gap) / 2
                moved[second] += (distance - gap) / 2
                still = False
        for index in order:
            moved[index] = min(max(moved[index], low), high)
        if still:
            break
    return moved
