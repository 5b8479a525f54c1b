"""The catalog on SQLite or PostgreSQL: one transaction per call, and no query per photo.

SQLite has one writer at a time, so writers of this process take turns in a lock, which is fair and
quick; writers of other processes wait in SQLite itself.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from threading import Lock
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Row

from parsers.records import ListingState
from service.core.photos import StoredSet, listing_prefix
from service.core.plan import Commit
from service.core.ports import FeedStatus, Owed
from service.errors import ConfigError, RetryLater
from service.stores import migrations
from service.stores import statements as sql
from service.stores.databases import MIGRATE_HINT, database_verdicts, make_engine
from service.stores.rows import (
    changed_rows,
    event_detail,
    event_kind,
    photos_by_listing,
    read_state,
    state_text,
)

_Row: TypeAlias = Row[*tuple[Any, ...]]

KEYS_PER_QUERY = 500
"""Far below every database's bound on parameters, and past the point where a query's cost shows."""

ROWS_AT_ONCE = 1000
"""Photo rows fetched at a time."""

EVENTS_KEPT = 50_000
"""Per feed. A number and not an age, so that the bound holds through a feed's worst day: about 10 MB."""

RUNS_KEPT = 5_000
"""Per feed: some weeks of runs every quarter of an hour."""


def open_catalog(url: str, password: str | None = None, *, migrate: bool) -> "SqlCatalog":
    """The catalog at an SQLAlchemy URL. ConfigError when it cannot be used.

    A catalog in SQLite is this program's own file and migrates by itself. Elsewhere a pending
    migration is an error unless `migrate` is set: several versions may share that database.
    """
    engine = make_engine(url, password)
    try:
        with database_verdicts(engine):
            if migrate or engine.dialect.name == "sqlite":
                migrations.upgrade(engine)
            else:
                _expect_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlCatalog(engine)


def migrate(url: str, password: str | None = None) -> None:
    """Bring the catalog's schema up to date."""
    open_catalog(url, password, migrate=True).close()


def _expect_current(engine: Engine) -> None:
    with engine.connect() as connection:
        if not migrations.is_current(connection):
            raise ConfigError("catalog.url: a migration is pending", hint=MIGRATE_HINT)


class SqlCatalog:
    """Implements `Catalog` (service/core/ports.py); any thread may call it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(begin="IMMEDIATE")
        self._upserts = sql.upserts(engine.dialect.name)
        one_writer = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = Lock() if one_writer else nullcontext()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_verdicts(self._engine), self._engine.connect() as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with database_verdicts(self._engine), self._turn, self._writer.begin() as db:
            yield db

    # Marks.

    def mark(self, feed: str, clock: str) -> str | None:
        """The raw text kept under a clock."""
        with self._reading() as db:
            return db.execute(sql.GET_MARK, {"of_feed": feed, "of_clock": clock}).scalar()

    def set_mark(self, feed: str, clock: str, value: str) -> None:
        """Keep a raw mark."""
        with self._writing() as db:
            self._set_mark(db, feed, clock, value)

    def _set_mark(self, db: Connection, feed: str, clock: str, value: str) -> None:
        db.execute(self._upserts.mark, {"feed": feed, "clock": clock, "value": value})

    # Sets.

    def stored_sets(self, feed: str, keys: Iterable[str]) -> dict[str, StoredSet]:
        """The stored sets of these listings, those that exist; two queries per 500 keys."""
        found: dict[str, StoredSet] = {}
        with self._reading() as db:
            for chunk in _chunks(keys):
                rows = db.execute(sql.SETS_BY_KEY, {"of_feed": feed, "of_keys": chunk}).all()
                found |= {stored.key: stored for stored in _read_sets(db, rows)}
        return found

    def known_keys(self, feed: str) -> frozenset[str]:
        """Listings that are stored and not gone, or owed."""
        with self._reading() as db:
            return frozenset(db.execute(sql.KNOWN_KEYS, {"of_feed": feed}).scalars())

    def commit(self, feed: str, commit: Commit, now: datetime, sweep_after: datetime) -> None:
        """Step 2 of the commit order, in one transaction.

        RetryLater when another process has committed the listing since `commit.before` was read.
        """
        key = commit.after.key
        with self._writing() as db:
            if commit.changed:
                self._keep_set(db, feed, commit, now)
                db.execute(sql.ADD_EVENT, _event_row(feed, commit, now))
            self._keep_deletions(db, feed, commit, sweep_after)
            if commit.settled:
                db.execute(sql.UNOWE, {"of_feed": feed, "of_keys": [key]})

    def _keep_set(self, db: Connection, feed: str, commit: Commit, now: datetime) -> None:
        before, after = commit.before, commit.after
        listing_id = self._keep_listing(db, feed, commit, now)
        if len(after.photos) < len(before.photos):
            db.execute(sql.CUT_PHOTOS, {"of_listing": listing_id, "from_position": len(after.photos)})
        if rows := changed_rows(listing_id, before.photos, after.photos):
            db.execute(self._upserts.photo, rows)

    def _keep_listing(self, db: Connection, feed: str, commit: Commit, now: datetime) -> int:
        before, after = commit.before, commit.after
        values = {
            "generation": after.generation,
            "stamp": after.stamp,
            "gone": after.gone,
            "updated": now,
            "photo_count": len(after.photos),
        }
        if before.generation == 0:
            new = {"feed": feed, "key": after.key, "manifest_generation": 0, **values}
            listing_id = db.execute(self._upserts.new_listing, new).scalar()
        else:
            at = {"of_feed": feed, "of_key": after.key, "of_generation": before.generation}
            listing_id = db.execute(sql.MOVE_LISTING, {**at, **values}).scalar()
        # Only the difference is written, so it must be a difference to what is really stored.
        if listing_id is None:
            raise RetryLater("its stored set changed in the meantime", feed=feed, listing=after.key)
        return listing_id

    def _keep_deletions(self, db: Connection, feed: str, commit: Commit, due_at: datetime) -> None:
        prefix = listing_prefix(feed, commit.after.key)
        if needed := [prefix + name for name in commit.after.names]:
            db.execute(sql.FORGET_DELETIONS, {"of_feed": feed, "of_keys": needed})
        if commit.dropped:
            rows = [
                {"feed": feed, "object_key": prefix + name, "due_at": due_at}
                for name in sorted(commit.dropped)
            ]
            db.execute(self._upserts.deletion, rows)

    def manifests_due(self, feed: str, limit: int) -> list[StoredSet]:
        """Sets, gone ones included, whose manifest is not yet written at their generation."""
        with self._reading() as db:
            rows = db.execute(sql.SETS_DUE, {"of_feed": feed, "at_most": limit}).all()
            return _read_sets(db, rows)

    def manifest_written(self, feed: str, key: str, generation: int) -> None:
        """Step 4. Ignored when the generation has moved on."""
        with self._writing() as db:
            at = {"of_feed": feed, "of_key": key, "of_generation": generation}
            db.execute(sql.MANIFEST_WRITTEN, at)

    # What is owed.

    def owe(self, feed: str, said: Sequence[ListingState], cursor: str | None, now: datetime) -> None:
        """Queue listings, and move the `changes` mark, in one transaction."""
        rest = {"feed": feed, "attempts": 0, "due_at": now, "parked": False, "why": ""}
        # One page may name a listing twice; its last word counts.
        rows = [
            {"listing": state.key, "said": state_text(state), **rest}
            for state in {state.key: state for state in said}.values()
        ]
        with self._writing() as db:
            if rows:
                db.execute(self._upserts.owed, rows)
            if cursor is not None:
                self._set_mark(db, feed, "changes", cursor)

    def owed(self, feed: str, now: datetime, limit: int) -> list[Owed]:
        """Listings due at `now`, parked ones included when their time has come; oldest due first."""
        with self._reading() as db:
            at = {"of_feed": feed, "at": now, "at_most": limit}
            return [_owed(row) for row in db.execute(sql.OWED_DUE, at)]

    def parked(self, feed: str) -> list[Owed]:
        """Parked listings with their reasons, by key."""
        with self._reading() as db:
            return [_owed(row) for row in db.execute(sql.OWED_PARKED, {"of_feed": feed})]

    def postpone(self, feed: str, key: str, *, why: str, due_at: datetime, parked: bool) -> None:
        """One more failed attempt for an owed listing."""
        changed = {"why": _storable(why), "due_at": due_at, "parked": parked}
        with self._writing() as db:
            db.execute(sql.POSTPONE, {"of_feed": feed, "of_key": key, **changed})

    def unowe(self, feed: str, keys: Iterable[str]) -> None:
        """Nothing is owed any more."""
        with self._writing() as db:
            for chunk in _chunks(keys):
                db.execute(sql.UNOWE, {"of_feed": feed, "of_keys": chunk})

    # Deletions.

    def due_deletions(self, feed: str, now: datetime, limit: int) -> list[str]:
        """Object keys whose grace period has passed, oldest due first."""
        with self._reading() as db:
            at = {"of_feed": feed, "at": now, "at_most": limit}
            return list(db.execute(sql.DELETIONS_DUE, at).scalars())

    def deleted(self, feed: str, keys: Iterable[str]) -> None:
        """These objects are gone; forget them."""
        with self._writing() as db:
            for chunk in _chunks(keys):
                db.execute(sql.FORGET_DELETIONS, {"of_feed": feed, "of_keys": chunk})

    # Runs.

    def run_started(self, feed: str, now: datetime) -> int:
        """A new run; returns its number."""
        with self._writing() as db:
            run: int = db.execute(sql.START_RUN, {"feed": feed, "started": now}).scalar_one()
            return run

    def run_ended(self, run: int, now: datetime, counts: Mapping[str, int], error: str | None) -> None:
        """The run's counts, and its error when it failed. The feed's old runs and events go."""
        text = None if error is None else _storable(error)
        ended = {"ended": now, "counts": json.dumps(dict(counts)), "error": text}
        with self._writing() as db:
            feed = db.execute(sql.END_RUN, {"of_run": run, **ended}).scalar_one()
            db.execute(sql.PRUNE_EVENTS, {"of_feed": feed, "keep": EVENTS_KEPT})
            db.execute(sql.PRUNE_RUNS, {"of_feed": feed, "keep": RUNS_KEPT})

    def status(self, feed: str) -> FeedStatus:
        """For `status`. `owed` counts every owed listing, `parked` those of them that are parked."""
        at = {"of_feed": feed}
        with self._reading() as db:
            listings, photos = db.execute(sql.COUNT_LISTINGS, at).one()
            owed, parked = db.execute(sql.COUNT_OWED, at).one()
            return FeedStatus(
                feed=feed,
                cursor=db.execute(sql.GET_MARK, {**at, "of_clock": "changes"}).scalar(),
                listings=listings,
                photos=photos,
                owed=owed,
                parked=parked,
                last_started=db.execute(sql.LAST_STARTED, at).scalar(),
                last_success=db.execute(sql.LAST_SUCCESS, at).scalar(),
                last_error=db.execute(sql.LAST_ERROR, at).scalar(),
            )


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    every = list(keys)
    for start in range(0, len(every), KEYS_PER_QUERY):
        yield every[start : start + KEYS_PER_QUERY]


def _read_sets(db: Connection, rows: Sequence[_Row]) -> list[StoredSet]:
    if not rows:
        return []
    # Rows are turned into photos some at a time: one by one each costs a call through three layers,
    # and all of them at once double the collector's work.
    came = db.execute(sql.PHOTOS_OF, {"of_listings": [row.id for row in rows]}).partitions(ROWS_AT_ONCE)
    photos = photos_by_listing(row for some in came for row in some)
    return [
        StoredSet(key, generation, stamp, tuple(photos.get(id_, ())), gone, updated)
        for id_, key, generation, stamp, gone, updated in rows
    ]


def _owed(row: _Row) -> Owed:
    said, attempts, due_at, parked, why = row
    return Owed(read_state(said), attempts, due_at, parked, why)


def _event_row(feed: str, commit: Commit, now: datetime) -> dict[str, Any]:
    return {
        "feed": feed,
        "listing": commit.after.key,
        "at": now,
        "kind": event_kind(commit),
        "detail": event_detail(commit),
    }


def _storable(text: str) -> str:
    """Diagnostics may quote anything; no database takes NUL or half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
