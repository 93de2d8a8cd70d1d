"""Papers from the network, bounded in size and time and kept in a cache."""

from __future__ import annotations

import hashlib
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from autosota.errors import UsageError

LARGEST = 64 * 2**20
SECONDS = 60.0
_HINT = "download the paper yourself and give its path"


def direct(url: str) -> str:
    """The paper's PDF, where a well-known place shows a page about it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host, path = (parts.hostname or "").lower().removeprefix("www."), parts.path.rstrip("/")
    if host == "openreview.net" and path in ("/forum", "/pdf"):
        name = parse_qs(parts.query).get("id", [""])[0]
        return f"https://openreview.net/pdf?id={quote(name)}" if name else url
    if host.removeprefix("export.") == "arxiv.org" and (match := re.fullmatch(r"/(?:abs|html|pdf)/(.+?)(?:\.pdf)?", path)):
        return f"https://arxiv.org/pdf/{match[1]}"
    if host == "huggingface.co" and (match := re.fullmatch(r"/papers/(\d{4}\.\d{4,5})", path)):
        return f"https://arxiv.org/pdf/{match[1]}"
    if host == "aclanthology.org" and (match := re.fullmatch(r"/([\w.-]+\d)", path)):
        return f"https://aclanthology.org/{match[1]}.pdf"
    return url


def fetch(url: str, cache: Path) -> Path:
    """The file behind an address, from the cache where it is known. Raises UsageError where it cannot be had."""
    folder = cache / "papers"
    name = hashlib.sha256(url.encode()).hexdigest()[:24]
    known = [path for path in folder.glob(f"{name}.*") if path.suffix != ".part"] if folder.is_dir() else []
    if known:
        return known[0]
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    request = urllib.request.Request(
        url, headers={"User-Agent": "autosota (paper reader)", "Accept": "application/pdf,text/html,*/*"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer, part.open("wb") as file:
            kind = answer.headers.get_content_type()
            size, begun = 0, time.monotonic()
            while block := answer.read1(65536):
                size += len(block)
                if size > LARGEST or time.monotonic() - begun > SECONDS:
                    raise UsageError(f"{url}: more than {LARGEST // 2**20} MB or {SECONDS:.0f} s", _HINT)
                file.write(block)
            promised = answer.headers.get("Content-Length")
            if promised and promised.isdigit() and size < int(promised):
                raise UsageError(f"{url}: the download broke off after {size} of {promised} bytes", "try again, or " + _HINT)
    except urllib.error.HTTPError as error:
        raise UsageError(f"{url}: the server answered {error.code} {error.reason}", "check the address, or " + _HINT) from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError(f"{url}: cannot be reached: {reason}", _HINT) from None
    finally:
        if part.exists() and part.stat().st_size == 0:
            part.unlink()
    ending = ".html" if kind == "text/html" else ".md" if kind == "text/markdown" else ".txt" if kind == "text/plain" else ".bin"
    final = folder / f"{name}{'.pdf' if part.read_bytes()[:1024].find(b'%PDF-') >= 0 else ending}"
    part.replace(final)
    return final
