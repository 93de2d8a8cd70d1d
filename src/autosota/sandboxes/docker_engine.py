"""A container engine that speaks Docker's API on a socket of this machine: Docker, or podman's service.

The `docker` package is an extra and is imported here only, when an engine is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autosota.errors import MachineError
from autosota.sandboxes import view

LABEL = "autosota.scratch"
"""Label of everything made here: the scratch folder it belongs to."""
OWNER = "autosota.owner"
"""Label: process number and start of the autosota that made it."""
_LEAST = "1.41"
_HOST = "autosota-host"
_SECONDS = 120


def sockets() -> Iterator[str]:
    """Addresses where an engine may listen: the one named by DOCKER_HOST alone, else the usual ones that are there."""
    named = os.environ.get("DOCKER_HOST") or os.environ.get("CONTAINER_HOST")
    if named:
        yield named
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    places = ("/var/run/docker.sock", f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock", "/run/podman/podman.sock")
    for place in places:
        if os.access(place, os.R_OK | os.W_OK):
            yield f"unix://{place}"


class Engine:
    """One connection for each thread; every call raises MachineError where the engine refuses or is gone."""

    def __init__(self, address: str) -> None:
        """Raises MachineError where nothing that can be used answers at `address`."""
        try:
            self._docker = importlib.import_module("docker")
        except ImportError:
            raise MachineError("the Docker SDK is not installed", "pip install 'autosota[docker]'") from None
        self.address = address
        self._mine = threading.local()
        if not address.startswith("unix://"):
            raise MachineError(f"the container engine at {address} is on another machine", "name a local socket with DOCKER_HOST")
        with self.errors("ask for its version"):
            said: dict[str, Any] = self.client.version()
        components = {str(part.get("Name", "")) for part in said.get("Components") or ()}
        self.podman = any("podman" in name.lower() for name in components)
        self.name = f"{'podman' if self.podman else 'Docker'} {said.get('Version', '')}".strip()
        if tuple(map(int, str(said.get("ApiVersion", "0")).split("."))) < tuple(map(int, _LEAST.split("."))):
            raise MachineError(f"{self.name} speaks API {said.get('ApiVersion')}, {_LEAST} is the least", "install a newer one")
        with self.errors("ask for its settings"):
            information: dict[str, Any] = self.client.info()
        options = [str(option) for option in information.get("SecurityOptions") or ()]
        self.rootless = any("rootless" in option for option in options)

    @property
    def client(self) -> Any:
        """This thread's connection."""
        if not hasattr(self._mine, "client"):
            self._mine.client = self._docker.APIClient(base_url=self.address, version=_LEAST, timeout=_SECONDS)
        return self._mine.client

    @contextlib.contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turns the SDK's exceptions into MachineError; `doing` completes "cannot …"."""
        requests = importlib.import_module("requests")
        try:
            yield
        except (self._docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            words = str(getattr(error, "explanation", None) or error)[:400]
            raise MachineError(
                f"the container engine cannot {doing}: {words}", "is it running, and may this user use its socket?"
            ) from None

    # ── images ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def image(self, name: str) -> str:
        """Identity of an image that the engine has. Raises MachineError where it has none of that name; never pulls."""
        try:
            return str(self.client.inspect_image(name)["Id"])
        except self._docker.errors.ImageNotFound:
            raise MachineError(f"{self.name} has no image {name!r}", f"docker pull {name}") from None

    def host_image(self, folder: Path) -> str:
        """An image made of this machine's system: a few kilobytes of folders, links and a small /etc, on which the system's own
        folders are mounted. No registry is needed. `folder`: scratch space."""
        content = _skeleton(folder)
        tag = hashlib.sha256(content).hexdigest()[:16]
        for name in (f"{_HOST}:{tag}", f"localhost/{_HOST}:{tag}"):
            with contextlib.suppress(self._docker.errors.ImageNotFound):
                return str(self.client.inspect_image(name)["Id"])
        with self.errors("import an image"):
            said = self.client.import_image_from_data(content, repository=_HOST, tag=tag)
            for line in str(said).splitlines():
                with contextlib.suppress(ValueError):
                    status = str(json.loads(line).get("status", ""))
                    if len(status) >= 64:
                        return status
            return str(self.client.inspect_image(f"{_HOST}:{tag}")["Id"])

    # ── containers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, settings: Mapping[str, Any]) -> str:
        """Identity of a new container."""
        with self.errors("make a container"):
            return str(self.client.create_container_from_config(dict(settings))["Id"])

    def start(self, container: str) -> int:
        """Start it; the process number, on this machine, of its first process."""
        with self.errors("start a container"):
            self.client.start(container)
            return int(self.client.inspect_container(container)["State"]["Pid"])

    def attach(self, container: str) -> Any:
        """A stream to its stdin, and from its stdout and stderr in frames; before it is started, so nothing is missed."""
        with self.errors("attach to a container"):
            return self.client.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})

    def kill(self, container: str) -> None:
        """SIGKILL everything in it; nothing if it has ended, or if the engine does not answer: it is removed by force later."""
        with contextlib.suppress(self._docker.errors.APIError, OSError):
            self.client.kill(container)

    def ended(self, container: str) -> tuple[int, bool]:
        """Exit code, once it has ended, and whether memory ran out in it."""
        with self.errors("wait for a container"):
            code = int(self.client.wait(container, timeout=60)["StatusCode"])
            return code, bool(self.client.inspect_container(container)["State"].get("OOMKilled"))

    def remove(self, container: str) -> None:
        """Whatever state it is in."""
        with contextlib.suppress(self._docker.errors.APIError):
            self.client.remove_container(container, v=True, force=True)

    def remove_volume(self, name: str) -> None:
        """Unmounts it; what it shows stays."""
        with contextlib.suppress(self._docker.errors.APIError):
            self.client.remove_volume(name, force=True)

    def sweep(self, scratch: str, alive: Mapping[str, bool]) -> int:
        """Remove containers and volumes of this scratch folder whose owner is gone; how many there were."""
        with self.errors("list containers"):
            chosen = {"label": [f"{LABEL}={scratch}"]}
            containers = self.client.containers(all=True, filters=chosen)
            volumes = self.client.volumes(filters=chosen).get("Volumes") or ()
        gone = [one for one in containers if not alive.get((one.get("Labels") or {}).get(OWNER, ""), False)]
        for container in gone:
            self.remove(container["Id"])
        for volume in volumes:
            if not alive.get((volume.get("Labels") or {}).get(OWNER, ""), False):
                self.remove_volume(volume["Name"])
        return len(gone)

    def owners(self, scratch: str) -> set[str]:
        """Owners of what is there for this scratch folder."""
        with self.errors("list containers"):
            chosen = {"label": [f"{LABEL}={scratch}"]}
            found = [
                *self.client.containers(all=True, filters=chosen),
                *(self.client.volumes(filters=chosen).get("Volumes") or ()),
            ]
        return {str((one.get("Labels") or {}).get(OWNER, "")) for one in found}


def _skeleton(folder: Path) -> bytes:
    """A tar archive: links as the host has them, empty folders to mount on, and the /etc that every sandbox gets."""
    view.make_etc(folder / "etc", network=False)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("usr", "etc", "proc", "dev", "sys", "var", "tmp", "workspace", "run"):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        archive.addfile(_entry("var/tmp", tarfile.DIRTYPE, 0o1777))  # no link: podman mounts its own there
        for name in view.SYSTEM:
            place = Path(name)
            if place.is_symlink():
                archive.addfile(_entry(name.lstrip("/"), tarfile.SYMTYPE, 0o777, os.readlink(place)))
            elif place.is_dir():
                archive.addfile(_entry(name.lstrip("/"), tarfile.DIRTYPE, 0o755))
        for path in sorted((folder / "etc").rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                archive.addfile(_entry(name, tarfile.SYMTYPE, 0o777, os.readlink(path)))
            elif path.is_dir():
                archive.addfile(_entry(name, tarfile.DIRTYPE, 0o755))
            else:
                content = path.read_bytes()
                entry = _entry(name, tarfile.REGTYPE, 0o644)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _entry(name: str, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    return entry
