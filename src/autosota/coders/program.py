"""A coding agent's own program in the sandbox: what it finds there, how it is started, and its standard streams on the host."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.coders import gateway, relay
from autosota.coders.gateway import PLACEHOLDER, Upstream
from autosota.coders.presets import PROVIDERS, Preset
from autosota.errors import AutosotaError, MachineError, StageError
from autosota.ports import Command, Execution, Limits, Outfit, Sandbox
from autosota.records import Mount

PORT = 18080
"""Of the gateway inside; the sandbox has a loopback of its own."""
_START_SECONDS = 60.0
_SMALL = 2**20
_FOLDER_VARIABLE = "AUTOSOTA_CODER_PATHS"
_NAMED_VARIABLE = "AUTOSOTA_CODER_ENV"
_HOSTS_VARIABLE = "AUTOSOTA_CODER_HOSTS"
_SECRET = 8
"""Characters of the shortest value that is kept out of records."""
_CALLED_SECRET = re.compile(r"""(?i:token|secret|key|passw|credential|code)[\w.-]*["']?\s*[:=]\s*["']([^"'{$][^"']{15,})["']""")
_LONG = re.compile(r"(?<![\w/])[\w.+=~-][\w.+/=~-]{19,}")
_HEX = re.compile(r"[0-9a-f-]{32,}")


@dataclass
class Place:
    """Where an agent lives: a private folder shown in the sandbox at its own path."""

    folder: Path
    gateway: gateway.Gateway


class Program:
    """Finds a program, lays out what it needs, and starts it in a sandbox."""

    def __init__(self, preset: Preset, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: the host's variables, of which the agent gets none but its own. Raises MachineError if not installed."""
        self.preset = preset
        self._environment = dict(os.environ if environment is None else environment)
        found = shutil.which(preset.command[0], path=self._environment.get("PATH"))
        if found is None:
            raise MachineError(f"the coder {preset.name} needs the program `{preset.command[0]}`", preset.hint)
        venv = Path(found).absolute().parent.parent
        self._venv = venv if (venv / "pyvenv.cfg").is_file() else None
        self.file = Path(found).absolute() if self._venv else Path(found).resolve()
        self._place: Place | None = None

    @contextlib.contextmanager
    def outfit(self, scratch: Path) -> Iterator[Outfit]:
        """See the port."""
        folder = scratch.resolve() / "agent"
        home = folder / "home"
        home.mkdir(parents=True)
        shutil.copyfile(relay.__file__, folder / "relay.py")
        named = [name for name in self._environment.get(_NAMED_VARIABLE, "").split(",") if name]
        upstreams, variables = self._providers(named)
        keyed = not set(upstreams).isdisjoint(self.preset.providers)
        logins = () if keyed else tuple(self._copy_own(home))
        public = {PLACEHOLDER, *(variables[provider.address] for provider in PROVIDERS if provider.address in variables)}
        self.preset.configure(home, {name: f"http://127.0.0.1:{PORT}/{name}" for name in upstreams}, self._environment)
        hosts = frozenset(self.preset.hosts if not keyed else ()) | frozenset(
            host for host in self._environment.get(_HOSTS_VARIABLE, "").split(",") if host
        )
        if hosts:
            proxy = f"http://127.0.0.1:{PORT}"
            variables |= {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1"}
        self._variables = {**variables, **self.preset.variables, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"),
                           "XDG_DATA_HOME": str(home / ".local/share"), "XDG_STATE_HOME": str(home / ".local/state"),
                           "XDG_CACHE_HOME": str(home / ".cache")}  # fmt: skip
        with gateway.serving(folder, upstreams, hosts) as server:
            self._place = Place(folder, server)
            values = (*(upstream.key for upstream in upstreams.values()), *(variables.get(name, "") for name in named))
            secrets = (*(value for value in values if len(value) >= _SECRET and value not in public), *logins)
            yield Outfit(mounts=(Mount(source=str(folder), target=str(folder), writable=True), *self._shown()),
                         paths=(sys.base_prefix,), secrets=secrets)  # fmt: skip
        self._place = None

    def _copy_own(self, home: Path) -> Iterator[str]:
        """The agent's own configuration and login, file by file, from the user's home: nothing else of it is shown. What in
        them is secret."""
        own = Path(self._environment.get("HOME") or "/nonexistent")
        for name in self.preset.files:
            source, target = own / name, home / name
            with contextlib.suppress(OSError):
                if source.is_file() and source.stat().st_size <= _SMALL:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, target)
                    yield from _secrets(target.read_text(encoding="utf-8", errors="replace"))

    def _providers(self, named: Sequence[str]) -> tuple[dict[str, Upstream], dict[str, str]]:
        """Providers that the host has a key or an address for, and the variables that lead the agent to them."""
        variables = {name: self._environment[name] for name in (*named, *self.preset.passed) if name in self._environment}
        upstreams: dict[str, Upstream] = {}
        for provider in PROVIDERS:
            key, address = self._environment.get(provider.key, ""), self._environment.get(provider.address, "")
            wanted = provider.name in self.preset.providers or {provider.key, provider.address} & set(named)
            if not wanted or not (key or address):
                continue
            upstreams[provider.name] = Upstream(address or provider.url, key or "none")
            variables |= {provider.key: PLACEHOLDER, provider.address: f"http://127.0.0.1:{PORT}/{provider.name}"}
        return upstreams, variables

    def _shown(self) -> Iterator[Mount]:
        """The program itself, read-only."""
        folders = [Path(name) for name in self._environment.get(_FOLDER_VARIABLE, "").split(":") if name]
        if self._venv is not None:
            folders += [self._venv, *_base_of(self._venv)]
        modules = [parent for parent in self.file.parents if parent.name == "node_modules"]
        folders.append(modules[-1] if modules else self.file)
        if modules and (node := shutil.which("node", path=self._environment.get("PATH"))):
            folders.append(Path(node).resolve())
        seen: list[Path] = [Path("/usr")]
        for folder in sorted(dict.fromkeys(folders), key=lambda folder: len(folder.parts)):
            if folder.exists() and not any(folder.is_relative_to(other) for other in seen):
                seen.append(folder)
                yield Mount(source=str(folder), target=str(folder))

    @contextlib.contextmanager
    def started(self, sandbox: Sandbox, limits: Limits) -> Iterator[Running]:
        """The program at work; it is ended with the context. Raises StageError if it does not start."""
        if self._place is None:
            raise StageError(f"{self.preset.name} has no place in the sandbox")
        folder = self._place.folder
        node = shutil.which("node", path=self._environment.get("PATH")) or "/usr/bin/node"
        path = f"{Path(node).resolve().parent}:{self.file.parent}:"
        program = {
            "arguments": [str(self.file), *self.preset.command[1:]],
            "folder": sandbox.root,
            "port": PORT,
            "variables": self._variables,
        }
        (folder / "program.json").write_text(json.dumps(program), encoding="utf-8")
        with contextlib.ExitStack() as stack:
            listeners = {name: stack.enter_context(_listener(folder, name)) for name in ("stdio", "hold")}
            words = [
                "exec",
                shlex.quote(os.path.realpath(sys.executable)),
                "-I",
                "-S",
                shlex.quote(f"{folder}/relay.py"),
                shlex.quote(str(folder)),
            ]
            command = Command(f'PATH={shlex.quote(path)}"$PATH" ' + " ".join(words), limits=limits)
            running = Running(sandbox, command)
            stack.callback(running.end)
            running.accept(listeners)
            yield running


def _secrets(text: str) -> Iterator[str]:
    """Values of a configuration or login in JSON or TOML that look like a token, or are called one."""
    yield from (found[1] for found in _CALLED_SECRET.finditer(text))
    for token in _LONG.findall(text):
        kinds = sum(any(test(character) for character in token) for test in (str.isupper, str.islower, str.isdigit))
        if kinds == 3 or _HEX.fullmatch(token):
            yield token


def _base_of(venv: Path) -> Iterator[Path]:
    """The Python installation that a virtual environment is made from."""
    with contextlib.suppress(OSError):
        for line in (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "home" and value.strip().endswith("/bin"):
                yield Path(value.strip()).resolve().parent


@contextlib.contextmanager
def _listener(folder: Path, name: str) -> Iterator[socket.socket]:
    with contextlib.suppress(FileNotFoundError):
        (folder / name).unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with gateway.short(folder) as place:
            listener.bind(f"{place}/{name}")
        (folder / name).chmod(0o666)
        listener.listen(1)
        listener.settimeout(0.2)
        yield listener


class Running:
    """A program in a sandbox, seen from the host."""

    def __init__(self, sandbox: Sandbox, command: Command) -> None:
        self.execution: Execution | None = None
        """How it ended, once it has."""
        self._links: dict[str, socket.socket] = {}
        self._problem: AutosotaError | None = None
        self._thread = threading.Thread(target=self._run, args=(sandbox, command), name="agent", daemon=True)
        self._thread.start()

    def _run(self, sandbox: Sandbox, command: Command) -> None:
        try:
            self.execution = sandbox.run(command)
        except AutosotaError as error:
            self._problem = error

    def accept(self, listeners: Mapping[str, socket.socket]) -> None:
        """Wait for the relay. Raises StageError if it does not come."""
        for name, listener in listeners.items():
            for _ in range(int(_START_SECONDS / 0.2)):
                try:
                    self._links[name], _ = listener.accept()
                    self._links[name].setblocking(True)
                    break
                except TimeoutError:
                    if not self._thread.is_alive():
                        break
            if name not in self._links:
                raise StageError(f"the coder does not start: {self.last_words()}")

    @property
    def stdio(self) -> socket.socket:
        """Both standard streams."""
        return self._links["stdio"]

    def last_words(self) -> str:
        """Why it ended, as far as it says."""
        if self._problem is not None:
            return self._problem.message
        done = self.execution
        said = (done.stderr.strip() or done.stdout.strip())[-600:] if done is not None else ""
        return said or (f"exit code {done.exit_code}" if done is not None else "it says nothing")

    def end(self) -> None:
        """End it and wait for it."""
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        self._thread.join(timeout=30.0)
