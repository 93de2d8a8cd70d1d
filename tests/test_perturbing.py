"""Data with one thing changed: nothing else moves, and what is written is read back."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from autosota import perturbing, slices

CSV = "id,a,b,kind\n" + "".join(f"{i},{i * 0.37 % 1:.4f},{i % 5},{i % 3}\n" for i in range(30))


def _npz() -> bytes:
    stream = io.BytesIO()
    draw = np.random.default_rng(1)
    np.savez(stream, x=draw.normal(size=(40, 3)).astype(np.float32), y=draw.integers(0, 4, 40), scale=np.array(2.0))
    return stream.getvalue()


def _lines() -> bytes:
    return "".join(json.dumps({"text": [i, i + 1], "gold": i * 7 % 11}) + "\n" for i in range(20)).encode()


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [("t.csv", CSV.encode(), "kind"), ("t.npz", _npz(), "y"), ("t.jsonl", _lines(), "gold")],
)
def test_labels_are_guessed_and_permuted_and_the_rest_stays(name: str, content: bytes, labels: str) -> None:
    table = perturbing.read(name, content)
    assert table is not None and perturbing.likely_labels(table)[0] == labels
    after = perturbing.read(name, perturbing.permuted(table, labels, 5))
    assert after is not None and after.columns.keys() == table.columns.keys()
    for column in table.columns:
        moved = perturbing.differing(table.columns[column], after.columns[column])
        assert bool(moved) == (column == labels)
    assert sorted(map(str, after.columns[labels])) == sorted(map(str, table.columns[labels]))


def test_a_column_that_results_repeat_is_the_likeliest() -> None:
    table = perturbing.read("t.csv", CSV.encode())
    assert table is not None and perturbing.likely_labels(table, [[str(i % 5) for i in range(30)]])[0] == "b"


def test_shuffled_rows_keep_their_numbers_and_a_hair_is_no_more() -> None:
    table = perturbing.read("t.csv", CSV.encode())
    assert table is not None
    order = list(range(30))[::-1]
    moved = perturbing.jittered(perturbing.shuffled(table, order), ["kind"], 3)
    after = perturbing.read("t.csv", perturbing.write(moved, moved.columns))
    assert after is not None and after.columns["id"] == table.columns["id"]
    assert after.columns["kind"] == table.columns["kind"][::-1]
    assert perturbing.differing(after.columns["a"], table.columns["a"][::-1], 1e-8) == []
    assert perturbing.differing(after.columns["a"], table.columns["a"][::-1])


def test_only_the_chosen_rows_of_a_series_change() -> None:
    text = "".join(f"{i},{np.sin(i):.5f}\n" for i in range(60))
    table = perturbing.read("s.csv", text.encode())
    assert table is not None and list(table.columns) == ["column 0", "column 1"]
    content = perturbing.disturbed(table, 50, 53, 1)
    after = perturbing.read("s.csv", content)
    assert after is not None and after.columns["column 0"] == table.columns["column 0"]
    assert set(perturbing.differing(table.columns["column 1"], after.columns["column 1"])) <= {50, 51, 52}
    assert perturbing.disturbed(table, 0, 60, 1) is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"1,2\n"), ("a.npz", b"PK nothing"), ("a.npy", b"\x93NUMPY"), ("a.jsonl", b"{" * 5000),
     ("a.csv", b"\xff\xfe" * 99), ("a.csv", b"a,b\n" + b'"x,y",1\n' * 20), ("a.bin", b"x" * 99), ("a.jsonl", b"[1]\n" * 20)],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_left_alone(name: str, content: bytes) -> None:
    assert perturbing.read(name, content) is None


def test_a_group_that_pays_for_the_gain_is_told() -> None:
    text = "id,correct,Group\n" + "".join(f"{i},1,{'b' if i % 3 == 0 else 'a'}\n" for i in range(90))
    groups = slices.read("items.csv", text.encode())
    before = {str(i): float(i % 2) for i in range(90)}
    after = {item: (0.0 if groups[item] == "b" else 1.0) for item in before}
    assert [v.evidence.split(" (")[0] for v in slices.guard(groups, [(before, after)])] == ["group b"]
    assert slices.guard(groups, [(before, dict.fromkeys(before, 1.0))]) == ()
    assert slices.read("items.csv", b"id,correct\n" + b"1,1\n" * 20) == {}
