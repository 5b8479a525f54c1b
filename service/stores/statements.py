"""The catalog's SQL, each statement built once: building costs more than running most of them.

`upserts` is spelled per database, since "insert or update" is in no common SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Table, bindparam, case, delete, func, insert, select, union, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Delete, Insert, ReturningInsert

from service.stores.tables import (
    breakers,
    deletions,
    events,
    holds,
    kept_sets,
    leases,
    links,
    listings,
    manifest_is_due,
    marks,
    owed,
    photos,
    pins,
    runs,
)

_feed: BindParameter[str] = bindparam("of_feed")
_key: BindParameter[str] = bindparam("of_key")
_keys: BindParameter[list[str]] = bindparam("of_keys", expanding=True)
_generation: BindParameter[int] = bindparam("of_generation")
_now: BindParameter[datetime] = bindparam("at")
_limit: BindParameter[int] = bindparam("at_most")

GET_MARK = select(marks.c.value).where(marks.c.feed == _feed, marks.c.clock == bindparam("of_clock"))

_SETS = (
    select(
        listings.c.id,
        listings.c.key,
        listings.c.generation,
        listings.c.stamp,
        links.c.links,
        listings.c.gone,
        listings.c.updated,
        pins.c.kind,
    )
    .outerjoin(pins, (pins.c.feed == listings.c.feed) & (pins.c.listing == listings.c.key))
    .outerjoin(links, links.c.listing_id == listings.c.id)
)
SETS_BY_KEY = _SETS.where(listings.c.feed == _feed, listings.c.key.in_(_keys))
SETS_DUE = _SETS.where(listings.c.feed == _feed, manifest_is_due).order_by(listings.c.id).limit(_limit)
PHOTOS_OF = (
    select(photos.c.listing_id, *list(photos.c)[2:])
    .where(photos.c.listing_id.in_(bindparam("of_listings", expanding=True)))
    .order_by(photos.c.listing_id, photos.c.position)
)
FORGET_LINKS = delete(links).where(links.c.listing_id == bindparam("of_listing"))
KNOWN_KEYS = union(
    select(listings.c.key).where(listings.c.feed == _feed, ~listings.c.gone),
    select(owed.c.listing).where(owed.c.feed == _feed),
)

MOVE_LISTING = (
    update(listings)
    .where(listings.c.feed == _feed, listings.c.key == _key, listings.c.generation == _generation)
    .returning(listings.c.id)
)
MANIFEST_WRITTEN = update(listings).where(listings.c.feed == _feed, listings.c.key == _key)
CUT_PHOTOS = delete(photos).where(
    photos.c.listing_id == bindparam("of_listing"), photos.c.position >= bindparam("from_position")
)

_OWED = select(
    owed.c.said, owed.c.attempts, owed.c.due_at, owed.c.parked, owed.c.why, owed.c.evidence, owed.c.guard
)
OWED_DUE = (
    _OWED.where(owed.c.feed == _feed, owed.c.due_at <= _now)
    .order_by(owed.c.due_at, owed.c.listing)
    .limit(_limit)
)
OWED_PARKED = _OWED.where(owed.c.feed == _feed, owed.c.parked).order_by(owed.c.listing)
POSTPONE = (
    update(owed).where(owed.c.feed == _feed, owed.c.listing == _key).values(attempts=owed.c.attempts + 1)
)
UNOWE = delete(owed).where(owed.c.feed == _feed, owed.c.listing.in_(_keys))
SETTLE = delete(owed).where(owed.c.feed == _feed, owed.c.listing == _key, owed.c.said == bindparam("of_said"))
RETRY = update(owed).where(owed.c.feed == _feed).values(attempts=0, due_at=_now, parked=False)
RETRY_ONE = RETRY.where(owed.c.listing == _key)
RETRY_HELD = RETRY.where(owed.c.guard == bindparam("of_guard"))
OWED_LATER = update(owed).where(owed.c.feed == _feed, owed.c.due_at > _now).values(due_at=_now)
COUNT_HELD = (
    select(owed.c.guard, func.count(), func.sum(owed.c.loses))
    .where(owed.c.feed == _feed, owed.c.guard != "")
    .group_by(owed.c.guard)
)

DELETIONS_DUE = (
    select(deletions.c.object_key)
    .where(deletions.c.feed == _feed, deletions.c.due_at <= _now)
    .order_by(deletions.c.due_at, deletions.c.object_key)
    .limit(_limit)
)
FORGET_DELETIONS = delete(deletions).where(deletions.c.feed == _feed, deletions.c.object_key.in_(_keys))

# An object may be swept before its time, when delete_after was shortened; no set may outlive it.
SHORTEN_KEPT = (
    update(kept_sets)
    .where(kept_sets.c.feed == _feed, kept_sets.c.listing == _key, kept_sets.c.until > bindparam("due"))
    .values(until=bindparam("due"))
)
FORGET_KEPT = delete(kept_sets).where(kept_sets.c.feed == _feed, kept_sets.c.until <= _now)
KEPT = (
    select(kept_sets.c.listing, kept_sets.c.generation, kept_sets.c.photo_count, kept_sets.c.until)
    .where(kept_sets.c.feed == _feed)
    .order_by(kept_sets.c.listing, kept_sets.c.generation.desc())
)
TAKE_KEPT = (
    delete(kept_sets)
    .where(
        kept_sets.c.feed == _feed,
        kept_sets.c.listing == _key,
        kept_sets.c.generation == _generation,
        kept_sets.c.until > _now,
    )
    .returning(kept_sets.c.kept)
)
NEWEST_KEPT = select(func.max(kept_sets.c.generation)).where(
    kept_sets.c.feed == _feed, kept_sets.c.listing == _key
)
PINS = select(pins.c.listing, pins.c.kind).where(pins.c.feed == _feed)
UNPIN = delete(pins).where(pins.c.feed == _feed, pins.c.listing.in_(_keys))

_first_kept = (
    select(kept_sets.c.listing, func.min(kept_sets.c.generation).label("generation"))
    .where(kept_sets.c.feed == _feed, kept_sets.c.replaced > bindparam("since"))
    .group_by(kept_sets.c.listing)
    .subquery()
)
_shrunk = ~listings.c.gone & (kept_sets.c.photo_count > listings.c.photo_count)
LOSSES = (
    select(
        func.coalesce(func.sum(case((_shrunk, kept_sets.c.photo_count - listings.c.photo_count))), 0),
        func.count().filter(_shrunk),
        func.count().filter(listings.c.gone),
    )
    .select_from(kept_sets)
    .join(
        _first_kept,
        (kept_sets.c.listing == _first_kept.c.listing) & (kept_sets.c.generation == _first_kept.c.generation),
    )
    .join(listings, (listings.c.feed == kept_sets.c.feed) & (listings.c.key == kept_sets.c.listing))
    .where(kept_sets.c.feed == _feed)
)

DELETIONS_LATER = update(deletions).where(deletions.c.feed == _feed, deletions.c.due_at > _now)
KEPT_LATER = update(kept_sets).where(kept_sets.c.feed == _feed, kept_sets.c.until > _now)

HOLDS = (
    select(holds.c.feed, holds.c.guard, holds.c.why, holds.c.since)
    .where(holds.c.feed == _feed)
    .order_by(holds.c.since, holds.c.guard)
)
LIFT = delete(holds).where(holds.c.feed == _feed, holds.c.guard == bindparam("of_guard"))
BREAKER = select(breakers.c.failures, breakers.c.until, breakers.c.stopped, breakers.c.why).where(
    breakers.c.feed == _feed
)
CLOSE_BREAKER = delete(breakers).where(breakers.c.feed == _feed)

ADD_EVENT = insert(events)
START_RUN = insert(runs).returning(runs.c.id)
END_RUN = update(runs).where(runs.c.id == bindparam("of_run")).returning(runs.c.feed)

COUNT_LISTINGS = select(func.count(), func.coalesce(func.sum(listings.c.photo_count), 0)).where(
    listings.c.feed == _feed, ~listings.c.gone
)
COUNT_OWED = select(func.count(), func.count().filter(owed.c.parked)).where(owed.c.feed == _feed)
LAST_STARTED = select(func.max(runs.c.started)).where(runs.c.feed == _feed)
FIRST_STARTED = select(func.min(runs.c.started)).where(runs.c.feed == _feed)
LAST_SUCCESS = select(func.max(runs.c.ended)).where(runs.c.feed == _feed, runs.c.error.is_(None))
LAST_SEEN = (
    select(func.coalesce(runs.c.ended, runs.c.started))
    .where(runs.c.feed == _feed)
    .order_by(runs.c.id.desc())
    .limit(1)
)
LAST_ERROR = (
    select(runs.c.error)
    .where(runs.c.feed == _feed, runs.c.ended.is_not(None))
    .order_by(runs.c.id.desc())
    .limit(1)
)

LEASE = select(leases.c.token, leases.c.holder, leases.c.taken, leases.c.renewed, leases.c.seconds).where(
    leases.c.feed == _feed
)
# Whoever writes under a lease right now is alive, whatever the clock says: its row is not seen here.
LEASE_TO_TAKE = LEASE.with_for_update(skip_locked=True)
_is_lease = (leases.c.feed == _feed) & (leases.c.token == bindparam("of_token"))
# KEY SHARE keeps the row from being taken over until the transaction ends, and lets the heartbeat by.
FENCE = select(leases.c.feed).where(_is_lease).with_for_update(read=True, key_share=True)
RENEW_LEASE = update(leases).where(_is_lease).values(renewed=_now)
END_LEASE = delete(leases).where(_is_lease)


def prune(journal: Table) -> Delete:
    """Deletes all but the newest `keep` rows of a feed."""
    newest = select(journal.c.id).where(journal.c.feed == _feed).order_by(journal.c.id.desc())
    first_old = newest.limit(1).offset(bindparam("keep")).scalar_subquery()
    return delete(journal).where(journal.c.feed == _feed, journal.c.id <= first_old)


PRUNE_EVENTS, PRUNE_RUNS = prune(events), prune(runs)


@dataclass(frozen=True, slots=True)
class Upserts:
    """Inserts that meet an existing row, spelled for one database."""

    mark: Insert
    new_listing: ReturningInsert[int]
    photo: Insert
    links: Insert
    deletion: Insert
    owed: Insert
    kept_set: Insert
    pin: Insert
    hold: Insert
    breaker: Insert
    lease: ReturningInsert[str]


@cache
def upserts(database: str) -> Upserts:
    """For `sqlite` or `postgresql`."""
    owe = _into(database, owed)
    return Upserts(
        mark=_replace(database, marks),
        new_listing=_into(database, listings).on_conflict_do_nothing().returning(listings.c.id),
        photo=_replace(database, photos),
        links=_replace(database, links),
        deletion=_replace(database, deletions),
        kept_set=_replace(database, kept_sets),
        pin=_replace(database, pins),
        hold=_replace(database, holds, keeping=("since",)),
        breaker=_replace(database, breakers),
        # An equal state keeps its attempts, due time and parking.
        owed=owe.on_conflict_do_update(
            index_elements=list(owed.primary_key),
            set_=_news(owe, owed),
            where=owed.c.said != owe.excluded.said,
        ),
        lease=_into(database, leases).on_conflict_do_nothing().returning(leases.c.feed),
    )


def _into(database: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if database == "sqlite" else postgresql.insert(table)


def _replace(database: str, table: Table, keeping: Sequence[str] = ()) -> Insert:
    made = _into(database, table)
    return made.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=_news(made, table, keeping)
    )


def _news(
    made: sqlite.Insert | postgresql.Insert, table: Table, keeping: Sequence[str] = ()
) -> dict[str, Any]:
    """Every column that is neither part of the key nor to be kept as it is."""
    return {
        column.name: made.excluded[column.name]
        for column in table.c
        if not column.primary_key and column.name not in keeping
    }
