"""Step 5 of the commit order: objects that no set needs are deleted when their grace period is over.

It runs inside the feed's own cycle, so no listing of the feed is being written meanwhile.
"""

from service.ingest.feed import Feed
from service.ingest.report import Report

BATCH = 1000
"""Keys per multi-object delete: S3's own limit."""


def sweep(feed: Feed, report: Report) -> None:
    """Delete what is due. Killed in between, it deletes the same keys again, which is harmless."""
    while keys := feed.catalog.due_deletions(feed.name, feed.clock(), BATCH):
        feed.store.delete(keys)
        feed.catalog.deleted(feed.name, keys)
        report.add(swept=len(keys))
