"""Is a model there? One free request to an endpoint's list of models before a run starts to spend. Standard library only."""

from __future__ import annotations

import difflib
import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from urllib.parse import quote

from autosota.errors import UsageError
from autosota.formats import clip
from autosota.models.endpoints import Endpoint

_SECONDS = 10.0
_LARGEST = 4 * 2**20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could carry the key to another place."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def check(endpoint: Endpoint, *, started: bool = False) -> str:
    """What there is to say, or nothing. Raises UsageError for a refused key, a model that is not there, and a server on this
    machine that does not run; not where the run has `started` before: an outage must not keep it from going on by rule."""
    try:
        names = _names(endpoint)
    except urllib.error.HTTPError as error:
        return _status(endpoint, error.code, started)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        refused = isinstance(reason, ConnectionRefusedError)
        if refused and endpoint.local and not started:
            raise UsageError(f"--model {endpoint.name}: nothing answers at {endpoint.base_url}",
                             "start the server, or leave out --model") from None  # fmt: skip
        words = "timed out" if isinstance(reason, (TimeoutError, socket.timeout)) else clip(reason, 120)
        return f"{endpoint.name} cannot be reached now ({words}); rules go on until it can"
    if names is not None and endpoint.model and not started and not _among(endpoint.model, names):
        near = difflib.get_close_matches(endpoint.model, names, n=3, cutoff=0.3) or names[:3]
        raise UsageError(f"--model {endpoint.name}: the endpoint has no model {endpoint.model!r}", f"it has {', '.join(near)}")
    return ""


def served(endpoint: Endpoint) -> list[str]:
    """The models of a server on this machine; none where nothing answers within half a second."""
    try:
        data = _get(*_request(endpoint), seconds=0.5)
    except (OSError, http.client.HTTPException, ValueError):
        return []
    entries = data.get("data") if isinstance(data, dict) else None
    names = [clip(entry.get("id"), 80) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [name for name in names if name]


def only_model(endpoint: Endpoint) -> str:
    """The name of the one model an endpoint serves. Raises UsageError where it serves none or several."""
    try:
        names = _names(endpoint) or []
    except (OSError, http.client.HTTPException, ValueError):
        names = []
    if len(names) != 1:
        told = f"it has {', '.join(names[:5])}" if names else "is it running?"
        raise UsageError(f"--model {endpoint.name} names no model", f"write {endpoint.base_url}#NAME; {told}")
    return names[0]


def _names(endpoint: Endpoint) -> list[str] | None:
    """The models of an endpoint; of a hosted one with a page for each model, that one. None where the list says nothing."""
    data = _get(*_request(endpoint))
    entries = data.get("data") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return [endpoint.model] if isinstance(data, dict) and (data.get("id") or data.get("name")) else None
    named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
    if endpoint.model and any(entry.get("owned_by") == "llamacpp" for entry in named):
        return None  # serves its one model under any name
    return [clip(entry["id"], 120) for entry in named][:2000] or None


def _request(endpoint: Endpoint) -> tuple[str, dict[str, str]]:
    key = endpoint.key
    if endpoint.wire == "anthropic":
        base = (endpoint.base_url or "https://api.anthropic.com").rstrip("/")
        headers = {"anthropic-version": "2023-06-01"} | ({"x-api-key": key} if key else {})
        return f"{base}/v1/models/{quote(endpoint.model)}", headers
    if endpoint.wire == "google":
        base = (endpoint.base_url or "https://generativelanguage.googleapis.com").rstrip("/")
        return f"{base}/v1beta/models/{quote(endpoint.model)}", {"x-goog-api-key": key} if key else {}
    base = (endpoint.base_url or "https://api.openai.com/v1").rstrip("/")
    return f"{base}/models", {"Authorization": f"Bearer {key}"} if key else {}


def _get(url: str, headers: dict[str, str], seconds: float = _SECONDS) -> object:
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    request = urllib.request.Request(url, headers={"User-Agent": "autosota", **headers})
    with opener.open(request, timeout=seconds) as response:
        return json.loads(response.read(_LARGEST))


def _status(endpoint: Endpoint, code: int, started: bool) -> str:
    hint = f"check {' or '.join(endpoint.key_names)}"
    if code in (401, 403) and not started:
        raise UsageError(f"--model {endpoint.name}: the key is refused (HTTP status {code})", hint)
    if code == 404 and endpoint.wire != "openai" and not started:
        raise UsageError(f"--model {endpoint.name}: the provider has no model {endpoint.model!r}", "check its name")
    if code in (404, 405, 501):
        return ""  # many gateways have no list
    return f"{endpoint.name} answers with HTTP status {code} now; rules go on until it recovers"


def _among(model: str, names: list[str]) -> bool:
    """Is it listed? Ollama lists `name:latest` for `name`, and dated versions serve under their short names."""
    return any(name == model or name == f"{model}:latest" or name.endswith(f"/{model}") for name in names)
