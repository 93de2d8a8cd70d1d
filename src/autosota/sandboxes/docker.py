"""Commands in containers of an engine on this machine: Docker, or podman through the same API."""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Limits, Sandbox, Tree
from autosota.records import Mount, Recipe
from autosota.sandboxes import docker_engine, probing, processes, seccomp, slots, view
from autosota.sandboxes.docker_engine import Engine
from autosota.sandboxes.docker_stream import Stream
from autosota.sandboxes.limits import Started, Usage, supervise
from autosota.sandboxes.trees import TreeGauge, resource_limits
from autosota.sandboxes.variables import variables
from autosota.sandboxes.workspaces import Workspace, prepare

_LONGEST_LINE = 120_000
_START_SECONDS = 60.0
_RUN = (
    "exec 3>&2 2>/dev/null 4<&0 </dev/null; "
    '(read go <&4 || exit 1; ( (read gone <&4; kill -9 -1) & ); exec /usr/bin/env -i "$@" 2>&3 3>&- 4<&-) & '
    "wait $!; code=$?; read gone <&4; exit $code"
)
"""The first process in a container. The command waits for a line on stdin; once it has ended, the container stays, with all that
was used still to be seen, until stdin is closed: by autosota, or by the kernel when autosota is gone."""


@dataclass(frozen=True)
class Mode:
    """A way to run containers that works here."""

    user: int
    group: int
    owner: int | None
    """Who must own what commands write to; None: whoever does already."""
    overlays: bool
    """The engine mounts trees as overlays; else they are copied."""
    keep: bool = False
    """Rootless podman: the user keeps its number inside."""


class DockerExecutor:
    """Commands see the tree at /workspace, their environment, the system, a private /tmp and nothing else of this machine.

    The system is this machine's own, read-only on an image that is made without any registry, or that of an image the engine has
    (`docker:IMAGE`), which must be able to run the environment's Python. No network, no capabilities, no root, no new privileges,
    a system call filter, a read-only root. Whatever is left by an autosota that was killed is removed by the next on the same
    scratch folder. Invoked by root it gives `Tree.base` to an unprivileged user, as bubblewrap does.
    """

    name = "docker"
    isolated = True
    loopback = True
    groups = True

    def __init__(self, scratch: Path, *, image: str | None = None, overlays: bool = True) -> None:
        """`image`: an image that the engine has; None: this machine's system. `overlays`: False copies trees instead.

        Raises MachineError where no engine answers or no container starts.
        """
        self._scratch = scratch.absolute()
        self._engine = _connect()
        self._named = image
        self._checked: set[str] = set()
        self.sweep()
        slots.sweep(self._scratch)
        self._slot = slots.take(self._scratch, "docker-shared")
        weakref.finalize(self, _release, self._slot)
        (self._slot.folder / "seccomp.json").write_text(seccomp.profile(), encoding="ascii")
        self._image = self._engine.image(image) if image else self._engine.host_image(self._slot.folder)
        self.mode = self._probe(overlays)
        self.overlays = self.mode.overlays

    @property
    def description(self) -> str:
        """How it runs here, in words."""
        system = f"image {self._named}" if self._named else "this machine's system"
        trees = "trees as overlays" if self.overlays else "trees are copied"
        return f"{self._engine.name} at {self._engine.address}; {system}; {trees}"

    def sweep(self) -> int:
        """Remove containers and volumes that killed runs left for this scratch folder; how many containers there were."""
        scratch = str(self._scratch)
        owners = self._engine.owners(scratch)
        return self._engine.sweep(scratch, {owner: _is_alive(owner) for owner in owners}) if owners else 0

    def _probe(self, overlays: bool) -> Mode:
        uid, gid = os.geteuid(), os.getegid()
        root = uid == 0
        ways = [Mode(view.USER, view.USER, view.USER, True), Mode(view.USER, view.USER, view.USER, False)] if root else []
        if not root:
            ways = [Mode(uid, gid, None, False, keep=self._engine.rootless and self._engine.podman)]
        return probing.first(
            (way for way in ways if overlays or not way.overlays), self._try,
            f"{self._engine.name} does not run commands here",
            "a rootful engine with its socket on this machine, or rootless podman, is needed; or use --sandbox bubblewrap",
        )  # fmt: skip

    def _try(self, mode: Mode) -> None:
        self.mode = mode
        probing.private_tree(self, self._slot.folder / "probe", mode.user, seconds=60)

    @contextlib.contextmanager
    def open(self, tree: Tree, *, recipe: Recipe, mounts: Sequence[Mount] = (), network: bool = False) -> Iterator[Sandbox]:
        """See the port. Raises MachineError if the tree or a mount cannot be shown."""
        slot = slots.take(self._scratch, self.name)
        sandbox = None
        try:
            overlays = self.mode.overlays and not set(str(slot.folder) + str(tree.base)) & set(",:\\")
            workspace = prepare(tree, slot.folder, mounts, overlays=overlays, owner=self.mode.owner)
            sandbox = DockerSandbox(self._engine, self.mode, self._image, slot, workspace, recipe, self._common(recipe, network))
            self._check(sandbox, recipe)
            yield sandbox
        finally:
            if sandbox is not None:
                sandbox.close()
            slot.release()

    def _check(self, sandbox: DockerSandbox, recipe: Recipe) -> None:
        """Once for each environment: does its Python run in the image the user named?"""
        if self._named is None or not recipe.python or recipe.digest in self._checked:
            return
        done = sandbox.run(Command('"$PYTHON" -c pass', {"PYTHON": recipe.python}, Limits(seconds=60)))
        if done.exit_code:
            raise MachineError(
                f"the environment's Python does not run in the image {self._named}: {done.stderr.strip()[-200:]}",
                "its C library must be that of this machine or newer; or use --sandbox docker, which needs no image",
            )
        self._checked.add(recipe.digest)

    def _common(self, recipe: Recipe, network: bool) -> dict[str, Any]:
        """Settings of every container of a sandbox."""
        shown = [] if self._named else [name for name in ("/usr", *view.SYSTEM) if Path(name).is_dir()]
        shown = [name for name in shown if not Path(name).is_symlink()] + list(view.environment_folders(recipe))
        if network:
            shown += [] if self._named else [path for path in ("/etc/ssl", "/etc/resolv.conf") if Path(path).exists()]
        # Docker takes the profile itself, podman the place of a file.
        profile = self._slot.folder / "seccomp.json" if self._engine.podman else seccomp.profile()
        security = ["no-new-privileges", f"seccomp={profile}"]
        return {
            "Binds": [_bind(path, path) for path in shown],
            "Security": security + (["label=disable"] if self._engine.podman else []),
            "Network": "bridge" if network else "none",
            "Labels": {docker_engine.LABEL: str(self._scratch), docker_engine.OWNER: _owner()},
        }


class DockerSandbox:
    """One tree; each command is a container of its own."""

    root = view.WORKSPACE

    def __init__(
        self,
        engine: Engine,
        mode: Mode,
        image: str,
        slot: slots.Slot,
        workspace: Workspace,
        recipe: Recipe,
        common: dict[str, Any],
    ) -> None:
        self._engine, self._mode, self._image, self._recipe, self._common = engine, mode, image, recipe, common
        self._workspace = workspace
        self._temporary = slot.folder / "tmp"
        (self._temporary / "home").mkdir(parents=True)
        if mode.owner is not None:
            for folder in (self._temporary, self._temporary / "home"):
                os.chown(folder, mode.owner, mode.owner)
        self._volume = f"autosota-{secrets.token_hex(8)}" if workspace.layout.layers else None
        self._mounts = [_bind(str(self._temporary), "/tmp", writable=True), *common["Binds"], *self._tree()]
        self._running = threading.Lock()
        self._stop_read, self._stop_write = os.pipe()

    def _tree(self) -> Iterator[dict[str, Any]]:
        layout = self._workspace.layout
        if self._volume is None:
            yield _bind(str(layout.top), view.WORKSPACE, writable=True)
        else:
            lower = ":".join(str(layer) for layer in reversed(layout.layers))
            options = f"lowerdir={lower},upperdir={layout.top},workdir={layout.work}"
            driver = {"Name": "local", "Options": {"type": "overlay", "o": options, "device": "overlay"}}
            settings = {"NoCopy": True, "Labels": self._common["Labels"], "DriverConfig": driver}
            yield {"Type": "volume", "Source": self._volume, "Target": view.WORKSPACE, "VolumeOptions": settings}
        for source, target, writable in layout.binds:
            yield _bind(source, target, writable=writable)

    def run(self, command: Command) -> Execution:
        """See the port."""
        if len(command.line) > _LONGEST_LINE:
            raise MachineError(f"the command line has {len(command.line)} characters", "put it into a script")
        with self._running:
            container = self._engine.create(self._settings(command))
            try:
                return self._run(container, command)
            except OSError as error:
                raise MachineError(f"the container could not start: {error}", "choose another one with --sandbox") from error
            finally:
                self._engine.remove(container)

    def _settings(self, command: Command) -> dict[str, Any]:
        limits = command.limits
        shared = min(limits.memory or 2**30, limits.disk or 2**30)
        given = variables(self._recipe, command, home="/tmp/home", temporary="/tmp")
        bounds = {
            name.removeprefix("RLIMIT_").lower(): value
            for name, value in resource_limits(limits, memory_bound=True, processes_now=None).items()
        }
        # Engines may lack the right to raise these to their own defaults; what this process may have is enough.
        for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            most = resource.getrlimit(kind)[1]
            bounds.setdefault(name, 10_000 if most == resource.RLIM_INFINITY else min(most, 10_000))
        host = {
            "Mounts": self._mounts, "NetworkMode": self._common["Network"], "ReadonlyRootfs": True, "CapDrop": ["ALL"],
            "SecurityOpt": self._common["Security"], "IpcMode": "private", "ShmSize": max(shared, 65536),
            "LogConfig": {"Type": "none"}, "RestartPolicy": {"Name": "no"},
            "Ulimits": [{"Name": name, "Soft": value, "Hard": value} for name, value in bounds.items()],
            "Devices": [{"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in _devices()],
        }  # fmt: skip
        if limits.memory is not None:
            host |= {"Memory": max(limits.memory, 2**23), "MemorySwap": max(limits.memory, 2**23)}
        if limits.processes is not None:
            host["PidsLimit"] = 4 * limits.processes + 256
        if self._mode.keep:
            host["UsernsMode"] = "keep-id"
        return {
            "Image": self._image, "User": f"{self._mode.user}:{self._mode.group}", "WorkingDir": self.root,
            "Hostname": "autosota", "Entrypoint": ["/bin/sh", "-c", _RUN, "sh"],
            "Cmd": [*(f"{name}={value}" for name, value in given.items()), "/bin/sh", "-c", command.line],
            "Env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"], "Labels": self._common["Labels"], "Healthcheck": {"Test": ["NONE"]},
            "OpenStdin": True, "StdinOnce": True, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": False,
            "HostConfig": host,
        }  # fmt: skip

    def _run(self, container: str, command: Command) -> Execution:
        stream = Stream(self._engine.attach(container))
        try:
            first = self._engine.start(container)
            inside = _child(first)
            gauge = _Gauge(first, command.limits)
            stream.begin(inside, gauge.last)
        except BaseException:
            stream.close()
            raise
        last: list[int] = []
        killing: list[threading.Thread] = []

        def end() -> None:
            # Beside the caller, who goes on reading: an engine answers only when the output before the end was taken.
            if not stream.over and not killing:
                killing.append(threading.Thread(target=self._engine.kill, args=(container,), daemon=True))
                killing[0].start()

        def report() -> Usage:
            code, memory = self._engine.ended(container)
            last.append(code)
            used = stream.used or Usage()
            return replace(used, breach="memory" if memory else used.breach)

        written = [*self._workspace.written, self._temporary]
        started = Started(inside, *stream.pipes(), end, gauge, written, report, done=stream.done)
        outcome = supervise(started, command, self._stop_read)
        stream.close()
        return outcome.execution(last[0] if outcome.ended == "exit" and last else 128 + signal.SIGKILL)

    def read(self, path: str, limit: int = 64 * 2**20) -> bytes | None:
        """See the port."""
        return self._workspace.read(path, limit)

    def changed(self) -> tuple[str, ...]:
        """See the port."""
        return self._workspace.changed()

    def close(self) -> None:
        """End a command that still runs in another thread."""
        os.write(self._stop_write, b"x")
        with self._running:
            pass
        os.close(self._stop_write)
        os.close(self._stop_read)
        if self._volume is not None:
            self._engine.remove_volume(self._volume)


class _Gauge(TreeGauge):
    """Memory is held by the engine's control group, exactly; the sum over processes only says how high it went. One process is
    the container's own."""

    def __init__(self, root: int, limits: Limits) -> None:
        super().__init__(root, limits)
        self._bound = limits.memory
        self._first = root

    def last(self) -> Usage:
        """The same when the command has ended and its container is still there; with what its control group counted."""
        found = self.read()
        peak, killed = _counted(self._first)
        return replace(found, peak_memory=peak or found.memory or None, breach="memory" if killed else None)

    def read(self) -> Usage:
        found = super().read()
        memory = found.memory if self._bound is None else min(found.memory, self._bound)
        return Usage(cpu_seconds=found.cpu_seconds, memory=memory, processes=max(0, found.processes - 1))


def _counted(pid: int) -> tuple[int, bool]:
    """Most memory that the control group of a process ever held, and whether the kernel had to kill for it; 0 and False where
    that cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0, False
    for line in lines:
        _, controllers, path = line.split(":", 2)
        memory = "memory" in controllers.split(",")
        if not memory and controllers:
            continue
        folder = Path("/sys/fs/cgroup/memory" if memory else "/sys/fs/cgroup", path.lstrip("/"))
        most, events = ("memory.max_usage_in_bytes", "memory.oom_control") if memory else ("memory.peak", "memory.events")
        with contextlib.suppress(OSError, ValueError):
            counts = dict(entry.split() for entry in (folder / events).read_text(encoding="ascii").splitlines())
            peak = int((folder / most).read_text(encoding="ascii")) if (folder / most).exists() else 0
            return peak, int(counts.get("oom_kill", 0)) > 0
    return 0, False


def _connect() -> Engine:
    """The first engine that answers. Raises MachineError with what the last one said."""
    problem = MachineError(
        "no container engine listens on this machine", "install and start Docker or podman, or set DOCKER_HOST"
    )
    for address in docker_engine.sockets():
        try:
            return Engine(address)
        except MachineError as error:
            problem = error
    raise problem


def _child(first: int) -> int:
    """The process, on this machine, that waits in a container to become the command. Raises MachineError if there is none."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if processes.look(first) is None:
            break
        found = [process for process in processes.tree(first, 8) if process.parent == first]
        if found:
            return found[0].pid
        time.sleep(0.002)
    raise MachineError("the container's processes cannot be seen", "the engine must run on this machine, not in a virtual one")


def _bind(source: str, target: str, *, writable: bool = False) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": not writable}


def _devices() -> list[str]:
    return [path for path in view.accelerators() if Path(path).is_char_device()]


def _owner() -> str:
    process = processes.look(os.getpid())
    return f"{os.getpid()}.{process.started if process else 0}"


def _is_alive(owner: str) -> bool:
    pid, _, started = owner.partition(".")
    process = processes.look(int(pid)) if pid.isdigit() else None
    return process is not None and str(process.started) == started


def _release(slot: slots.Slot) -> None:
    """When the executor is gone. The whole scratch folder may be gone before it."""
    with contextlib.suppress(OSError):
        slot.release()
