"""When to try again. `now` and the jitter are passed in, so every answer can be checked."""

from datetime import datetime, timedelta

FIRST_WAIT = timedelta(seconds=30)
"""A server that hiccups is usually back within half a minute."""

LONGEST_WAIT = timedelta(hours=1)
"""Beyond it the wait would be longer than most feeds' cycle and only add staleness."""

PARK_AFTER = 8
"""Attempts: 30 s doubling eight times is about two hours, longer than any usual maintenance window."""

PARKED_WAIT = timedelta(hours=24)
"""A parked listing is looked at daily: feeds do mend themselves, but not within the hour."""


def next_attempt(
    attempts: int, now: datetime, jitter: float, after: float | None = None, *, retry: bool = True
) -> datetime:
    """When attempt number `attempts` + 1 is due; `jitter` in 0..1 spreads it over half the wait.

    `after` is the wait in seconds that the peer asked for; it is never undercut.
    """
    if is_parked(attempts, retry=retry):
        return now + PARKED_WAIT
    wait: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    wait = wait / 2 + wait / 2 * jitter
    return now + max(wait, timedelta(seconds=after or 0))


def is_parked(attempts: int, *, retry: bool) -> bool:
    """Whether a listing stops being retried at the feed's pace."""
    return not retry or attempts >= PARK_AFTER
