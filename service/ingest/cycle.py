"""One look at one feed: finish what was left, gather what changed, work it off, remove, sweep.

Gathering writes down every listing that is not as the feed says (`owe`) together with the cursor,
in one transaction; from then on the work survives any crash, and the cursor never has to go back.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

import structlog

from parsers.records import ListingState
from service.core.guards import plan_removals
from service.core.photos import StoredSet
from service.core.plan import Commit, FeedRules, plan_listing, remove_listing, settle
from service.core.ports import KeySnapshot, Owed, Page
from service.errors import ServiceError
from service.ingest.batches import in_requests
from service.ingest.feed import Feed
from service.ingest.listings import ListingWork, apply_commit, sync_listings, wait_for, write_manifest
from service.ingest.report import Report
from service.ingest.sweep import sweep

log = structlog.get_logger()

BATCH = 200
"""Owed listings taken at a time: their states are in memory, and the uploaders idle only at its end."""

FAILURES_IN_A_ROW = 3
"""Requests that fail one after the other before the cycle ends: the server is down, not the listing."""

CHANGES, KEYS_AT, MISSED = "changes", "keys.at", "keys.missed"
"""Marks in the catalog: the search cursor, when keys were last compared, which keys no search gave."""


def run_cycle(feed: Feed, report: Report, stop: threading.Event, *, allow_purge: bool = False) -> Report:
    """One cycle. An expected failure ends in the report, not in an exception.

    It waits for a session of its account; when it is stopped meanwhile, nothing has happened.
    """
    with feed.account.session(stop) as admitted:
        return _run(feed, report, stop, allow_purge=allow_purge) if admitted else report


def _run(feed: Feed, report: Report, stop: threading.Event, *, allow_purge: bool) -> Report:
    started, clock = feed.clock(), time.monotonic()
    run = feed.catalog.run_started(feed.name, started)
    try:
        _work_through(feed, report, stop, started, allow_purge=allow_purge)
    except ServiceError as error:
        report.error = str(error)
        report.stopped = error
    finally:
        report.seconds = time.monotonic() - clock
        feed.catalog.run_ended(run, feed.clock(), report.snapshot(), report.error)
    _say(feed, report)
    return report


def _work_through(
    feed: Feed, report: Report, stop: threading.Event, now: datetime, *, allow_purge: bool
) -> None:
    _finish_manifests(feed, report)
    try:
        feed.source.open()
        _gather(feed, report, stop, now)
        _work_off(feed, report, stop, now)
        if not stop.is_set():
            _compare_keys(feed, report, now, allow_purge=allow_purge)
    finally:
        feed.source.close()
    sweep(feed, report)


def _finish_manifests(feed: Feed, report: Report) -> None:
    """Manifests whose writing a crash or a failing store interrupted (steps 3 and 4)."""
    while due := feed.catalog.manifests_due(feed.name, BATCH):
        for stored in due:
            write_manifest(feed, report, stored)


def _gather(feed: Feed, report: Report, stop: threading.Event, now: datetime) -> None:
    for page in feed.source.changes(feed.catalog.mark(feed.name, CHANGES) or None):
        _compare(feed, report, page, now)
        if stop.is_set():
            return


def _compare(feed: Feed, report: Report, page: Page, now: datetime) -> None:
    """Queue the listings of a page that are not as the feed says."""
    stored = feed.catalog.stored_sets(feed.name, [said.key for said in page.listings])
    behind: list[ListingState] = []
    current: list[str] = []
    for said in page.listings:
        commit = nothing_to_do(said, stored.get(said.key, StoredSet(said.key)), feed.rules)
        if commit is None:
            behind.append(said)
        else:
            current.append(said.key)
            report.add(unchanged=commit.tally.unchanged)
    report.add(listings=len(page.listings))
    report.todo += len(behind)
    feed.catalog.unowe(feed.name, current)
    feed.catalog.owe(feed.name, behind, page.cursor, now)


def nothing_to_do(said: ListingState, stored: StoredSet, rules: FeedRules) -> Commit | None:
    """The empty commit of a listing that is as the feed says; None when there is work."""
    plan = plan_listing(said, stored, rules)
    if plan.ask != ():
        return None
    commit = settle(plan, {}, stored)
    return commit if isinstance(commit, Commit) and commit.settled and not commit.changed else None


def _work_off(feed: Feed, report: Report, stop: threading.Event, now: datetime) -> None:
    """Every listing that is due. Each ends committed or postponed beyond `now`, so this ends too."""
    failures = 0
    while not stop.is_set() and (owed := feed.catalog.owed(feed.name, now, BATCH)):
        begun: list[ListingWork] = []
        try:
            for works in _requests(feed, report, owed):
                if stop.is_set():
                    break
                begun += works
                failure = sync_listings(works, feed)
                failures = failures + 1 if failure else 0
                if failure and failures >= FAILURES_IN_A_ROW:
                    raise failure
        finally:
            wait_for(begun)


def _requests(feed: Feed, report: Report, owed: list[Owed]) -> Iterator[list[ListingWork]]:
    """What is owed, by the requests in which it is asked for; one by one once the feed refused several."""
    stored = feed.catalog.stored_sets(feed.name, [item.said.key for item in owed])
    works = (
        ListingWork(feed, report, item, stored.get(item.said.key, StoredSet(item.said.key))) for item in owed
    )
    for request in in_requests(works, feed.batch_listings, feed.batch_objects):
        yield from [request] if feed.source.takes_several else [[work] for work in request]


def _compare_keys(feed: Feed, report: Report, now: datetime, *, allow_purge: bool) -> None:
    """Removals, and listings that no search gave: both show only in the whole list of keys."""
    last = feed.catalog.mark(feed.name, KEYS_AT)
    if last and now - datetime.fromisoformat(last) < feed.keys_interval and not allow_purge:
        return
    known = feed.catalog.known_keys(feed.name)
    snapshot = feed.source.keys()
    if snapshot.complete and snapshot.paged and known - snapshot.keys:
        snapshot = _confirm(snapshot, feed.source.keys())
    if not snapshot.complete:
        report.held = f"no listing was removed: the list of keys is not complete: {snapshot.why}"
        return
    removals = plan_removals(known, snapshot.keys, share=feed.purge_share, allowed=allow_purge)
    if removals.why:
        report.held = f"no listing was removed: {removals.why} (once --allow-purge {feed.name} lifts this)"
        return
    _remove(feed, report, removals.keys)
    _look_for_missed(feed, snapshot, known)
    feed.catalog.set_mark(feed.name, KEYS_AT, now.isoformat())


def _confirm(one: KeySnapshot, other: KeySnapshot) -> KeySnapshot:
    """What two scans in a row did not find is gone; one alone may miss keys that moved between its pages."""
    return replace(other, keys=one.keys | other.keys)


def _remove(feed: Feed, report: Report, keys: frozenset[str]) -> None:
    feed.catalog.unowe(feed.name, keys)
    for key, stored in feed.catalog.stored_sets(feed.name, keys).items():
        apply_commit(feed, report, remove_listing(stored))
        report.add(listings_removed=1)
        log.info("listing.removed", feed=feed.name, listing=key, photos=len(stored.photos))


def _look_for_missed(feed: Feed, snapshot: KeySnapshot, known: frozenset[str]) -> None:
    """Keys that the feed has and no search ever gave: the next cycle searches from the start.

    It does so once for the same keys, since a query that leaves some out on purpose must not make
    every cycle a full one.
    """
    missed = sorted(snapshot.keys - known)
    digest = sha256("\n".join(missed).encode()).hexdigest() if missed else ""
    if digest and digest != feed.catalog.mark(feed.name, MISSED):
        feed.catalog.set_mark(feed.name, CHANGES, "")
        log.warning("keys.missed", feed=feed.name, listings=len(missed), first=missed[0])
    feed.catalog.set_mark(feed.name, MISSED, digest)


def _say(feed: Feed, report: Report) -> None:
    say = log.info if report.ok else log.warning
    say(
        "cycle.ended",
        feed=feed.name,
        cursor=feed.catalog.mark(feed.name, CHANGES),
        **report.snapshot(),
        owed=len(report.owed),
        held=report.held,
        error=report.error,
        seconds=round(report.seconds, 3),
    )
