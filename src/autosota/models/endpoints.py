"""Names of models → where they are, which key they need, what they cost. Reads environment variables, asks nobody.

| name | where | key |
|---|---|---|
| `openai:NAME` | OPENAI_BASE_URL, else api.openai.com | OPENAI_API_KEY |
| `anthropic:NAME` | ANTHROPIC_BASE_URL, else api.anthropic.com | ANTHROPIC_API_KEY |
| `google:NAME` | GOOGLE_GEMINI_BASE_URL, else Google's | GOOGLE_API_KEY or GEMINI_API_KEY |
| `ollama:NAME` | OLLAMA_BASE_URL or OLLAMA_HOST, else 127.0.0.1:11434 | OLLAMA_API_KEY, none needed locally |
| `lmstudio:NAME`, `llamacpp:NAME`, `vllm:NAME` | 127.0.0.1 at ports 1234, 8080, 8000; or LMSTUDIO_BASE_URL, … | as for URLs |
| `openrouter:NAME` and other hosted ones | theirs | OPENROUTER_API_KEY, … |
| `http://HOST:PORT/v1#NAME` | there | AUTOSOTA_API_KEY; OPENAI_API_KEY only where OPENAI_BASE_URL is the same place |

`@IN/OUT` behind a name states its price in US dollars per million tokens: `http://127.0.0.1:8080/v1#coder@0/0`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from autosota.errors import UsageError

Wire = Literal["openai", "anthropic", "google"]
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0")
_PRICE = re.compile(r"@(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Endpoint:
    """One model at one place."""

    name: str
    """As the user wrote it, without the price. Holds no secret."""
    provider: str
    model: str
    wire: Wire
    base_url: str | None
    """None: the provider's own."""
    key: str | None = field(default=None, repr=False)
    key_names: tuple[str, ...] = ()
    """Environment variables that were looked at for the key."""
    price: tuple[float, float] | None = None
    """US dollars per million tokens, in and out, as the user states it."""
    price_provider: str | None = None
    """The price list's name of the provider; None where nobody lists prices."""

    @property
    def local(self) -> bool:
        """Is it on this machine?"""
        return self.base_url is not None and (urlsplit(self.base_url).hostname or "") in LOOPBACK


@dataclass(frozen=True)
class _Provider:
    wire: Wire
    base_url: str | None
    keys: tuple[str, ...]
    variables: tuple[str, ...] = ()
    """Environment variables that name another place."""
    price: str | None = None
    key_needed: bool = True


def _hosted(base_url: str, key: str, price: str | None = None) -> _Provider:
    return _Provider("openai", base_url, (key,), (), price)


PROVIDERS: Mapping[str, _Provider] = {
    "openai": _Provider("openai", None, ("OPENAI_API_KEY",), ("OPENAI_BASE_URL", "OPENAI_API_BASE"), "openai"),
    "anthropic": _Provider("anthropic", None, ("ANTHROPIC_API_KEY",), ("ANTHROPIC_BASE_URL",), "anthropic"),
    "google": _Provider("google", None, ("GOOGLE_API_KEY", "GEMINI_API_KEY"), ("GOOGLE_GEMINI_BASE_URL",), "google"),
    "ollama": _Provider(
        "openai", "http://127.0.0.1:11434/v1", ("OLLAMA_API_KEY",), ("OLLAMA_BASE_URL", "OLLAMA_HOST"), None, False
    ),
    "lmstudio": _Provider("openai", "http://127.0.0.1:1234/v1", ("LMSTUDIO_API_KEY",), ("LMSTUDIO_BASE_URL",), None, False),
    "llamacpp": _Provider("openai", "http://127.0.0.1:8080/v1", ("LLAMACPP_API_KEY",), ("LLAMACPP_BASE_URL",), None, False),
    "vllm": _Provider("openai", "http://127.0.0.1:8000/v1", ("VLLM_API_KEY",), ("VLLM_BASE_URL",), None, False),
    "openrouter": _hosted("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter"),
    "deepseek": _hosted("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "deepseek"),
    "groq": _hosted("https://api.groq.com/openai/v1", "GROQ_API_KEY", "groq"),
    "mistral": _hosted("https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral"),
    "together": _hosted("https://api.together.xyz/v1", "TOGETHER_API_KEY", "together"),
    "fireworks": _hosted("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", "fireworks"),
    "cerebras": _hosted("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "cerebras"),
    "xai": _hosted("https://api.x.ai/v1", "XAI_API_KEY", "x-ai"),
    "moonshotai": _hosted("https://api.moonshot.ai/v1", "MOONSHOTAI_API_KEY", "moonshotai"),
}
_ALIASES = {"gemini": "google", "google-gla": "google", "openai-chat": "openai", "claude": "anthropic", "llama.cpp": "llamacpp"}
_GUESSES = (
    (re.compile(r"gpt|o\d|chatgpt"), "openai"), (re.compile(r"claude|sonnet|opus|haiku"), "anthropic"),
    (re.compile(r"gemini"), "google"),
)  # fmt: skip


def parse(name: str, variables: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint that a name stands for. Raises UsageError for an unknown form or a missing key."""
    known = os.environ if variables is None else variables
    plain, price = split_price(name)
    if plain.startswith(("http://", "https://")):
        return _at_url(plain, price, known)
    kind, colon, model = plain.partition(":")
    kind = _ALIASES.get(kind, kind)
    if not colon or kind not in PROVIDERS:
        raise UsageError(f"--model {name}: no provider {kind!r}" if colon else f"--model {name} names no provider", _near(plain))
    if not model.strip():
        raise UsageError(f"--model {name} names no model", f"write it like {kind}:NAME")
    provider = PROVIDERS[kind]
    base = next((known[variable] for variable in provider.variables if known.get(variable)), None)
    url = _url(base, kind) if base else provider.base_url
    endpoint = Endpoint(
        name=plain, provider=kind, model=model, wire=provider.wire, base_url=url, key=_key(provider.keys, known),
        key_names=provider.keys, price=price, price_provider=provider.price if base is None else None,
    )  # fmt: skip
    if provider.key_needed and endpoint.key is None and not endpoint.local:
        raise UsageError(f"--model {name} needs a key, and {' and '.join(provider.keys)} {_is(provider.keys)} not set",
                         f"export {provider.keys[0]}=…, or name a local model, e.g. ollama:qwen2.5-coder")  # fmt: skip
    return endpoint


def split_price(name: str) -> tuple[str, tuple[float, float] | None]:
    """`NAME@IN/OUT` → name and price; a name alone has none."""
    match = _PRICE.search(name)
    return (name[: match.start()], (float(match[1]), float(match[2]))) if match else (name, None)


def _at_url(name: str, price: tuple[float, float] | None, known: Mapping[str, str]) -> Endpoint:
    address, _, model = name.partition("#")
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query:
        raise UsageError("--model: a URL with a user, a password or a query would be written to records",
                         "put the key into AUTOSOTA_API_KEY and give the bare URL")  # fmt: skip
    if not parts.hostname:
        raise UsageError(f"--model {name}: not a URL", "write it like http://127.0.0.1:8080/v1#NAME")
    keys: tuple[str, ...] = ("AUTOSOTA_API_KEY",)
    if known.get("OPENAI_BASE_URL") and _origin(known["OPENAI_BASE_URL"]) == _origin(address):
        keys = ("AUTOSOTA_API_KEY", "OPENAI_API_KEY")
    return Endpoint(
        name=name, provider="openai", model=model, wire="openai", base_url=address.rstrip("/"), key=_key(keys, known),
        key_names=keys, price=price,
    )  # fmt: skip


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _url(base: str, kind: str) -> str:
    """A base URL as a user has it: OLLAMA_HOST may be a bare host and port, and means all addresses by 0.0.0.0."""
    text = base.strip().rstrip("/")
    if "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    if parts.username or parts.password or parts.query:
        raise UsageError(f"the base URL of {kind} has a user, a password or a query", "give the bare URL and the key apart")
    if kind == "ollama":
        host = f"127.0.0.1{':' + str(parts.port) if parts.port else ''}" if parts.hostname == "0.0.0.0" else parts.netloc
        host = host if ":" in host or parts.scheme == "https" else f"{host}:11434"
        path = parts.path if parts.path.strip("/") else "/v1"
        text = f"{parts.scheme}://{host}{path}"
    return text


def _key(names: tuple[str, ...], known: Mapping[str, str]) -> str | None:
    return next((known[name].strip() for name in names if known.get(name, "").strip()), None)


def _is(names: tuple[str, ...]) -> str:
    return "are" if len(names) > 1 else "is"


def _near(name: str) -> str:
    kind, colon, rest = name.partition(":")
    near = difflib.get_close_matches(kind.lower(), PROVIDERS, n=1, cutoff=0.6)
    if colon and near:
        return f"did you mean {near[0]}:{rest}?"
    for pattern, provider in _GUESSES:
        if not colon and pattern.match(name.lower()):
            return f"did you mean {provider}:{name}?"
    return "write it like openai:NAME, anthropic:NAME, google:NAME, ollama:NAME or http://127.0.0.1:8080/v1#NAME"
