"""Two daemons on one catalog: one works on a feed, the other stands by.

Whoever finds that another process works on the feed, or has done so since, leaves it to that one,
so that two daemons do not ask the feed twice as often as one. It takes over when the other is not
heard of any more, or has had no success for longer than an interval.
"""

import threading
from datetime import datetime, timedelta

import structlog

from service.ingest.feed import Feed

log = structlog.get_logger()

LOOKS = 6
"""How often to look in the time that a lease lasts: a killed daemon's feed waits little longer than that."""


def stand_by(feed: Feed, interval: timedelta, mine: datetime | None, stop: threading.Event) -> None:
    """Return when it is this process's turn, or `stop` is set.

    `mine` is when this process was last done with the feed; None before its first cycle, which waits
    for nobody.
    """
    holder = feed.catalog.holder(feed.name)
    if mine is None or (holder is None and not _is_younger(_last_success(feed), mine)):
        return
    log.info("feed.standing_by", feed=feed.name, holder=holder.who if holder else None)
    while not stop.is_set() and not _is_ours(feed, interval):
        stop.wait(feed.lease.total_seconds() / LOOKS)


def _is_ours(feed: Feed, interval: timedelta) -> bool:
    holder = feed.catalog.holder(feed.name)
    # Who died has left its cycle unfinished, whenever the last good one was.
    return holder.lapsed if holder else not _is_recent(feed, interval)


def _is_younger(success: datetime | None, mine: datetime) -> bool:
    return success is not None and success > mine


def _is_recent(feed: Feed, interval: timedelta) -> bool:
    success = _last_success(feed)
    # A success in the future is one before the clock was set back: it says nothing. For a lease's
    # time the other one comes first, since a feed that changes hands each time gains nothing.
    return success is not None and timedelta() <= feed.clock() - success < interval + feed.lease


def _last_success(feed: Feed) -> datetime | None:
    return feed.catalog.status(feed.name).last_success
