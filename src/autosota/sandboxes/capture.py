"""Bounded memory for what a command prints."""

from __future__ import annotations


class Capture:
    """Keeps the first and the last half of `limit` bytes of a stream, however long it is."""

    def __init__(self, limit: int) -> None:
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0
        """Bytes seen."""

    def add(self, data: memoryview | bytes) -> None:
        """Take the next piece of the stream."""
        self.total += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if not len(data):
            return
        if len(data) >= self._tail_limit:
            self._tail[:] = data[len(data) - self._tail_limit :]
            return
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: len(self._tail) - self._tail_limit]

    @property
    def discarded(self) -> int:
        """Bytes that `text` leaves out of the middle."""
        return max(0, self.total - len(self._head) - min(len(self._tail), self._tail_limit))

    def text(self) -> str:
        """Beginning and end with a line between them that says how much is missing; undecodable bytes replaced."""
        tail = self._tail[max(0, len(self._tail) - self._tail_limit) :]
        if not self.discarded:
            return (self._head + tail).decode("utf-8", "replace")
        middle = f"\n[... {self.discarded} bytes left out ...]\n"
        return self._head.decode("utf-8", "replace") + middle + tail.decode("utf-8", "replace")
