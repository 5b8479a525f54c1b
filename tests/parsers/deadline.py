"""A bound of work: what a parser is fed must cost time by its bytes, and never end in a loop.

Time is the processor's, not the clock's: a busy machine makes no test fail.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 10.0
"""Processor seconds. What is bounded takes 1 to 300 ms; what takes this long may never end."""


class Hang(AssertionError):  # noqa: N818 - named for what happened
    """Something took so long that it may never have ended."""


@contextmanager
def bounded(seconds: float = SECONDS) -> Iterator[None]:
    """Fail what takes more processor seconds than these, wherever it stands then."""
    before = signal.signal(signal.SIGVTALRM, _give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _give_up(_signal: int, frame: FrameType | None) -> None:
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
    raise Hang(f"still busy in {place}")
