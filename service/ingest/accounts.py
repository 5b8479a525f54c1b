"""The sessions of one account: so many at once, and whoever comes later waits (Q99).

Most servers allow a single session and refuse the next login, or lock the account.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.2
"""How often whoever waits looks whether it is still wanted."""


class Account:
    """Shared by all feeds that log in with it."""

    def __init__(self, sessions: int = 1) -> None:
        self._free = threading.BoundedSemaphore(sessions)

    @contextmanager
    def session(self, stop: threading.Event) -> Iterator[bool]:
        """A session may be open inside the context. False when `stop` was set before there was one."""
        admitted = False
        while not (admitted or stop.is_set()):
            admitted = self._free.acquire(timeout=LOOK_SECONDS)
        try:
            yield admitted and not stop.is_set()
        finally:
            if admitted:
                self._free.release()
