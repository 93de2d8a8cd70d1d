"""`autosota doctor`: what this machine can do, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autosota import __version__
from autosota.config import cache_folder, state_folder


@dataclass(frozen=True)
class Finding:
    """One line of the examination."""

    area: str
    name: str
    ok: bool
    detail: str
    hint: str = ""


def examine() -> list[Finding]:
    """Probe by doing: start each sandbox, call each tool, write to each folder."""
    return [_machine(), *_sandboxes(), *_tools(), *_folders(), *_accelerators(), *_models(), *_coders()]


def _machine() -> Finding:
    memory = ""
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB memory"
    except (ValueError, OSError):
        memory = ", memory unknown"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding(
        "machine", "autosota", True,
        f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}, {cores} cores{memory}",
    )  # fmt: skip


def _sandboxes() -> list[Finding]:
    from autosota import sandboxes

    with tempfile.TemporaryDirectory(prefix="autosota-doctor-") as scratch:
        found = sandboxes.capabilities(Path(scratch))
    findings = []
    for capability in found:
        parts = ["isolating" if capability.isolated else "no isolation: results are never confirmed"]
        if capability.hard:
            parts.append("hard limits: " + ", ".join(capability.hard))
        if capability.soft:
            parts.append("watched limits: " + ", ".join(capability.soft))
        detail = "; ".join(parts) if capability.available else capability.reason
        findings.append(Finding("sandbox", capability.name, capability.available, detail, capability.hint))
    return findings


def _tools() -> list[Finding]:
    findings = []
    git = _version("git", "--version")
    findings.append(Finding("tool", "git", bool(git), git or "not found", "" if git else "install git"))
    try:
        from uv import find_uv_bin

        uv = _version(find_uv_bin(), "--version")
    except (ImportError, FileNotFoundError):
        uv = _version("uv", "--version")
    findings.append(Finding("tool", "uv", bool(uv), uv or "not found: pip is used", "" if uv else "pip install uv"))
    pythons = sorted(set(_pythons()))
    findings.append(Finding("tool", "pythons", True, ", ".join(pythons)))
    return findings


def _pythons() -> list[str]:
    versions = [platform.python_version()]
    for minor in range(7, 16):
        path = shutil.which(f"python3.{minor}")
        answer = _version(path, "-c", "import platform; print(platform.python_version())") if path else ""
        if answer:
            versions.append(answer)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    if pyenv.is_dir():
        versions += [path.name for path in pyenv.iterdir() if (path / "bin" / "python").exists()]
    return versions


def _folders() -> list[Finding]:
    findings = []
    for name, folder in (("cache", cache_folder()), ("state", state_folder()), ("scratch", Path(tempfile.gettempdir()))):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                free = shutil.disk_usage(folder).free
            findings.append(Finding("disk", name, free > 2 * 10**9, f"{folder}, {free / 1e9:.0f} GB free",
                                    "" if free > 2 * 10**9 else "free some space: `autosota clean`"))  # fmt: skip
        except OSError as error:
            variable = {"cache": "AUTOSOTA_CACHE", "state": "AUTOSOTA_STATE", "scratch": "TMPDIR"}[name]
            findings.append(Finding("disk", name, False, f"{folder}: {error.strerror}", f"set {variable} to a writable folder"))
    return findings


def _accelerators() -> list[Finding]:
    listed = _version("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    return [Finding("accelerator", "NVIDIA", bool(listed), listed or "none found; evaluations run on the CPU")]


def _models() -> list[Finding]:
    """The library, keys by the names of their variables (never their values), and servers that answer on this machine."""
    import importlib.util

    from autosota.models.endpoints import PROVIDERS
    from autosota.models.provider import HINT

    there = importlib.util.find_spec("pydantic_ai") is not None
    findings = [
        Finding(
            "model", "library", there, "installed" if there else "not installed; rules alone need none", "" if there else HINT
        )
    ]
    set_ = {name: [key for key in provider.keys if os.environ.get(key)] for name, provider in PROVIDERS.items()}
    places = {name: [key for key in provider.variables if os.environ.get(key)] for name, provider in PROVIDERS.items()}
    for name in PROVIDERS:
        if set_[name] or places[name]:
            told = ", ".join((*set_[name], *places[name]))
            findings.append(Finding("model", name, True, f"set: {told}; --model {name}:NAME"))
    findings += _servers()
    if len(findings) == 1:
        hint = "set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or start a local server such as Ollama"
        told = "no key is set and no local server answers; none is needed: rules and search work without"
        findings.append(Finding("model", "endpoints", True, told, hint))
    return findings


def _servers() -> list[Finding]:
    """Model servers on this machine at their usual places."""
    from autosota.errors import UsageError
    from autosota.models import preflight
    from autosota.models.endpoints import LOOPBACK, PROVIDERS, parse

    findings = []
    for name in PROVIDERS:
        try:
            endpoint = parse(f"{name}:any") if not PROVIDERS[name].key_needed else None
        except UsageError:
            continue
        if endpoint is None or not endpoint.local or not any(host in (endpoint.base_url or "") for host in LOOPBACK):
            continue
        served = preflight.served(endpoint)
        if served:
            findings.append(Finding("model", f"{name} server", True, f"{endpoint.base_url}: {', '.join(served[:5])}"))
    return findings


def _coders() -> list[Finding]:
    """Coding agents on PATH; none is needed."""
    from autosota.coders.presets import PRESETS

    own = Finding("coder", "shell", True, "our own loop in the sandbox; asks the model that --model names")
    findings = [own]
    for preset in PRESETS.values():
        program = preset.command[0]
        version = _version(program, "--version") if shutil.which(program) and preset.name != "claude" else ""
        found = bool(shutil.which(program))
        detail = (version or shutil.which(program) or "") if found else f"`{program}` is not on PATH; nothing else needs it"
        findings.append(Finding("coder", preset.name, found, detail, "" if found else preset.hint))
    return findings


def _version(*command: str) -> str:
    """First line a tool prints, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """For --json."""
    best = next((finding.name for finding in findings if finding.area == "sandbox" and finding.ok), None)
    return {"python": sys.executable, "sandbox": best, "findings": [asdict(finding) for finding in findings]}


def as_text(findings: list[Finding]) -> str:
    """For people: one line each, hints below."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.ok else 'no  '}{finding.area:12} {finding.name:15} {finding.detail}")
        if finding.hint:
            lines.append(f"{'':32} hint: {finding.hint}")
    return "\n".join(lines)
