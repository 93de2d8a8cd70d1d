"""Replies of all forms are read; what was cut is never taken for whole, and hostile text neither hangs nor crashes."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from autosota.ask.replies import Unreadable, read


class Item(BaseModel):
    title: str
    weight: float = 1.0


class Items(BaseModel):
    items: list[Item]
    note: str = ""


TWO = [("a", 1.0), ("b", 2.5)]


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"title": "a", "weight": 1}, {"title": "b", "weight": 2.5}]}',
        'Sure, here it is:\n```json\n{"items": [{"title": "a"}, {"title": "b", "weight": "2.5"}]}\n```\nDoes that help?',
        "{'items': [{'title': 'a',}, {'title': 'b', 'weight': 2.5,},],}",
        '{items: [{title: "a"}, // the first\n {title: "b", "weight": 2.5 /* heavy */}]}',
        '[{"title": "a"}, {"title": "b", "weight": 2.5}]',
        '{"answer": {"items": [{"title": "a"}, {"title": "b", "weight": 2.5}]}}',
        '<think>maybe {"items": [{"title": "draft"}]}</think>\n{"items": [{"title": "a"}, {"title": "b", "weight": 2.5}]}',
        'First {"items": []}, no: {"items": [{"title": "a"}, {"title": "b", "weight": 2.5}]}',
        '{"items": [{"title": "a"}, {"title": "b", "weight": 2.5}, {"title": "cut in the mid',
        '{"items": [{"title": "a"}, {"title": "b", "weight": 2.5}], "note": "cut in',
        '```\n{"items": [{"title": "a"}, {"title": "b", "weight": 2.5}',
        'a dict like {x} then {"items": [{"title": "a"}, {"title": "b", "weight": 2.5}]} [1]',
    ],
)
def test_forgivable_forms_are_read(text: str) -> None:
    assert [(item.title, item.weight) for item in read(text, Items).items] == TWO


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I cannot do that.", "no JSON object"),
        ("", "no JSON object"),
        ('{"items": [{"title": "cut', "no JSON object"),
        ('{"items": [', "no JSON object"),
        ('{"items": [{"weight": 2}]}', "items.0.title"),
        ('{"items": "many"}', "items"),
        ('{"note": "x"}', "items"),
        ('{"items": [{"title": "a", "weight": "heavy"}]}', "weight"),
    ],
)
def test_what_is_missing_or_cut_is_said(text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(text, Items)


def test_a_number_at_the_cut_is_not_a_number() -> None:
    assert read('{"items": [{"title": "a", "weight": 7}, {"title": "b", "weight": 12', Items).items == [Item(title="a", weight=7)]


def test_escapes_mean_what_they_mean_and_code_survives() -> None:
    text = r'{"items": [{"title": "x = \"\\d+\"\n\ty\u00e9\ud83d\ude00 \d"}]}'
    assert read(text, Items).items[0].title == 'x = "\\d+"\n\tyé😀 \\d'


@pytest.mark.parametrize(
    "text", ["{" * 300_000, "[" * 300_000, '{"a":' * 50_000, '"' * 300_000, "```\n" * 100_000, "{'" * 100_000]
)
def test_hostile_text_is_only_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text, Items)
