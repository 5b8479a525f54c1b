"""What a feed owes, worked off request by request, within a budget of failures."""

import threading
from collections.abc import Iterator
from datetime import datetime

import structlog

from parsers.records import ListingState
from service.core.guards import Guard
from service.core.photos import StoredSet
from service.core.ports import Owed
from service.core.schedule import Budget
from service.errors import RetryLater, StopFeed
from service.ingest.batches import in_requests
from service.ingest.feed import Feed
from service.ingest.listings import ListingWork, sync_listings, wait_for
from service.ingest.report import Report
from service.ingest.watch import Watch

log = structlog.get_logger()

BATCH = 200
"""Owed listings taken at a time: their states are in memory, and the uploaders idle only at its end."""


def work_off(feed: Feed, report: Report, watch: Watch, stop: threading.Event) -> None:
    """Every listing that is due. Each ends committed or postponed beyond `watch.now`, so this ends too."""
    budget = Budget(in_a_row=1) if watch.breaker.on_trial else Budget()
    # An operator's word is about what came, and not about what may come now.
    if not (watch.allowed or feed.rules.described):
        _ask_again(feed, watch.now)
    while not stop.is_set() and (owed := feed.catalog.owed(feed.name, watch.now, BATCH)):
        begun: list[ListingWork] = []
        try:
            for works in _requests(feed, report, watch, owed):
                if stop.is_set():
                    break
                begun += works
                failure = sync_listings(works, feed)
                budget = budget.spent(failed=failure is not None)
                if failure and budget.why:
                    raise RetryLater(f"{budget.why}: {failure.what}", feed=feed.name, after=failure.after)
        finally:
            wait_for(begun)


def _requests(feed: Feed, report: Report, watch: Watch, owed: list[Owed]) -> Iterator[list[ListingWork]]:
    """What is owed, by the requests in which it is asked for; one by one once the feed refused several."""
    stored = feed.catalog.stored_sets(feed.name, [item.said.key for item in owed])
    report.add(retried=sum(item.attempts > 0 for item in owed))
    said = _described(feed, owed)

    def work(item: Owed) -> ListingWork:
        key = item.said.key
        return ListingWork(feed, report, item, stored.get(key, StoredSet(key)), watch, said=said.get(key))

    works = map(work, owed)
    for request in in_requests(works, feed.batch_listings, feed.batch_objects):
        yield from [request] if feed.source.takes_several else [[work] for work in request]


def _described(feed: Feed, owed: list[Owed]) -> dict[str, ListingState]:
    """What the records of listings say now, where what is owed holds only that they changed.

    Those that failed before are asked for too: the URLs of their photos may be too old (X1). Nothing
    of this is written down: whoever comes after a crash asks again.
    """
    keys = [item.said.key for item in owed if item.said.photos is None or item.attempts]
    if not (feed.rules.described and keys):
        return {}
    return {said.key: said for said in feed.source.records(keys)}


def _ask_again(feed: Feed, now: datetime) -> None:
    """Records that disagreed with themselves, or with what came, are asked for anew.

    No search gives them again as long as the listing does not change, and the kept record would be
    wrong for ever. A server that does not take such a question leaves us with what we have.
    """
    owed = feed.catalog.owed(feed.name, now, BATCH)
    kept = {item.said.key: item.said for item in owed if item.guard == Guard.COUNT}
    if not kept:
        return
    try:
        fresh = [said for said in feed.source.records(list(kept)) if said.key in kept]
    except (RetryLater, StopFeed) as error:
        log.warning("record.not_asked_again", feed=feed.name, listings=len(kept), error=str(error))
        return
    feed.catalog.owe(feed.name, fresh, None, now)
