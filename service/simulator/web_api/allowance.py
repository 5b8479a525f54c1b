"""How many requests a client may send in a while, said in headers and with HTTP 429 (X10)."""

import math
import threading
import time
from dataclasses import dataclass

from service.simulator.answers import RawAnswer


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many requests in so many seconds. `announced`: every answer says how many are left."""

    requests: int
    seconds: float
    announced: bool = True


class Turnstile:
    """Counts the requests of one feed in windows that begin with a request; any thread may pass."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._lock = threading.Lock()
        self._ends, self._used = 0.0, 0

    def refusal(self) -> RawAnswer | None:
        """Count a request; the answer to it if it is one too many."""
        with self._lock:
            now = time.monotonic()
            if now >= self._ends:
                self._ends, self._used = now + self._allowance.seconds, 0
            self._used += 1
            if self._used <= self._allowance.requests:
                return None
            wait = ("Retry-After", str(max(1, math.ceil(self._ends - now))))
        said = b'{"error":{"code":"429","message":"too many requests"}}'
        head = (("Content-Type", "application/json"), wait)
        return RawAnswer(429, "Too Many Requests", head, said)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What every answer says about the window."""
        if not self._allowance.announced:
            return ()
        with self._lock:
            left = max(0, self._allowance.requests - self._used)
            seconds = max(0, math.ceil(self._ends - time.monotonic()))
        return (
            ("X-RateLimit-Limit", str(self._allowance.requests)),
            ("X-RateLimit-Remaining", str(left)),
            ("X-RateLimit-Reset", str(seconds)),
        )
