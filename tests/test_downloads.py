"""Downloads from servers that cut, stall, redirect and lie."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autosota.downloads import Downloads, Kept, Refused, direct, is_file

BODY = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(BODY).hexdigest()
MOST = 10**8


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path is a kind of misbehavior; `asked` notes what was asked for."""

    asked: list[tuple[str, str, str]] = []
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(b"", length=len(BODY))

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("Range", "")))
        name = self.path.strip("/").split("/")[0].split("?")[0]
        getattr(self, f"_{name}", self._missing)()

    def _send(self, body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _whole(self) -> None:
        self._send(BODY, ETag='"a"')

    def _missing(self) -> None:
        self._send(b"no", status=404)

    def _cut(self) -> None:
        """Every connection ends after 300 kB; ranges are honored."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = BODY[start:]
        headers = {"ETag": '"a"', **({"Content_Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"} if start else {})}
        self._send(rest[:300_000], status=206 if start else 200, length=len(rest), **headers)
        self.close_connection = True

    def _changing(self) -> None:
        """Broken off once; the second answer is another file, whole, because the validator no longer holds."""
        if self.headers.get("Range"):
            assert self.headers["If-Range"] == '"old"'
            self._send(BODY, ETag='"new"')
        else:
            self._send(b"old" * 1000, length=9000, ETag='"old"')
            self.close_connection = True

    def _never(self) -> None:
        """Always broken off, no validator: nothing can be taken up again."""
        self._send(BODY[:1000], length=len(BODY))
        self.close_connection = True

    def _stall(self) -> None:
        self._send(BODY[:1000], length=len(BODY), ETag='"a"')
        self.server.released.wait(10)  # type: ignore[attr-defined]

    def _endless(self) -> None:
        """No length is promised, and it never ends."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            while True:
                self.wfile.write(BODY)
        except OSError:
            self.close_connection = True

    def _more(self) -> None:
        """More arrives than was promised."""
        self._send(BODY, length=1000, ETag='"a"')
        self.close_connection = True

    def _circle(self) -> None:
        self._send(b"", status=302, Location="/circle")

    def _steps(self) -> None:
        number = int(self.path.rpartition("/")[2])
        self._send(b"", status=301, Location=f"/steps/{number - 1}" if number else "/whole")

    def _to(self) -> None:
        self._send(b"", status=302, Location=self.path.partition("?")[2])

    def _page(self) -> None:
        self._send(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")


@pytest.fixture
def server() -> Iterator[str]:
    Handler.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.released = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.released.set()  # type: ignore[attr-defined]
        running.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path / "assets", local=True, stall=0.3)


def get(store: Downloads, url: str, **more: Any) -> Kept | Refused:
    return store.get(url, **{"most": MOST, **more})


def test_a_file_is_kept_once_by_address_and_by_content(store: Downloads, server: str) -> None:
    seen: list[tuple[int, int | None]] = []
    first = get(store, f"{server}/whole/data.bin", progress=lambda url, size, total: seen.append((size, total)))
    assert isinstance(first, Kept)
    assert (first.digest, first.bytes, first.fresh, first.path.read_bytes() == BODY) == (DIGEST, len(BODY), True, True)
    assert seen[-1] == (len(BODY), len(BODY))
    again = get(store, f"{server}/whole/data.bin")
    assert isinstance(again, Kept)
    assert not again.fresh
    other = get(store, f"{server}/whole/copy.bin")
    assert isinstance(other, Kept)
    assert other.path == first.path
    assert len(Handler.asked) == 2
    assert store.size(f"{server}/whole/data.bin") == len(BODY)


def test_what_breaks_off_is_taken_up_where_it_ended(store: Downloads, server: str) -> None:
    got = get(store, f"{server}/cut")
    assert isinstance(got, Kept)
    assert got.digest == DIGEST
    assert [asked[2] for asked in Handler.asked] == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_an_interrupted_download_goes_on_in_the_next_run(store: Downloads, server: str, tmp_path: Path) -> None:
    def stop(url: str, size: int, total: int | None) -> None:
        if size > 250_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(store, f"{server}/cut", progress=stop)
    Handler.asked.clear()
    assert isinstance(get(Downloads(tmp_path / "assets", local=True), f"{server}/cut"), Kept)
    assert Handler.asked[0][2].startswith("bytes=")


def test_a_file_that_changed_meanwhile_is_taken_anew(store: Downloads, server: str) -> None:
    got = get(store, f"{server}/changing")
    assert isinstance(got, Kept)
    assert got.digest == DIGEST


@pytest.mark.parametrize(
    ("path", "words"),
    [("never", "breaks off"), ("circle", "circle"), ("steps/9", "redirects"), ("page", "page instead of the file"),
     ("nothing", "404"), ("stall", "breaks off"), ("to?file:///etc/passwd", "no web address"), ("to?ftp://127.0.0.1/x", "no web"),
     ("to?http://[::bad", ""), ("to?//", "")],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_with_a_reason(
    store: Downloads, server: str, path: str, words: str, tmp_path: Path
) -> None:
    got = get(store, f"{server}/{path}")
    assert isinstance(got, Refused)
    assert words in got.reason
    assert not list((tmp_path / "assets" / "objects").iterdir())


def test_redirects_are_followed_a_few_times(store: Downloads, server: str) -> None:
    assert isinstance(get(store, f"{server}/steps/3"), Kept)


def test_sizes_are_bound_by_what_arrives(store: Downloads, server: str) -> None:
    promised = get(store, f"{server}/whole", most=1000)
    assert isinstance(promised, Refused)
    assert "more than" in promised.reason
    begun = time.monotonic()
    endless = get(store, f"{server}/endless", most=5 * 10**6)
    assert isinstance(endless, Refused)
    assert "more than" in endless.reason
    assert time.monotonic() - begun < 30
    more = get(store, f"{server}/more")
    assert isinstance(more, Kept)
    assert more.bytes == 1000


def test_digests_are_checked(store: Downloads, server: str) -> None:
    wrong = get(store, f"{server}/whole", digest="md5:" + "0" * 32)
    assert isinstance(wrong, Refused)
    assert "md5" in wrong.reason
    right = get(store, f"{server}/whole", digest=f"sha256:{DIGEST}")
    assert isinstance(right, Kept)
    later = get(store, f"{server}/whole", digest="sha256:" + "1" * 64)
    assert isinstance(later, Refused)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "[::1]", "0.0.0.0", "2130706433"])
def test_private_hosts_are_never_asked(tmp_path: Path, host: str, server: str) -> None:
    port = server.rpartition(":")[2]
    got = Downloads(tmp_path / "assets").get(f"http://{host}:{port}/whole", most=MOST)
    assert isinstance(got, Refused)
    assert not Handler.asked


def test_two_processes_share_a_download(store: Downloads, server: str, tmp_path: Path) -> None:
    got: list[Kept | Refused] = []
    threads = [threading.Thread(target=lambda: got.append(get(Downloads(tmp_path / "assets", local=True), f"{server}/whole")))
               for _ in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(one, Kept) and one.fresh for one in got) == [False, False, False, True]
    assert len(Handler.asked) == 1


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("https://drive.google.com/file/d/1AbCdEfGhIjKlMnOp/view?usp=sharing",
         "https://drive.usercontent.google.com/download?id=1AbCdEfGhIjKlMnOp&export=download&confirm=t"),
        ("https://drive.google.com/uc?id=1AbCdEfGhIjKlMnOp",
         "https://drive.usercontent.google.com/download?id=1AbCdEfGhIjKlMnOp&export=download&confirm=t"),
        ("https://huggingface.co/owner/name/blob/main/a/b.csv", "https://huggingface.co/owner/name/resolve/main/a/b.csv"),
        ("https://github.com/owner/name/blob/main/a.csv", "https://github.com/owner/name/raw/main/a.csv"),
        ("https://www.dropbox.com/s/abc/data.zip?dl=0", "https://www.dropbox.com/s/abc/data.zip?dl=1"),
        ("https://zenodo.org/record/123/files/a.csv", "https://zenodo.org/records/123/files/a.csv?download=1"),
        ("https://example.org/data/a.csv", "https://example.org/data/a.csv"),
    ],
)  # fmt: skip
def test_pages_of_well_known_places_stand_for_files(page: str, file: str) -> None:
    assert direct(page) == file
    assert is_file(page)


@pytest.mark.parametrize("url", ["https://huggingface.co/datasets/owner/name", "https://zenodo.org/records/12345",
                                 "https://www.kaggle.com/datasets/a/b.csv", "https://drive.google.com/drive/folders/abcdefghij",
                                 "s3://bucket/a.csv", "https://example.org/page"])  # fmt: skip
def test_whole_collections_are_no_files(url: str) -> None:
    assert not is_file(url)
