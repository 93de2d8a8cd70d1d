"""Downloads of data sets, models and checkpoints (paper section 3.2.2): gated by size, kept once, resumed, verified.

Every address comes from a stranger's repository: only http and https, no private or local hosts, redirects checked one by one,
sizes and times bounded by what arrives, not by what is promised.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import ipaddress
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urljoin, urlsplit

from autosota.errors import MachineError

REDIRECTS = 5
TRIES = 4
STALL = 20.0
"""Seconds without a byte after which a connection is given up and taken up again."""
SLOWEST = 2_000.0
"""Bytes a second, after the first minute, below which a download is given up."""
_BLOCK = 1 << 18
_AGENT = "autosota (research reproduction)"


@dataclass(frozen=True)
class Kept:
    """A file in the store."""

    url: str
    path: Path
    digest: str
    """sha256 of its bytes."""
    bytes: int
    fresh: bool
    """False: it was there already."""


@dataclass(frozen=True)
class Refused:
    """Why there is no file."""

    url: str
    reason: str


class _Broken(Exception):
    """A connection that ended too early: to be taken up again."""


class _Final(Exception):
    """No use trying again."""


Progress = Callable[[str, int, int | None], None]
"""Address, bytes so far, bytes in all where known."""


def direct(url: str) -> str:
    """The address of the file itself, where a well-known place shows a page around it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host, path = (parts.hostname or "").removeprefix("www."), parts.path
    if host == "drive.google.com":
        match = re.search(r"/file/d/([\w-]+)", path)
        name = match[1] if match else parse_qs(parts.query).get("id", [""])[0]
        return f"https://drive.usercontent.google.com/download?id={name}&export=download&confirm=t" if name else url
    if host in ("huggingface.co", "github.com") and "/blob/" in path:
        new = path.replace("/blob/", "/resolve/" if host == "huggingface.co" else "/raw/", 1)
        return f"https://{host}{new}"
    if host == "dropbox.com":
        return f"https://www.dropbox.com{path}?dl=1"
    if re.fullmatch(r"zenodo\.org", host) and (match := re.fullmatch(r"/records?/(\d+)/files/(.+)", path)):
        return f"https://zenodo.org/records/{match[1]}/files/{quote(match[2], safe='/%')}?download=1"
    return url


def is_file(url: str) -> bool:
    """Does the address, made direct, stand for one file rather than a page, a folder or a whole hub repository?"""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host, path = (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not host:
        return False
    if host.endswith(("kaggle.com", "physionet.org", "pan.baidu.com", "sharepoint.com", "1drv.ms", "doi.org")):
        return False
    if host in ("huggingface.co", "drive.google.com") or host.endswith("usercontent.google.com"):
        return "/resolve/" in path or "/blob/" in path or "/file/d/" in path or "id=" in parts.query
    if host == "zenodo.org":
        return "/files/" in path
    return "." in path.rpartition("/")[2]


class Downloads:
    """The store of downloaded files below one folder; safe for several processes, each of which downloads one file at a time."""

    def __init__(self, folder: Path, *, local: bool = False, stall: float = STALL) -> None:
        """`local`: hosts on this machine and in private networks are allowed, too."""
        self._folder, self._local, self._stall = folder, local, stall

    def known(self, url: str) -> Kept | None:
        """What is in the store for an address."""
        return self._entry(direct(url), url)

    def size(self, url: str) -> int | None:
        """Bytes that the server promises; None where it does not say, or cannot be reached."""
        try:
            with self._request("HEAD", direct(url), {}) as answer:
                length = answer.getheader("Content-Length") or ""
                return int(length) if answer.status == 200 and length.isdigit() else None
        except (_Final, _Broken, OSError, http.client.HTTPException):
            return None

    def get(self, url: str, *, most: int, digest: str | None = None, progress: Progress | None = None) -> Kept | Refused:
        """The file behind an address, at most `most` bytes. `digest`: "sha256:…" or "md5:…" that it must have.

        Never raises for what the other side does; MachineError where nothing can be written here."""
        target = direct(url)
        try:
            (self._folder / "objects").mkdir(parents=True, exist_ok=True)
            (self._folder / "addresses").mkdir(exist_ok=True)
            with self._locked(target):
                if (kept := self._entry(target, url)) is not None and kept.bytes <= most:
                    wrong = _mismatch(kept.path, digest)
                    return Refused(url, wrong) if wrong else kept
                return self._download(url, target, most, digest, progress or (lambda *_: None))
        except OSError as error:
            raise MachineError(f"cannot write to {self._folder}: {error}", "free some space: `autosota clean`") from None

    def page(self, url: str, *, most: int, seconds: float) -> str | Refused:
        """The text of a web page, which is not kept. Never raises for what the other side does."""
        begun, content = time.monotonic(), b""
        try:
            with self._request("GET", url, {"Accept": "text/html"}) as answer:
                if answer.status != 200:
                    return Refused(url, f"the server answered {answer.status} {answer.reason}")
                if not answer.getheader("Content-Type", "").startswith(("text/", "application/xhtml")):
                    return Refused(url, "it is no page")
                while block := _read(answer):
                    content += block
                    if len(content) > most or time.monotonic() - begun > seconds:
                        return Refused(url, f"more than {most / 1e6:.0f} MB or {seconds:.0f} s")
        except socket.gaierror as error:
            return Refused(url, f"the host cannot be found, is there a network? ({error.strerror})")
        except (_Final, _Broken, OSError, http.client.HTTPException, ValueError) as error:
            return Refused(url, str(error) or type(error).__name__)
        return content.decode("utf-8", errors="replace")

    # ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, url: str, ending: str) -> Path:
        return self._folder / "addresses" / (hashlib.sha256(url.encode()).hexdigest()[:32] + ending)

    def _entry(self, target: str, url: str) -> Kept | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(self._place(target, ".json").read_text(encoding="utf-8"))
            path = self._folder / "objects" / str(noted["digest"])
            if path.stat().st_size == int(noted["bytes"]):
                return Kept(url, path, str(noted["digest"]), int(noted["bytes"]), False)
        return None

    @contextlib.contextmanager
    def _locked(self, target: str) -> Iterator[None]:
        """One process at a time for an address; the others then find the file."""
        lock = os.open(self._place(target, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _download(self, url: str, target: str, most: int, digest: str | None, progress: Progress) -> Kept | Refused:
        part, mark = self._place(target, ".part"), self._place(target, ".mark")
        reason = "no answer"
        for attempt in range(TRIES):
            before = part.stat().st_size if part.exists() else 0
            try:
                self._take(target, part, mark, most, lambda size, total: progress(url, size, total))
                break
            except _Final as error:
                part.unlink(missing_ok=True)
                return Refused(url, str(error))
            except (_Broken, TimeoutError, ConnectionError, socket.gaierror, ssl.SSLError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
                if isinstance(error, socket.gaierror):
                    return Refused(url, f"the host cannot be found: {error.strerror}")
                grown = part.exists() and part.stat().st_size > before
                if not grown and attempt:
                    return Refused(url, f"the download breaks off: {reason}")
        else:
            return Refused(url, f"the download breaks off again and again: {reason}")
        wrong = _mismatch(part, digest)
        if wrong:
            part.unlink(missing_ok=True)
            return Refused(url, wrong)
        found = _digest(part, "sha256")
        final, size = self._folder / "objects" / found, part.stat().st_size
        part.chmod(0o444)
        part.replace(final)
        mark.unlink(missing_ok=True)
        draft = self._place(target, ".draft")
        draft.write_text(json.dumps({"url": target, "digest": found, "bytes": size}), encoding="utf-8")
        draft.replace(self._place(target, ".json"))
        return Kept(url, final, found, size, True)

    # ── one connection ────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, target: str, part: Path, mark: Path, most: int, progress: Callable[[int, int | None], None]) -> None:
        """Append what is still missing to `part`. `mark` holds the validator under which it was begun."""
        have = part.stat().st_size if part.exists() else 0
        validator = mark.read_text(encoding="utf-8") if mark.exists() else ""
        headers = {"Range": f"bytes={have}-", "If-Range": validator} if have and validator else {}
        with self._request("GET", target, headers) as answer:
            if answer.status == 416:
                part.unlink(missing_ok=True)
                raise _Broken("the server has another file now")
            if answer.status not in (200, 206):
                raise _Final(f"the server answered {answer.status} {answer.reason}")
            start = _start_of(answer) if answer.status == 206 else 0
            if start not in (0, have) or (answer.status == 206 and not headers):
                raise _Broken("the server sent another part than asked for")
            if answer.getheader("Content-Type", "").startswith("text/html") and not target.lower().endswith((".html", ".htm")):
                raise _Final("the server sent a page instead of the file: a login or a warning stands before it")
            mark.write_text(_validator(answer), encoding="utf-8")
            length = answer.getheader("Content-Length") or ""
            total = start + int(length) if length.isdigit() else None
            if total is not None and total > most:
                raise _Final(f"{total / 1e6:.0f} MB, more than the {most / 1e6:.0f} MB allowed")
            self._write(answer, part, start, total, most, progress)

    def _write(
        self, answer: http.client.HTTPResponse, part: Path, start: int, total: int | None, most: int,
        progress: Callable[[int, int | None], None],
    ) -> None:  # fmt: skip
        size, begun = start, time.monotonic()
        with part.open("r+b" if start else "wb") as file:
            file.truncate(start)
            file.seek(start)
            while block := _read(answer):
                size += len(block)
                if size > most:
                    raise _Final(f"more than the {most / 1e6:.0f} MB allowed")
                file.write(block)
                progress(size, total)
                spent = time.monotonic() - begun
                if spent > 60 and (size - start) / spent < SLOWEST:
                    raise _Final(f"too slow: {(size - start) / spent:.0f} bytes a second")
        if total is not None and size < total:
            raise _Broken(f"{size} of {total} bytes arrived")

    @contextlib.contextmanager
    def _request(self, method: str, url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        """The answer after redirects, each of which must lead to a public http(s) host and not from https to http."""
        seen: set[str] = set()
        for _ in range(REDIRECTS + 1):
            if url in seen:
                raise _Final("the server redirects in a circle")
            seen.add(url)
            connection = self._connect(url)
            try:
                parts = urlsplit(url)
                path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
                connection.request(method, path, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers})
                answer = connection.getresponse()
                if answer.status not in (301, 302, 303, 307, 308):
                    yield answer
                    return
                goal = _joined(url, answer.getheader("Location") or "")
            finally:
                connection.close()
            if url.startswith("https:") and not goal.startswith("https:"):
                raise _Final(f"the server redirects to {goal[:100]}, which is not encrypted")
            url = goal
        raise _Final(f"more than {REDIRECTS} redirects")

    def _connect(self, url: str) -> http.client.HTTPConnection:
        """Connected to an address that was checked, so that a second look-up cannot lead elsewhere."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _Final(f"{url[:100]} is no address") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _Final(f"{url[:100]} is no web address")
        port = port or (443 if parts.scheme == "https" else 80)
        try:
            found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise _Final(f"{parts.hostname[:100]!r} is no host") from None
        addresses = [str(entry[4][0]) for entry in found]
        refused = [
            address for address in addresses if not self._local and not ipaddress.ip_address(address.split("%")[0]).is_global
        ]
        if refused or not addresses:
            raise _Final(f"{parts.hostname} is on this machine or in a private network")
        plain = socket.create_connection((addresses[0], port), timeout=self._stall)
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(parts.hostname, port, timeout=self._stall)
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
        else:
            connection = http.client.HTTPConnection(parts.hostname, port, timeout=self._stall)
            connection.sock = plain
        return connection


def _joined(url: str, goal: str) -> str:
    try:
        return urljoin(url, goal)
    except ValueError:
        raise _Final(f"the server redirects to {goal[:100]!r}, which is no address") from None


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(_BLOCK)
    except http.client.IncompleteRead as error:
        raise _Broken(f"the connection broke after {len(error.partial)} bytes") from None


def _start_of(answer: http.client.HTTPResponse) -> int:
    match = re.match(r"bytes (\d+)-", answer.getheader("Content-Range") or "")
    return int(match[1]) if match else -1


def _validator(answer: http.client.HTTPResponse) -> str:
    """A strong one: without it nothing is taken up again."""
    tag = answer.getheader("ETag") or ""
    return tag if tag and not tag.startswith("W/") else answer.getheader("Last-Modified") or ""


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _mismatch(path: Path, digest: str | None) -> str:
    """Why the file has not the digest that it must have; "" if it has, or none is known."""
    kind, _, value = (digest or "").partition(":")
    if not value or kind not in ("md5", "sha1", "sha256", "sha512"):
        return ""
    found = _digest(path, kind)
    return "" if found == value.lower() else f"its {kind} is {found}, not {value.lower()}"
