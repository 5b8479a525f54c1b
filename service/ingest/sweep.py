"""Step 5 of the commit order: objects that no set needs are deleted when their grace period is over.

It runs inside the feed's own cycle, so no listing of the feed is being written meanwhile.
"""

import structlog

from service.core.guards import STOPS_SWEEP, why_clock
from service.ingest.feed import Feed
from service.ingest.report import Report

log = structlog.get_logger()

BATCH = 1000
"""Keys per multi-object delete: S3's own limit."""


def sweep(feed: Feed, report: Report) -> None:
    """Delete what is due, unless a guard doubts the feed or the time.

    Killed in between, it deletes the same keys again, which is harmless.
    """
    if why := _why_not(feed):
        log.warning("sweep.held", feed=feed.name, why=why)
        return
    while keys := feed.catalog.due_deletions(feed.name, feed.clock(), BATCH):
        feed.store.delete(keys)
        feed.catalog.deleted(feed.name, keys)
        report.add(swept=len(keys))


def _why_not(feed: Feed) -> str:
    """The guard that holds it; also a clock that has jumped since the last cycle, where none runs."""
    holds = (hold.why for hold in feed.catalog.holds(feed.name) if hold.guard in STOPS_SWEEP)
    seen = feed.catalog.last_seen(feed.name)
    return next(holds, "") or why_clock(seen, feed.clock(), feed.delete_after)
