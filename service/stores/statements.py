"""The catalog's SQL, each statement built once: building costs more than running most of them.

`upserts` is spelled per database, since "insert or update" is in no common SQL.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Table, bindparam, delete, func, insert, select, union, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Delete, Insert, ReturningInsert

from service.stores.tables import (
    deletions,
    events,
    listings,
    manifest_is_due,
    marks,
    owed,
    photos,
    runs,
)

_feed: BindParameter[str] = bindparam("of_feed")
_key: BindParameter[str] = bindparam("of_key")
_keys: BindParameter[list[str]] = bindparam("of_keys", expanding=True)
_generation: BindParameter[int] = bindparam("of_generation")
_now: BindParameter[datetime] = bindparam("at")
_limit: BindParameter[int] = bindparam("at_most")

GET_MARK = select(marks.c.value).where(marks.c.feed == _feed, marks.c.clock == bindparam("of_clock"))

_SETS = select(
    listings.c.id,
    listings.c.key,
    listings.c.generation,
    listings.c.stamp,
    listings.c.gone,
    listings.c.updated,
)
SETS_BY_KEY = _SETS.where(listings.c.feed == _feed, listings.c.key.in_(_keys))
SETS_DUE = _SETS.where(listings.c.feed == _feed, manifest_is_due).order_by(listings.c.id).limit(_limit)
PHOTOS_OF = (
    select(photos.c.listing_id, *list(photos.c)[2:])
    .where(photos.c.listing_id.in_(bindparam("of_listings", expanding=True)))
    .order_by(photos.c.listing_id, photos.c.position)
)
KNOWN_KEYS = union(
    select(listings.c.key).where(listings.c.feed == _feed, ~listings.c.gone),
    select(owed.c.listing).where(owed.c.feed == _feed),
)

MOVE_LISTING = (
    update(listings)
    .where(listings.c.feed == _feed, listings.c.key == _key, listings.c.generation == _generation)
    .returning(listings.c.id)
)
MANIFEST_WRITTEN = (
    update(listings)
    .where(listings.c.feed == _feed, listings.c.key == _key, listings.c.generation == _generation)
    .values(manifest_generation=listings.c.generation)
)
CUT_PHOTOS = delete(photos).where(
    photos.c.listing_id == bindparam("of_listing"), photos.c.position >= bindparam("from_position")
)

_OWED = select(owed.c.said, owed.c.attempts, owed.c.due_at, owed.c.parked, owed.c.why)
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

DELETIONS_DUE = (
    select(deletions.c.object_key)
    .where(deletions.c.feed == _feed, deletions.c.due_at <= _now)
    .order_by(deletions.c.due_at, deletions.c.object_key)
    .limit(_limit)
)
FORGET_DELETIONS = delete(deletions).where(deletions.c.feed == _feed, deletions.c.object_key.in_(_keys))

ADD_EVENT = insert(events)
START_RUN = insert(runs).returning(runs.c.id)
END_RUN = update(runs).where(runs.c.id == bindparam("of_run")).returning(runs.c.feed)

COUNT_LISTINGS = select(func.count(), func.coalesce(func.sum(listings.c.photo_count), 0)).where(
    listings.c.feed == _feed, ~listings.c.gone
)
COUNT_OWED = select(func.count(), func.count().filter(owed.c.parked)).where(owed.c.feed == _feed)
LAST_STARTED = select(func.max(runs.c.started)).where(runs.c.feed == _feed)
LAST_SUCCESS = select(func.max(runs.c.ended)).where(runs.c.feed == _feed, runs.c.error.is_(None))
LAST_ERROR = (
    select(runs.c.error)
    .where(runs.c.feed == _feed, runs.c.ended.is_not(None))
    .order_by(runs.c.id.desc())
    .limit(1)
)


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
    deletion: Insert
    owed: Insert


@cache
def upserts(database: str) -> Upserts:
    """For `sqlite` or `postgresql`."""
    owe = _into(database, owed)
    return Upserts(
        mark=_replace(database, marks),
        new_listing=_into(database, listings).on_conflict_do_nothing().returning(listings.c.id),
        photo=_replace(database, photos),
        deletion=_replace(database, deletions),
        # An equal state keeps its attempts, due time and parking.
        owed=owe.on_conflict_do_update(
            index_elements=list(owed.primary_key),
            set_=_news(owe, owed),
            where=owed.c.said != owe.excluded.said,
        ),
    )


def _into(database: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if database == "sqlite" else postgresql.insert(table)


def _replace(database: str, table: Table) -> Insert:
    made = _into(database, table)
    return made.on_conflict_do_update(index_elements=list(table.primary_key), set_=_news(made, table))


def _news(made: sqlite.Insert | postgresql.Insert, table: Table) -> dict[str, Any]:
    return {column.name: made.excluded[column.name] for column in table.c if not column.primary_key}
