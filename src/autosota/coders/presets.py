"""Coding agents that are known by name: how each is started, where it finds its provider, and what of the user's is its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Configure = Callable[[Path, Mapping[str, str], Mapping[str, str]], None]
"""Home inside, provider → address inside, the host's variables: writes the agent's configuration."""


@dataclass(frozen=True)
class Provider:
    """Whom an agent asks."""

    name: str
    key: str
    """Variable with the key."""
    address: str
    """Variable with the base address."""
    url: str


PROVIDERS = (
    Provider("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    Provider("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
    Provider("gemini", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
)


def _nothing(home: Path, addresses: Mapping[str, str], environment: Mapping[str, str]) -> None:
    return


@dataclass(frozen=True)
class Preset:
    """One agent."""

    name: str
    kind: Literal["acp", "claude", "codex"]
    """The protocol, or whose lines of JSON are read."""
    command: tuple[str, ...]
    hint: str
    providers: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    passed: tuple[str, ...] = ()
    """Variables of the host that are let in where they are set; never a key."""
    files: tuple[str, ...] = ()
    """Below the user's home: the agent's own configuration and login, copied."""
    hosts: tuple[str, ...] = ()
    """Reached by the agent itself where it has a login of its own and no key is set."""
    configure: Configure = _nothing


def _opencode(home: Path, addresses: Mapping[str, str], environment: Mapping[str, str]) -> None:
    name = environment.get("AUTOSOTA_CODER_MODEL") or environment.get("OPENAI_MODEL") or ""
    providers: dict[str, object] = {}
    settings: dict[str, object] = {"autoupdate": False, "share": "disabled", "provider": providers, "permission": "allow"}
    if "anthropic" in addresses:
        providers["anthropic"] = {"options": {"baseURL": addresses["anthropic"] + "/v1"}}
        name = name or "anthropic/claude-sonnet-4-5"
    if "openai" in addresses and "/" not in name:
        providers["own"] = {"npm": "@ai-sdk/openai-compatible", "models": {name or "default": {}},
                            "options": {"baseURL": addresses["openai"], "apiKey": "{env:OPENAI_API_KEY}"}}  # fmt: skip
        name = f"own/{name or 'default'}"
    if providers:
        _write(home / ".config/opencode/opencode.json", json.dumps({**settings, "model": name, "small_model": name}))


def _codex(home: Path, addresses: Mapping[str, str], environment: Mapping[str, str]) -> None:
    if "openai" not in addresses:
        return
    name = environment.get("AUTOSOTA_CODER_MODEL") or environment.get("OPENAI_MODEL") or "gpt-5-codex"
    text = (
        f'model = {json.dumps(name)}\nmodel_provider = "own"\ncheck_for_update_on_startup = false\n\n[model_providers.own]\n'
        f'name = "own"\nbase_url = {json.dumps(addresses["openai"])}\nenv_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
    )
    _write(home / ".codex/config.toml", text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


_CLAUDE = {
    "IS_SANDBOX": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
}
_CLAUDE_PASSED = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL")
_ANTHROPIC_HOSTS = ("api.anthropic.com", "console.anthropic.com", "platform.claude.com")

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "claude", "acp", ("claude-agent-acp",), "npm install -g @agentclientprotocol/claude-agent-acp",
            ("anthropic",), _CLAUDE, _CLAUDE_PASSED, (".claude/.credentials.json",), _ANTHROPIC_HOSTS,
        ),
        Preset(
            "opencode", "acp", ("opencode", "acp"), "npm install -g opencode-ai", ("openai", "anthropic"),
            {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}, (),
            (".config/opencode/opencode.json", ".config/opencode/opencode.jsonc", ".local/share/opencode/auth.json"),
            (), _opencode,
        ),
        Preset(
            "qwen", "acp", ("qwen", "--acp"), "npm install -g @qwen-code/qwen-code", ("openai",), {}, ("OPENAI_MODEL",),
            (".qwen/settings.json", ".qwen/oauth_creds.json"), ("chat.qwen.ai", "portal.qwen.ai", "dashscope.aliyuncs.com"),
        ),
        Preset(
            "gemini", "acp", ("gemini", "--experimental-acp"), "npm install -g @google/gemini-cli", ("gemini",), {},
            ("GEMINI_MODEL",), (".gemini/settings.json", ".gemini/oauth_creds.json"),
            ("oauth2.googleapis.com", "cloudcode-pa.googleapis.com"),
        ),
        Preset(
            "claude-code", "claude",
            ("claude", "-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"),
            "npm install -g @anthropic-ai/claude-code", ("anthropic",), _CLAUDE, _CLAUDE_PASSED, (".claude/.credentials.json",),
            _ANTHROPIC_HOSTS,
        ),
        Preset(
            "codex", "codex",
            ("codex", "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-"),
            "npm install -g @openai/codex", ("openai",), {}, (), (".codex/auth.json", ".codex/config.toml"),
            ("chatgpt.com", "auth.openai.com", "api.openai.com"), _codex,
        ),
    )
}  # fmt: skip


def custom(line: str) -> Preset:
    """Any agent that speaks the protocol, by its command line. It gets no variable and no host that the user does not name."""
    return Preset(f"acp:{line}", "acp", tuple(shlex.split(line)), "install it, or give its full path")
