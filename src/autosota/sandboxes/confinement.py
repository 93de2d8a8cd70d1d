"""Takes rights away from the process that calls it: namespaces, Landlock and a system call filter, by bare system calls.

Loaded by the launcher in the child that is about to become the command; needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import struct
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_MOUNT_SETATTR, _CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 442, 444, 445, 446
_NAMESPACES = 0x10000000 | 0x20000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000
"""User, mount, pid, network, ipc and host name."""
_BIND, _RECURSIVE_BIND, _PRIVATE = 0x1000, 0x5000, 0x44000
_NO_SETUID_DEVICES_EXECUTION = 0x2 | 0x4 | 0x8
_AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = -100, 0x8000, 0x1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1, 2, 4, 8
_TRUNCATE, _DEVICE_CONTROL = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER


def version() -> int:
    """Landlock's ABI version in this kernel; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def _all_rights() -> int:
    """Every right on files that this kernel knows."""
    return (1 << {0: 0, 1: 13, 2: 14, 3: 15, 4: 15}.get(version(), 16)) - 1


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


# ── namespaces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def enter(confinement: dict[str, Any]) -> None:
    """New namespaces if `namespaces`; returns in a grandchild in which only `writable` folders can be written.

    Else, if `user` is another one, become that user.
    """
    user, group = confinement["user"], confinement["group"]
    if not confinement["namespaces"]:
        if user != os.getuid():
            os.setgroups([])
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
        return
    outside = (os.getuid(), os.getgid())
    _check(_libc.unshare(_NAMESPACES), "unshare")
    _put("/proc/self/setgroups", "deny")
    _put("/proc/self/uid_map", f"{user} {outside[0]} 1")
    _put("/proc/self/gid_map", f"{group} {outside[1]} 1")
    _fork_and_wait()
    _libc.prctl(1, signal.SIGKILL, 0, 0, 0)
    _lay_out(confinement)
    _raise_loopback()
    _fork_and_wait()
    os.setpgid(0, 0)


def _fork_and_wait() -> None:
    """Returns in a child. The parent reaps whatever there is, and ends when and as the child does."""
    child = os.fork()
    if child == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _put(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def _lay_out(confinement: dict[str, Any]) -> None:
    """Mounts of this namespace: everything read-only but the writable folders; own /proc and /dev/shm."""
    _mount(None, "/", None, _PRIVATE)
    for path in confinement["writable"]:
        _mount(path, path, None, _RECURSIVE_BIND)
    for source, target, _ in confinement["mounts"]:
        _mount(source, target, None, _RECURSIVE_BIND)
    for path in confinement["read_only"]:
        _mount(path, path, None, _BIND)
    _set_read_only("/", _AT_RECURSIVE, True)
    for path in [*confinement["writable"], *(target for _, target, writable in confinement["mounts"] if writable)]:
        _set_read_only(path, 0, False)
    _mount("proc", "/proc", "proc", _NO_SETUID_DEVICES_EXECUTION)
    _mount("tmpfs", "/dev/shm", "tmpfs", _NO_SETUID_DEVICES_EXECUTION, f"mode=1777,size={confinement['shared']}")


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [os.fsencode(word) if word is not None else None for word in (source, target, kind, options)]
    _check(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), f"mount on {target}")


def _set_read_only(path: str, flags: int, on: bool) -> None:
    attributes = struct.pack("=QQQQ", _READ_ONLY if on else 0, 0 if on else _READ_ONLY, 0, 0)
    result = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, attributes, ctypes.c_size_t(len(attributes)))
    _check(result, f"mount_setattr on {path}")


def _raise_loopback() -> None:
    """The only network there is: 127.0.0.1."""
    import _socket

    link = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(link.fileno(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))
    link.close()


# ── Landlock and the filter ───────────────────────────────────────────────────────────────────────────────────────────


def restrict(confinement: dict[str, Any]) -> None:
    """Landlock: only `readable` can be read, only `writable` and `devices` written; then the system call filter."""
    rights = _all_rights()
    abi = version()
    attributes = struct.pack("=QQQ", rights, 3 if confinement["no_tcp"] and abi >= 4 else 0, 3 if abi >= 6 else 0)
    attributes = attributes[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    ruleset = _check(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "Landlock")
    for path in confinement["readable"]:
        _allow(ruleset, path, _READ)
    for path in confinement["devices"]:
        _allow(ruleset, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE | _DEVICE_CONTROL) & rights)
    for path in confinement["writable"]:
        _allow(ruleset, path, rights)
    for source, _, writable in confinement["mounts"]:
        _allow(ruleset, source, rights if writable else _READ)
    _allow(ruleset, "/dev/shm", rights)
    _check(_libc.syscall(_RESTRICT_SELF, ruleset, 0), "Landlock")
    os.close(ruleset)
    code = bytes.fromhex(confinement["filter"])
    if code:
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
        _check(_libc.prctl(22, 2, program, 0, 0), "seccomp")


def _allow(ruleset: int, path: str, rights: int) -> None:
    """A rule for what is there; nothing for what is not."""
    with contextlib.suppress(OSError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
            rule = struct.pack("=Qi", rights, place)
            _check(_libc.syscall(_ADD_RULE, ruleset, 1, rule, 0), "Landlock")
        finally:
            os.close(place)
