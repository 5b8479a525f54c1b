"""N uploader threads behind a bounded queue: the reader waits when the store is the slower one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self


class Uploaders:
    """Runs tasks on `count` threads. A task must not raise: it reports to the work it belongs to."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="uploader")
        # As many again may wait: enough to keep every thread busy, few enough to bound memory.
        self._slots = threading.BoundedSemaphore(2 * count)
        self._lock = threading.Lock()
        self._depth = 0

    @property
    def depth(self) -> int:
        """Tasks that wait or run."""
        return self._depth

    def submit(self, task: Callable[[], None]) -> None:
        """Queue a task; blocks while the queue is full. Never call it from a task."""
        self._slots.acquire()
        self._move(1)
        self._pool.submit(self._run, task)

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        finally:
            self._move(-1)
            self._slots.release()

    def _move(self, by: int) -> None:
        with self._lock:
            self._depth += by

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True)
