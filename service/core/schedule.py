"""When to try again, and when to stop trying. `now` and the jitter are passed in, so all can be checked.

An item that fails waits longer each time and is parked in the end. A feed that fails waits likewise; its
breaker then opens, and one trial decides whether it closes again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST_WAIT = timedelta(seconds=30)
"""A server that hiccups is usually back within half a minute."""

LONGEST_WAIT = timedelta(hours=1)
"""Beyond it the wait would be longer than most feeds' cycle and only add staleness."""

PARK_AFTER = 8
"""Attempts: 30 s doubling eight times is about two hours, longer than any usual maintenance window."""

PARKED_WAIT = timedelta(hours=24)
"""A parked listing is looked at daily: feeds do mend themselves, but not within the hour."""

OPEN_AFTER = 5
"""Cycles that fail one after the other before the feed's own interval no longer counts: by then a server
has been away for some eight minutes, and logins that it refuses may lock the account."""


def next_attempt(
    attempts: int, now: datetime, jitter: float, after: float | None = None, *, retry: bool = True
) -> datetime:
    """When attempt number `attempts` + 1 is due; `jitter` in 0..1 spreads it over half the wait.

    `after` is the wait in seconds that the peer asked for; it is never undercut.
    """
    if is_parked(attempts, retry=retry):
        return now + PARKED_WAIT
    return now + _wait(attempts, jitter, after)


def is_parked(attempts: int, *, retry: bool) -> bool:
    """Whether a listing stops being retried at the feed's pace."""
    return not retry or attempts >= PARK_AFTER


def _wait(attempts: int, jitter: float, after: float | None) -> timedelta:
    wait: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    return max(wait / 2 + wait / 2 * jitter, timedelta(seconds=after or 0))


FAILURES_IN_A_ROW = 3
"""Requests that fail one after the other: the server is down, not the listing."""

FAILURES_FREE = 20
"""Requests that may fail here and there. Each may cost a minute of silence."""

FAILED_SHARE = 0.1
"""The part of all requests that may fail beyond these: a server that loses every tenth is still of use."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests of one cycle may fail before the rest waits for the next one."""

    in_a_row: int = FAILURES_IN_A_ROW
    asked: int = 0
    failed: int = 0
    row: int = 0

    def spent(self, *, failed: bool) -> "Budget":
        """After one more request."""
        return replace(
            self,
            asked=self.asked + 1,
            failed=self.failed + failed,
            row=self.row + 1 if failed else 0,
        )

    @property
    def why(self) -> str:
        """Why no more is to be asked for; "" while something is left."""
        if self.row >= self.in_a_row:
            return f"{self.row} requests failed in a row, the rest waits"
        if self.failed > FAILURES_FREE + FAILED_SHARE * self.asked:
            return f"{self.failed} of {self.asked} requests failed, the rest waits"
        return ""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether a feed is asked at all. Kept in the catalog, so that no restart hammers its server.

    `failures` are cycles in a row that the feed's server failed; `until` is when it may be asked
    again. `stopped`: only its configuration, a restart or an operator's `retry` can help.
    """

    failures: int = 0
    until: datetime | None = None
    stopped: bool = False
    why: str = ""

    @property
    def on_trial(self) -> bool:
        """Whether the next cycle is a trial, which the first failure ends: half-open."""
        return self.failures >= OPEN_AFTER

    def failed(self, why: str, now: datetime, jitter: float, after: float | None = None) -> "Breaker":
        """After one more failure."""
        failures = self.failures + 1
        return Breaker(failures, now + _wait(failures, jitter, after), why=why)

    def stop(self, why: str) -> "Breaker":
        """After an error that asking again does not mend."""
        return replace(self, until=None, stopped=True, why=why)

    def wait(self, now: datetime, interval: timedelta) -> timedelta:
        """How long the next cycle has to wait, after one that ended `now`.

        A failed cycle is repeated sooner than usual; only an open breaker waits longer than that. A
        clock that was set back makes no wait longer than the longest one.
        """
        if self.until is None:
            return interval
        left = max(self.until - now, timedelta())
        return min(left, PARKED_WAIT) if self.failures >= OPEN_AFTER else min(left, interval)
