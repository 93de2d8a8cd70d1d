"""What holds for every lever: a full shelf, honest records, and calm in the face of hostile files."""

import re
from pathlib import Path

import pytest

from autosota import levers
from autosota.levers.base import View
from autosota.records import Site, Zones

HOSTILE = {
    "empty.py": b"",
    "syntax.py": b"def (:\n",
    "null.py": b"x = 1\0\n",
    "latin.py": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"),
    "deep.py": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
    "nested.py": b"x = " + b"-" * 3000 + b"1\n",
    "long.py": b"x = 1\n" * 200_000,
    "control.py": b"x = 1\rlr = 2\x0c\n",
    "semicolons.py": b"import numpy as np; w = 1\nfor epoch in range(3): w -= lr * g; print(w)\n",
    "marked.py": b"\xef\xbb\xbffrom sklearn.svm import SVC\r\nm = SVC()\r\n",
    "config.yaml": b"a: [1, 2\n",
    "config.json": b"[" * 100_000,
    "link": b"",
}


def test_there_are_at_least_fifteen_with_their_reasons():
    shelf = levers.load()
    assert len(shelf) >= 15
    assert len({lever.name for lever in shelf}) == len(shelf)
    for lever in shelf:
        assert levers.get(lever.name) is lever
        assert lever.level in ("CODE", "ALGO")
        assert 0 < lever.priority <= 1
        assert len(lever.rationale) > 60
        re.compile(lever.metrics)
    with pytest.raises(KeyError):
        levers.get("no such lever")


def test_hostile_files_are_passed_over():
    for lever in levers.load():
        for site in lever.detect(HOSTILE, Zones(protected=()), {"scikit-learn": "not a version"}):
            (change,) = lever.apply(HOSTILE, site)
            assert change.content is not None


def test_byte_order_mark_and_line_ends_stay():
    site = next(
        site for site in levers.get("scale_features").detect({"marked.py": HOSTILE["marked.py"]}, Zones(protected=()), {})
    )
    (change,) = levers.get("scale_features").apply(HOSTILE, site)
    assert change.content is not None
    assert change.content.startswith(b"\xef\xbb\xbffrom sklearn.svm import SVC\r\n")
    assert b"\n" not in change.content.replace(b"\r\n", b"")


@pytest.mark.parametrize("lever", levers.load(), ids=lambda lever: lever.name)
def test_a_site_that_is_gone_is_a_lookup_error(lever):
    with pytest.raises(LookupError):
        lever.apply({"a.py": b"x = 1\n"}, Site(lever=lever.name, file="a.py", line=1, detail="gone"))
    with pytest.raises(LookupError):
        lever.apply({}, Site(lever=lever.name, file="absent.py", line=1))


def test_ordinary_code_gets_no_false_proposal():
    """The project's own source trains nothing."""
    root = Path(levers.__file__).parent.parent
    tree = {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("report", "paper", "store.py", "records.py", "cli.py", "sandboxes")
        for path in ([root / folder] if (root / folder).is_file() else (root / folder).rglob("*.py"))
        if path.exists()
    }
    view = View(tree, Zones(protected=()), {})
    assert view.sources
    assert [site for lever in levers.load() for site in lever.look(view) if lever.name != "unpassed_argument"] == []
