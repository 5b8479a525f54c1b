"""One look at one feed: finish what was left, gather what changed, work it off, remove, sweep.

Gathering writes down every listing that is not as the feed says (`owe`) together with the cursor,
in one transaction; from then on the work survives any crash, and the cursor never has to go back.
"""

import threading
import time
from datetime import datetime, timedelta

import structlog

from parsers.records import ListingState
from service.core.photos import StoredSet
from service.core.plan import Commit, FeedRules, plan_listing, settle
from service.core.ports import CHANGES, Page
from service.core.schedule import Breaker
from service.errors import FeedBusy, RetryLater, ServiceError, StopFeed
from service.ingest.backlog import work_off
from service.ingest.feed import Feed
from service.ingest.listings import write_manifest
from service.ingest.removals import compare_keys
from service.ingest.report import Report
from service.ingest.sweep import sweep
from service.ingest.tenure import working_on
from service.ingest.watch import Watch

log = structlog.get_logger()

BATCH = 200
"""Manifests written at a time: their sets are in memory."""


def run_cycle(
    feed: Feed,
    report: Report,
    stop: threading.Event,
    *,
    allow_purge: bool = False,
    patience: timedelta = timedelta(),
) -> Report:
    """One cycle. An expected failure ends in the report, not in an exception.

    It waits with `patience` for another process to be done with the feed, then for a session of its
    account; when it is stopped meanwhile, nothing has happened. The lease comes first: who has a
    session never waits for one, so two processes cannot wait for each other.
    """
    try:
        with working_on(feed, stop, patience=patience) as mine, feed.account.session(stop) as admitted:
            if mine and admitted:
                _run(mine, report, stop, allow_purge=allow_purge)
    except FeedBusy as error:
        report.error, report.stopped = str(error), error
    return report


def _run(feed: Feed, report: Report, stop: threading.Event, *, allow_purge: bool) -> None:
    started, clock = feed.clock(), time.monotonic()
    watch = Watch(feed, report, started, allow_purge=allow_purge)
    watch.begin()
    run = feed.catalog.run_started(feed.name, started)
    try:
        _work_through(feed, report, watch, stop)
        if watch.breaker != Breaker():
            feed.catalog.set_breaker(feed.name, Breaker())
    except ServiceError as error:
        report.error = str(error)
        report.stopped = error
        if not stop.is_set():  # a transfer that was cut on purpose is no failure of the server
            _trip(feed, watch.breaker, error)
    finally:
        report.seconds = time.monotonic() - clock
        feed.catalog.run_ended(run, feed.clock(), report.snapshot(), report.error)
    _say(feed, report)


def _work_through(feed: Feed, report: Report, watch: Watch, stop: threading.Event) -> None:
    _finish_manifests(feed, report)
    try:
        feed.source.open()
        _gather(feed, report, stop, watch.now)
        work_off(feed, report, watch, stop)
        if not stop.is_set():
            compare_keys(feed, report, watch)
            watch.end()
    finally:
        feed.source.close()
    sweep(feed, report)


def _trip(feed: Feed, breaker: Breaker, error: ServiceError) -> None:
    """Errors of the feed name it; those of the catalog and the store do not, and are not its fault."""
    if error.feed is None or not isinstance(error, RetryLater | StopFeed):
        return
    if isinstance(error, StopFeed):
        breaker = breaker.stop(error.what)
    else:
        breaker = breaker.failed(error.what, feed.clock(), feed.jitter(), error.after)
    feed.catalog.set_breaker(feed.name, breaker)
    until = breaker.until.isoformat() if breaker.until else None
    log.warning("feed.failed", feed=feed.name, failures=breaker.failures, until=until, error=error.what)


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
            report.add(unchanged=commit.tally.unchanged, avoided=commit.tally.unchanged)
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
    current = isinstance(commit, Commit) and commit.settled and not commit.changed
    # What was undeleted is settled by a commit, even of nothing, since that ends its pin.
    return commit if isinstance(commit, Commit) and current and not stored.pin else None


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
