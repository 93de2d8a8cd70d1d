"""What a container prints, taken from the engine's framed stream into two pipes, and the word that lets its command begin."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Any

from autosota.sandboxes.limits import Usage

_CHUNK = 1 << 18
_HEADER = 8


class Stream:
    """One attached container. `begin`, then read the pipes; `done` becomes readable once all was delivered."""

    def __init__(self, attached: Any) -> None:
        """`attached`: what the engine's client gives for an attached container."""
        self._attached = attached
        self._socket = socket.socket(fileno=os.dup(attached.fileno()))
        self._socket.setblocking(True)
        self._stdout, self._to_stdout = os.pipe()
        self._stderr, self._to_stderr = os.pipe()
        self.done, self._to_done = os.pipe()
        self._handed = False
        self._thread: threading.Thread | None = None
        self.over = False
        """Has the container ended and all its output been delivered?"""
        self.used: Usage | None = None
        """What the command used, looked at when it had ended by itself."""

    def pipes(self) -> tuple[int, int]:
        """Read ends of stdout and stderr; with `done` they are now the caller's to close."""
        self._handed = True
        return self._stdout, self._stderr

    def begin(self, inside: int, look: Callable[[], Usage]) -> None:
        """Let the command begin. When process `inside` has ended, `look` is called once and stdin closed, which ends the rest."""
        ended = os.pidfd_open(inside)
        self._socket.sendall(b"go\n")
        self._thread = threading.Thread(target=self._deliver, args=(ended, look), daemon=True)
        self._thread.start()

    def _deliver(self, ended: int, look: Callable[[], Usage]) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(ended, select.POLLIN)
        pending = bytearray()
        try:
            while True:
                ready = [descriptor for descriptor, _ in poll.poll()]
                if ended in ready:
                    poll.unregister(ended)
                    self.used = look()
                    with contextlib.suppress(OSError):
                        self._socket.shutdown(socket.SHUT_WR)
                if self._socket.fileno() in ready:
                    piece = self._socket.recv(_CHUNK)
                    if not piece:
                        return
                    pending += piece
                    self._hand_on(pending)
        except OSError:
            return
        finally:
            os.close(ended)
            self.over = True
            for descriptor in (self._to_stdout, self._to_stderr, self._to_done):
                os.close(descriptor)

    def _hand_on(self, pending: bytearray) -> None:
        """Whole frames go to their pipe. A pipe that nobody reads any more takes nothing."""
        start = 0
        while len(pending) - start >= _HEADER:
            length = int.from_bytes(pending[start + 4 : start + _HEADER], "big")
            if len(pending) - start < _HEADER + length:
                break
            target = self._to_stderr if pending[start] == 2 else self._to_stdout
            rest = bytes(pending[start + _HEADER : start + _HEADER + length])
            with contextlib.suppress(BrokenPipeError):
                while rest:
                    rest = rest[os.write(target, rest) :]
            start += _HEADER + length
        del pending[:start]

    def close(self) -> None:
        """After the container has ended; or, where it never began, at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(30)
        else:
            for descriptor in (self._to_stdout, self._to_stderr, self._to_done):
                os.close(descriptor)
        if not self._handed:
            for descriptor in (self._stdout, self._stderr, self.done):
                os.close(descriptor)
        self._socket.close()
        with contextlib.suppress(OSError):
            self._attached.close()
