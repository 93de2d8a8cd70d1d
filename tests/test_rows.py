"""Rows of untrusted files: told apart, cut, checked against a form, and scored by the host."""

from __future__ import annotations

import contextlib
import io
import pickle
import random
import zipfile
from collections.abc import Mapping

import numpy
import pytest

from autosota import crossing, derived, items, perturbing, rows, withholding
from autosota.errors import UsageError
from autosota.records import OutputForm


def npy(array: object) -> bytes:
    stream = io.BytesIO()
    numpy.save(stream, numpy.asarray(array))
    return stream.getvalue()


def npz(**arrays: object) -> bytes:
    stream = io.BytesIO()
    numpy.savez(stream, **{name: numpy.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


FORMS: dict[str, bytes] = {
    "a.npy": npy([[0.5, 0.5], [1, 0], [0, 1]]),
    "a.npz": npz(answer=[1, 2, 3], weights=[[1.0], [2.0], [3.0]]),
    "a.csv": b"id,answer\nu,1\nv,2\nw,3\n",
    "b.csv": b"0,1\n1,0\n2,1\n",
    "c.csv": b"cat\ndog\ncat\n",
    "a.tsv": b"name\tanswer\nu\t1\nv\t2\nw\t3\n",
    "a.jsonl": b'{"id": "u", "p": [0.1, 0.9]}\n{"id": "v", "p": [0.2, 0.8]}\n{"id": "w", "p": [1, 0]}\n',
    "a.json": b"[1, 2, 3]",
    "a.txt": "grün\nrot\nblau".encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_its_rows_and_can_be_cut(name: str) -> None:
    table = rows.read(name, FORMS[name])
    assert len(table.keys) == 3
    cut = rows.read(name, table.take([2, 0]), 2)
    assert cut.keys == ((table.keys[2], table.keys[0]) if table.named else ("0", "1"))
    whole = rows.read(name, table.take([0, 1, 2]), 3)
    assert whole.keys == table.keys and set(whole.numbers()) == set(table.numbers())
    for column, values in table.numbers().items():
        assert (whole.numbers()[column] == values).all()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", b"\x93NUMPY\x01\x00", "NumPy"),
        ("a.npy", FORMS["a.npy"][:-8], "bytes"),
        ("a.npy", npy([1]).replace(b"(1,)", b"(9,)"), "8 bytes"),
        ("a.npz", b"PK\x03\x04rubbish", ".npz"),
        ("a.npz", npz(a=[1, 2], b=[1, 2, 3]), "different lengths"),
        ("a.npy", npy(3.0), "no arrays"),
        ("a.csv", b"a,b\n1,2\n3\n", "row 3"),
        ("a.csv", b"\xff\xfe", "UTF-8"),
        ("a.csv", b"", "no rows"),
        ("a.jsonl", b"{", "JSON"),
        ("a.json", b"{}", "no list"),
        ("a.bin", b"x", "suffix"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_said_in_words(name: str, content: bytes, words: str) -> None:
    with pytest.raises(rows.Malformed) as raised:
        rows.read(name, content)
    assert words in str(raised.value) or ".bin" in str(raised.value)


def headed(kind: str, shape: str) -> bytes:
    """An .npy file of nothing but a head."""
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npy", headed("|i1", "(-2, -2)") + bytes(4)),
        ("a.npy", headed("|V0", f"({2**40},)")),
        ("a.npy", headed("<f8", f"({2**40}, 0)")),
        ("a.npy", headed("<f8", f"({2**80}, 0)")),
        ("a.npy", headed("|i1", f"({'1, ' * 99})") + bytes(1)),
        ("a.jsonl", b'{"a": 1, %s}\n' % b", ".join(b'"%d": 0' % n for n in range(6_000)) + b"{}\n" * 10_000),
        ("a.txt", b"\n" * 10_000_001),
    ],
)  # fmt: skip
def test_a_file_that_claims_more_than_it_holds_is_refused_in_words(name: str, content: bytes) -> None:
    with pytest.raises(rows.Malformed):
        rows.read(name, content)
    breach = crossing.breach({name: content}, {}, OutputForm(shape="rows"))
    assert breach is not None and breach.startswith(f"{crossing.BREACH}{name}: ")


def test_rows_of_nothing_are_no_table_to_probe() -> None:
    assert perturbing.read("a.npy", headed("<f8", f"({2**40}, 0)")) is None


def test_an_archives_names_are_only_names() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("file", "allow_pickle", "a/b"):
            archive.writestr(f"{name}.npy", npy([1, 2, 3]))
    cut = rows.arrays(rows.read("a.npz", stream.getvalue()).take([2]))
    assert {name: array.tolist() for name, array in cut.items()} == {"file": [3], "allow_pickle": [3], "a/b": [3]}


def test_an_array_cannot_claim_more_than_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_LARGEST", 2**20)
    honest = npy(numpy.zeros(10))
    liar = honest.replace(b"(10,)", b"(10" + b"0" * 9 + b",)").replace(b" " * 9 + b"\n", b"\n")
    with pytest.raises(rows.Malformed):
        rows.read("a.npy", liar)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * (rows._LARGEST + 1))
    with pytest.raises(rows.Malformed, match="larger"):
        rows.read("a.npz", stream.getvalue())


# ── withheld rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def labels(count: int = 100) -> bytes:
    return ("id,label\n" + "".join(f"r{i},{i % 3}\n" for i in range(count))).encode()


def test_rows_are_withheld_by_a_secret_by_name_or_by_position() -> None:
    split = withholding.choose({"y.csv": labels()}, 0.3, b"k")
    assert len(split.withheld) == 30 and split.named
    assert split == withholding.choose({"y.csv": labels()}, 0.3, b"k")
    assert split.withheld != withholding.choose({"y.csv": labels()}, 0.3, b"other").withheld
    shuffled = "id,answer\n" + "".join(f"r{i},1\n" for i in reversed(range(100)))
    files = {"a.csv": shuffled.encode(), "p.npy": npy(numpy.arange(100)), "x.csv": b"id,answer\nr0,1\nalien,2\n"}
    seen = withholding.cut(files, split, "visible", strict=True)
    kept = withholding.cut(files, split, "withheld", strict=True)
    assert set(rows.read("a.csv", kept["a.csv"]).keys) == set(split.withheld)
    assert not set(rows.read("a.csv", seen["a.csv"]).keys) & split.withheld
    both = [set(rows.arrays(part["p.npy"])[""].tolist()) for part in (seen, kept)]
    assert both[0] | both[1] == set(range(100)) and not both[0] & both[1]
    assert both[1] == {int(key[1:]) for key in split.withheld}
    assert b"alien" in seen["x.csv"] and b"alien" in kept["x.csv"]
    assert withholding.cut(files, split, "whole", strict=True) == files


def test_what_cannot_be_withheld_is_said() -> None:
    with pytest.raises(UsageError, match="needs `labels`"):
        withholding.choose({}, 0.3, b"k")
    with pytest.raises(UsageError, match="fewer than"):
        withholding.choose({"y.csv": labels(20)}, 0.3, b"k")
    with pytest.raises(UsageError, match="different lengths"):
        withholding.choose({"y.npz": npz(a=[1], b=[1, 2])}, 0.3, b"k")
    split = withholding.choose({"y.csv": labels()}, 0.3, b"k")
    with pytest.raises(rows.Malformed, match="100"):
        withholding.cut({"p.npy": npy(numpy.arange(99))}, split, "visible", strict=True)
    classes = {"classes.txt": b"a\nb\n"}
    assert withholding.cut(classes, split, "visible", strict=False) == classes


# ── the form of what crosses ──────────────────────────────────────────────────────────────────────────────────────────

TRUTH = {"y.csv": b"id,label\nu,0\nv,1\nw,1\n"}
ALL = OutputForm(ids="unique", probabilities="simplex", finite=True, shape="rows")


@pytest.mark.parametrize(
    ("outputs", "form", "words"),
    [
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nv,.5,.5\nw,1,0\n"}, ALL, None),
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nv,.5,.5\n"}, ALL, "2 rows where the labels have 3"),
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nu,.5,.5\nw,1,0\n"}, ALL, "unique ids"),
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nx,.5,.5\nw,1,0\n"}, ALL, "'v'"),
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nv,nan,.5\nw,1,0\n"}, ALL, "not finite"),
        ({"p.csv": b"id,p0,p1\nu,.1,.9\nv,.9,.9\nw,1,0\n"}, ALL, "row v"),
        ({"p.csv": b"id,p0,p1\nu,-.1,1.1\nv,.5,.5\nw,1,0\n"}, ALL, "row u"),
        ({"p.npz": npz(p=[[0.5, 0.5]] * 3)}, OutputForm(probabilities="simplex", finite=True, shape="rows"), None),
        ({"p.npz": npz(p=[[0.5, 0.6]] * 3)}, OutputForm(probabilities="simplex"), "no distribution"),
        ({"p.npz": npz(p=[[0.5, 0.5]] * 3, names=["a", "b"])}, OutputForm(shape="rows", finite=True), None),
        ({"p.jsonl": b"{"}, OutputForm(finite=True), "JSON"),
        ({"model.bin": b"\x00\x01"}, ALL, None),
        ({"p.npy": npy(numpy.array([{"a": 1}], dtype=object))}, None, "run code"),
        ({"p.bin": pickle.dumps([1, 2])}, None, "run code"),
    ],
)  # fmt: skip
def test_outputs_cross_only_in_their_form(outputs: Mapping[str, bytes], form: OutputForm | None, words: str | None) -> None:
    found = crossing.breach(outputs, TRUTH, form)
    assert (found is None) if words is None else (found is not None and words in found and next(iter(outputs)) in found)


# ── scores per item ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("metric", ["accuracy", "error", "mae", "rmse", "log_loss", "percent", "rounded", "threshold"])
def test_scores_per_item_are_derived_where_they_explain_the_metric(metric: str) -> None:
    draw = numpy.random.default_rng(3)
    truth = draw.integers(0, 2, 200)
    proba = draw.dirichlet((1, 1), 200)
    right = (proba.argmax(axis=1) == truth).mean()
    far = numpy.abs(proba[:, 1] - truth)
    cut = ((proba[:, 1] > 0.5) == truth).mean()
    value, answers = {
        "accuracy": (right, npz(p=proba)), "error": (1 - right, npz(p=proba)), "percent": (100 * right, npz(p=proba)),
        "rounded": (round(float(right), 3), npz(p=proba)), "mae": (far.mean(), npy(proba[:, 1])),
        "rmse": ((far**2).mean() ** 0.5, npy(proba[:, 1])), "threshold": (cut, npy(proba[:, 1])),
        "log_loss": (-numpy.log(proba[numpy.arange(200), truth]).mean(), npz(p=proba)),
    }[metric]  # fmt: skip
    found = items.read(
        derived.items({"p.npz" if answers[:2] == b"PK" else "p.npy": answers}, {"y.npy": npy(truth)}, float(value))
    )
    assert found is not None and len(found) == 200
    mean = sum(found.values()) / 200
    assert min(abs(abs(mean) - abs(float(value))), abs(mean - (1 - float(value))), abs(100 * mean - float(value)),
               abs(abs(mean) ** 0.5 - float(value))) < 1e-3  # fmt: skip
    assert derived.items({"p.npy": npy(proba[:, 1])}, {"y.npy": npy(truth)}, 0.123456) is None


def test_answers_in_words_are_matched_by_id_in_any_order() -> None:
    truth = b"id,label\nu,cat\nv,dog\nw,cat\nx,dog\n"
    found = items.read(derived.items({"p.csv": b"id,answer\nx,dog\nw,dog\nv,dog\nu,cat\n"}, {"y.csv": truth}, 0.75))
    assert found == {"u": 1.0, "v": 1.0, "w": 0.0, "x": 1.0}


def test_broken_files_are_said_to_be_broken_and_raise_nothing_else() -> None:
    """Mutations of every form, as a candidate might write them, seeded."""
    draw, split = random.Random(5), withholding.choose({"y.csv": labels()}, 0.3, b"k")
    hostile = [b"nan", b"1e999", b"\x00", b"\xff", b'"', b",", b"{", b"[", b"null", b"9" * 400, b"\r", b"(", b"id"]
    for _ in range(600):
        name = draw.choice(list(FORMS))
        content = bytearray(FORMS[name])
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(content))
            content[place : place + draw.randint(0, 9)] = draw.choice(hostile)
        given = bytes(content)
        crossing.breach({name: given}, TRUTH, ALL)
        derived.items({name: given}, TRUTH, 0.5)
        derived.items({"p.npy": npy([0.1, 0.2, 0.3])}, {name: given}, 0.5)
        items.read(given)
        with contextlib.suppress(rows.Malformed):
            withholding.cut({name: given}, split, "visible", strict=True)
