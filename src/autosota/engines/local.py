"""This machine: each worker is a thread that waits for its sandbox's processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from autosota.ports import Pending
from autosota.records import Measurement


class LocalEngine:
    """Runs up to `workers` measurements at a time."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="worker")

    def submit(self, job: Callable[[], tuple[Measurement, ...]]) -> Pending:
        return self._pool.submit(job)

    def wait(self, pending: Sequence[Pending], timeout: float | None = None) -> None:
        futures = [item for item in pending if isinstance(item, Future)]
        wait(futures, timeout=timeout, return_when=FIRST_COMPLETED)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
