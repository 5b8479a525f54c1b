"""Listings that are gone, and listings that no search gave: both show only in the whole list of keys.

A list that is not whole is no evidence, and no word of an operator makes it one: half a list would
remove the other half.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import structlog

from service.core.guards import Guard, plan_removals
from service.core.photos import Pin
from service.core.plan import remove_listing
from service.core.ports import CHANGES, KeySnapshot
from service.ingest.feed import Feed
from service.ingest.listings import apply_commit
from service.ingest.report import Report
from service.ingest.watch import Watch

log = structlog.get_logger()

KEYS_AT, MISSED = "keys.at", "keys.missed"
"""Marks in the catalog: when keys were last compared, which keys no search gave."""


def compare_keys(feed: Feed, report: Report, watch: Watch) -> None:
    """Remove what is gone, as far as the guards let it go, unless that was done a short while ago."""
    last = feed.catalog.mark(feed.name, KEYS_AT)
    # A time that is still to come was written before the clock was set back.
    recent = last and timedelta() <= watch.now - datetime.fromisoformat(last) < feed.keys_interval
    if recent and not watch.allowed:
        return
    known = feed.catalog.known_keys(feed.name)
    snapshot = _snapshot(feed, known)
    if not snapshot.complete:
        _stop(report, watch, Guard.KEYS, f"the list of keys is not complete: {snapshot.why}")
        return
    watch.lift(Guard.KEYS)
    pinned = feed.catalog.pinned(feed.name)
    removals = plan_removals(
        known - pinned.keys(),
        snapshot.keys,
        share=feed.purge_share,
        lost=watch.lost.listings_gone,
        allowed=watch.allowed,
    )
    if removals.why:
        _stop(report, watch, Guard.LISTINGS, f"{removals.why} ({watch.way_out})")
        return
    watch.lift(Guard.LISTINGS)
    _remove(feed, report, removals.keys)
    _unpin(feed, pinned, snapshot)
    _look_for_missed(feed, snapshot, known)
    feed.catalog.set_mark(feed.name, KEYS_AT, watch.now.isoformat())


def _stop(report: Report, watch: Watch, guard: Guard, why: str) -> None:
    why = f"no listing was removed: {why}"
    watch.hold(guard, why)
    report.hold(why)


def _snapshot(feed: Feed, known: frozenset[str]) -> KeySnapshot:
    """All keys. What two scans in a row did not find is gone; one alone may miss keys that moved (Q65)."""
    one = feed.source.keys()
    if not (one.complete and one.paged and known - one.keys):
        return one
    other = feed.source.keys()
    return replace(other, keys=one.keys | other.keys)


def _remove(feed: Feed, report: Report, keys: frozenset[str]) -> None:
    stored_sets = feed.catalog.stored_sets(feed.name, keys)
    # Who undeletes a listing while it is being removed is right.
    pinned = {key for key, stored in stored_sets.items() if stored.pin}
    feed.catalog.unowe(feed.name, keys - pinned)
    for key in stored_sets.keys() - pinned:
        apply_commit(feed, report, remove_listing(stored_sets[key]))
        report.add(listings_removed=1)
        log.info("listing.removed", feed=feed.name, listing=key, photos=len(stored_sets[key].photos))


def _unpin(feed: Feed, pinned: Mapping[str, Pin], snapshot: KeySnapshot) -> None:
    """A listing that was brought back as a whole is the feed's again; photos are known only by a record."""
    back = [key for key, pin in pinned.items() if pin is Pin.LISTING and key in snapshot.keys]
    feed.catalog.unpin(feed.name, back)
    for key in back:
        log.info("listing.unpinned", feed=feed.name, listing=key)


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
