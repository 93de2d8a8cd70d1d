"""Scores per item are read from what research code writes."""

from __future__ import annotations

import pytest

from autosota import items


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,score\na,0.5\nb,1\n", {"a": 0.5, "b": 1.0}),
        ("loss\n2\n3.5\n", {"0": -2.0, "1": -3.5}),
        ("idx\tlabel\tprediction\n7\tcat\tcat\n8\tdog\tcat\n", {"0": 1.0, "1": 0.0}),
        ("id,y_true,y_pred\n1,2.5,2.0\n2,1.0,1.5\n", {"1": -0.5, "2": -0.5}),
        ('{"id": 1, "correct": true}\n{"id": 2, "correct": false}\n', {"1": 1.0, "2": 0.0}),
        ('[{"item": "x", "Squared Error": 4}]', {"x": -4.0}),
    ],
)
def test_rows_become_scores_larger_is_better(content: str, expected: dict[str, float]) -> None:
    assert items.read(content.encode()) == expected


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "id,score\na,nan\n", "id,score\na,1\na,2\n", "\x00\xff"])
def test_what_cannot_be_trusted_is_none(content: str) -> None:
    assert items.read(content.encode("utf-8", "replace")) is None


def test_a_file_of_scores_is_found_by_its_mean() -> None:
    rows = [f"{i},{i % 2},{int(i % 2 and i > 20)}" for i in range(100)]
    written = {"log.csv": b"epoch,loss\n1,0.5\n2,0.4\n", "p.csv": "\n".join(["image,label,prediction", *rows]).encode()}
    assert items.find(written, [12.0, 0.9]) == "p.csv"
    assert items.find(written, [0.8]) is None
    assert items.find({"few.csv": b"id,score\n1,0.5\n2,0.7\n"}, [0.6]) is None


def test_very_many_items_are_thinned_alike_in_every_run() -> None:
    many = {str(i): float(i) for i in range(250_000)}
    part = items.thinned(many)
    assert 50_000 < len(part) < 100_000 and part.keys() == items.thinned(dict.fromkeys(many, 0.0)).keys()
    assert items.thinned(part) == part
