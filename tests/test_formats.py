"""Numbers and foreign text as people read them."""

from __future__ import annotations

import math

import pytest

from autosota import formats


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0.00 s"), (0.123, "0.12 s"), (5, "5.0 s"), (9.99, "10 s"), (59.6, "1 min 00 s"), (171.2, "2 min 51 s"),
     (7500, "2 h 05 min"),
     (None, "–"), (math.nan, "–"), (-3, "0.00 s")],
)  # fmt: skip
def test_durations(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(
    "value, places, text",
    [(0.026, 4, "+0.0260"), (-0.5, 1, "−0.5"), (0.0, 2, "0.00"), (-0.00001, 3, "0.000"), (None, 2, "–"), (math.inf, 2, "–"),
     (12345.6, None, "+12,346"), (0.00001234, None, "+1.234e-05")],
)  # fmt: skip
def test_signed_numbers(value: float | None, places: int | None, text: str) -> None:
    assert formats.signed(value, places) == text


@pytest.mark.parametrize(
    "values, noise, places", [([0.9], 0.0052, 4), ([0.9], 1.3, 1), ([1234.5], None, 0), ([0.00012], None, 6), ([], None, 2)]
)
def test_decimals_follow_the_noise_then_the_size(values: list[float], noise: float | None, places: int) -> None:
    assert formats.decimals(values, noise) == places


def test_clip_makes_one_bounded_line_without_control_characters() -> None:
    assert formats.clip("a\nb\r\n\tc") == "a b c"
    assert formats.clip("x" * 400, 10) == "x" * 9 + "…"
    hostile = formats.clip("\x1b[31mred\x07 \u202egnp.exe \u200b \ud800")
    assert not any(sign in hostile for sign in "\x1b\x07\u202e\u200b\ud800")
    hostile.encode()


def test_block_keeps_lines_and_bounds_them() -> None:
    assert formats.block("a\r\nb\x1b[2J") == "a\nb\ufffd[2J"
    assert len(formats.block("x" * 99_999, 100)) == 102


@pytest.mark.parametrize("amount, text", [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**40, "5.0 TiB"), (None, "–")])
def test_sizes(amount: int | None, text: str) -> None:
    assert formats.size(amount) == text


def test_counts() -> None:
    assert (formats.count(1, "pair"), formats.count(10_000, "pair")) == ("1 pair", "10,000 pairs")
