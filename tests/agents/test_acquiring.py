"""Missing data is fetched where the code says what it needs and something says where from."""

from __future__ import annotations

import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from autosota import assets
from autosota.agents.acquiring import Acquire, mounts, place, wanted
from autosota.downloads import Downloads
from autosota.records import Asset, Evidence


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "site"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def acquire(tmp_path: Path, root: Path, most: int = 10**6) -> tuple[tuple[Asset, ...], tuple[str, ...]]:
    made = Acquire(Downloads(tmp_path / "store", local=True), most=most, note=lambda words: None)
    return made.run(assets.find(root), root, tmp_path / "run" / "resources")


def test_the_readme_says_where_the_file_comes_from(site: tuple[str, Path], root: Path, tmp_path: Path) -> None:
    address, served = site
    (served / "train.csv").write_text("x,y\n1,2\n")
    (root / "README.md").write_text(f"Get the data from {address}/train.csv and the rest from {address}/other.csv\n")
    (root / "main.py").write_text("import pandas as pd\nframe = pd.read_csv('data/train.csv')\n")
    found, notes = acquire(tmp_path, root)
    assert len(notes) == 1
    assert notes[0].startswith("downloaded: data/train.csv from http://127.0.0.1")
    (mount,) = mounts(found, tmp_path / "run" / "resources")
    assert (mount.target, mount.writable) == ("data/train.csv", False)
    assert Path(mount.source).read_text() == "x,y\n1,2\n"
    assert (tmp_path / "run" / "resources" / "datasets" / "data" / "train.csv").read_text() == "x,y\n1,2\n"
    assert not (root / "data").exists()


def test_a_file_inside_an_archive(site: tuple[str, Path], root: Path, tmp_path: Path) -> None:
    address, served = site
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("bundle/rows.csv", "1\n")
        archive.writestr("bundle/labels.csv", "0\n")
    (served / "data.zip").write_bytes(stream.getvalue())
    (root / "run.sh").write_text(f"wget {address}/data.zip\nunzip data.zip\n")
    (root / "main.py").write_text("rows = open('data/rows.csv')\nlabels = open('data/labels.csv')\nopen('out.csv', 'w')\n")
    found, _ = acquire(tmp_path, root)
    assert {mount.target: Path(mount.source).read_text() for mount in mounts(found, tmp_path / "run" / "resources")} == {
        "data/rows.csv": "1\n",
        "data/labels.csv": "0\n",
    }


def test_an_archive_that_reaches_outside_gives_nothing(site: tuple[str, Path], root: Path, tmp_path: Path) -> None:
    address, served = site
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../rows.csv", "1\n")
    (served / "data.zip").write_bytes(stream.getvalue())
    (root / "README.md").write_text(f"{address}/data.zip\n")
    (root / "main.py").write_text("open('rows.csv')\n")
    found, notes = acquire(tmp_path, root)
    assert not list(mounts(found, tmp_path / "run" / "resources"))
    assert any(note.startswith("not unpacked") for note in notes)


def test_what_is_too_large_is_named_and_left(site: tuple[str, Path], root: Path, tmp_path: Path) -> None:
    address, served = site
    (served / "train.csv").write_text("x" * 5000)
    (root / "README.md").write_text(f"{address}/train.csv\n")
    (root / "main.py").write_text("open('train.csv')\n")
    found, notes = acquire(tmp_path, root, most=1000)
    assert not list(mounts(found, tmp_path / "run" / "resources"))
    assert "--yes" in notes[0]


def test_nothing_is_asked_for_that_is_there_or_has_no_address(root: Path, tmp_path: Path) -> None:
    (root / "here.csv").write_text("1\n")
    (root / "README.md").write_text("https://example.org/here.csv https://example.org/unused.csv\n")
    (root / "main.py").write_text("open('here.csv')\nopen('gone.csv')\n")
    assert wanted(assets.find(root), root) == []


@pytest.mark.parametrize(
    ("path", "file", "expected"),
    [("data/a.csv", "src/main.py", "data/a.csv"), ("../data/a.csv", "src/main.py", "data/a.csv"), ("../a.csv", "main.py", None),
     ("/home/me/a.csv", "main.py", None), ("~/a.csv", "main.py", None), ("./a.csv", "main.py", "a.csv")],
)  # fmt: skip
def test_places_stay_inside(root: Path, path: str, file: str, expected: str | None) -> None:
    assert place(Asset(kind="dataset", name="a", path=path, evidence=Evidence(file=file)), root) == expected
