"""What a provider allows, counted here, so that it never has to say no (X10).

Requests and bytes are counted over sliding windows, all at once: a request goes out when every
window has room. Windows of a minute and more are kept as a fact of the feed and survive a restart;
what a crash forgets is the last second.
"""

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from service.core.ports import Facts

SLOTS = 50
"""A window moves in so many steps. What is in a step counts until all of it is old: a window allows
up to a fiftieth less than its limit, and never more."""

LASTING = 60
"""Seconds. Shorter windows are over before a restart is."""

SAVE_EVERY = 1.0
"""Seconds between two writes of the counts: a write for each request would cost more than the request."""

LONGEST_REST = 86_400.0
"""Seconds for which a server's word is believed: the longest window of any provider is a day."""

FACT = "limits"
RESTS = "rests until"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of `what` ("requests" or "bytes") in any `seconds`."""

    what: str
    most: int
    seconds: int

    @property
    def name(self) -> str:
        """As status, metrics and the kept counts spell it: `requests per 3600 s`."""
        return f"{self.what} per {self.seconds} s"


@dataclass(frozen=True, slots=True)
class Use:
    """How far a window is filled, for `status` and metrics."""

    limit: Limit
    used: int


class Quota:
    """All limits of one feed; any thread may call it."""

    def __init__(self, limits: Iterable[Limit], facts: Facts, now: Callable[[], datetime]) -> None:
        self._facts, self._now = facts, now
        self._lock = threading.Lock()
        kept = json.loads(facts.get(FACT) or "{}")
        self._windows = [_Window(limit, kept.get(limit.name, [])) for limit in limits]
        self._rests_until: float = kept.get(RESTS, 0.0)
        self._saved = self._time()

    def wait(self) -> float:
        """Seconds until one more request may go; 0.0 when it may go now, and is then counted."""
        with self._lock:
            time = self._time()
            waits = [window.wait(time) for window in self._windows]
            wait = max([self._rests_until - time, 0.0, *waits])
            if wait == 0.0:
                self._count(time, "requests", 1)
            return wait

    def came(self, count: int) -> None:
        """Bytes came. They are counted behind their request, so a window may be passed by one answer."""
        with self._lock:
            self._count(self._time(), "bytes", count)

    def rest(self, seconds: float) -> None:
        """No request for so long: the provider said so, or is about to. Kept over a restart."""
        with self._lock:
            time = self._time()
            self._rests_until = max(self._rests_until, time + min(seconds, LONGEST_REST))
            self._save(time)

    def uses(self) -> list[Use]:
        """Every window as it stands."""
        with self._lock:
            time = self._time()
            return [Use(window.limit, window.used(time)) for window in self._windows]

    def save(self) -> None:
        """Keep the counts."""
        with self._lock:
            self._save(self._time())

    def _count(self, time: float, what: str, count: int) -> None:
        for window in self._windows:
            if window.limit.what == what:
                window.add(time, count)
        # A clock that was set back would else save nothing for as long.
        if not 0 <= time - self._saved < SAVE_EVERY:
            self._save(time)

    def _save(self, time: float) -> None:
        self._saved = time
        lasting = [window for window in self._windows if window.limit.seconds >= LASTING]
        kept: dict[str, object] = {window.limit.name: window.slots(time) for window in lasting}
        if self._rests_until > time:
            kept[RESTS] = self._rests_until
        self._facts[FACT] = json.dumps(kept)

    def _time(self) -> float:
        return self._now().timestamp()


class _Window:
    """Counts by slot, oldest first: `[slot's number, count]`, the number being its time over its width."""

    def __init__(self, limit: Limit, slots: list[list[int]]) -> None:
        self.limit = limit
        self._width = limit.seconds / SLOTS
        self._slots = deque(slots)
        self._sum = sum(count for _, count in slots)

    def add(self, time: float, count: int) -> None:
        self._forget(time)
        slot = self._slot(time)
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1][1] += count
        else:
            self._slots.append([slot, count])
        self._sum += count

    def used(self, time: float) -> int:
        self._forget(time)
        return self._sum

    def slots(self, time: float) -> list[list[int]]:
        self._forget(time)
        return list(self._slots)

    def wait(self, time: float) -> float:
        """Until enough of the oldest slots are over that there is room for one more."""
        surplus = self.used(time) - self.limit.most + 1
        for slot, count in self._slots:
            if surplus <= 0:
                break
            surplus -= count
            until = self._over(slot)
            if surplus <= 0:
                return max(0.001, until - time)
        return 0.0

    def _forget(self, time: float) -> None:
        # The clock was set back: what was counted counts from now on, neither for ever nor not at all.
        if self._slots and self._slots[-1][0] > self._slot(time):
            self._slots = deque([[self._slot(time), self._sum]])
        while self._slots and self._over(self._slots[0][0]) <= time:
            self._sum -= self._slots.popleft()[1]

    def _slot(self, time: float) -> int:
        return math.floor(time / self._width)

    def _over(self, slot: int) -> float:
        return (slot + 1) * self._width + self.limit.seconds
