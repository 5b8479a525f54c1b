"""A bound on bytes held at once by several threads. One holder may pass it alone, never two."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class ByteBudget:
    """`with budget.hold(n)` waits until n more bytes fit, or until nobody else holds any.

    Nobody overtakes a thread that waits, so a large one gets its turn among many small ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._turn = Lock()
        self._changed = Condition()

    @contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Bytes are given back at the end, also after an error."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + count <= self._limit)
            self._held += count
        try:
            yield
        finally:
            with self._changed:
                self._held -= count
                self._changed.notify_all()
