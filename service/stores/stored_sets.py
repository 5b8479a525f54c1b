"""The part of the catalog about sets: what was last synchronised, and the commit of one listing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row

from parsers.records import ListingState
from service.core.photos import Pin, StoredSet, listing_prefix
from service.core.plan import Commit
from service.errors import RetryLater
from service.stores import statements as sql
from service.stores.catalog_database import CatalogDatabase, chunks
from service.stores.rows import (
    changed_rows,
    event_detail,
    event_kind,
    links_text,
    photos_by_listing,
    read_links,
    set_text,
    state_text,
)

_Row: TypeAlias = Row[*tuple[Any, ...]]

ROWS_AT_ONCE = 1000
"""Photo rows fetched at a time."""


class StoredSets(CatalogDatabase):
    """Stored sets, their manifests, and the objects that no set needs any more."""

    def stored_sets(self, feed: str, keys: Iterable[str]) -> dict[str, StoredSet]:
        """The stored sets of these listings, those that exist; two queries per 500 keys."""
        found: dict[str, StoredSet] = {}
        with self._reading() as db:
            for chunk in chunks(keys):
                rows = db.execute(sql.SETS_BY_KEY, {"of_feed": feed, "of_keys": chunk}).all()
                found |= {stored.key: stored for stored in read_sets(db, rows)}
        return found

    def known_keys(self, feed: str) -> frozenset[str]:
        """Listings that are stored and not gone, or owed."""
        with self._reading() as db:
            return frozenset(db.execute(sql.KNOWN_KEYS, {"of_feed": feed}).scalars())

    def commit(
        self,
        feed: str,
        commit: Commit,
        now: datetime,
        sweep_after: datetime,
        said: ListingState | None = None,
    ) -> None:
        """Step 2 of the commit order, in one transaction.

        RetryLater when another process has committed the listing since `commit.before` was read.
        """
        with self._writing() as db:
            self._make_true(db, feed, commit, now, sweep_after)
            if commit.settled:
                _settle(db, feed, commit, said)

    def _make_true(
        self,
        db: Connection,
        feed: str,
        commit: Commit,
        now: datetime,
        sweep_after: datetime,
        *,
        event: str | None = None,
    ) -> None:
        if commit.changed:
            self._keep_set(db, feed, commit, now)
            db.execute(sql.ADD_EVENT, _event_row(feed, commit, now, event or event_kind(commit)))
        self._keep_deletions(db, feed, commit, sweep_after)
        if commit.dropped:
            self._keep_before(db, feed, commit.before, now, sweep_after)

    def _keep_before(
        self, db: Connection, feed: str, before: StoredSet, now: datetime, until: datetime
    ) -> None:
        """The set that was replaced, for `undelete`: all its objects exist as long as none is swept."""
        db.execute(sql.SHORTEN_KEPT, {"of_feed": feed, "of_key": before.key, "due": until})
        row = {"feed": feed, "listing": before.key, "generation": before.generation}
        kept = {"photo_count": len(before.photos), "kept": set_text(before), "replaced": now, "until": until}
        db.execute(self._upserts.kept_set, {**row, **kept})

    def _keep_set(self, db: Connection, feed: str, commit: Commit, now: datetime) -> None:
        before, after = commit.before, commit.after
        listing_id = self._keep_listing(db, feed, commit, now)
        if len(after.photos) < len(before.photos):
            db.execute(sql.CUT_PHOTOS, {"of_listing": listing_id, "from_position": len(after.photos)})
        if rows := changed_rows(listing_id, before.photos, after.photos):
            db.execute(self._upserts.photo, rows)
        if after.links != before.links:
            self._keep_links(db, listing_id, after)

    def _keep_links(self, db: Connection, listing_id: int, stored: StoredSet) -> None:
        if stored.links:
            db.execute(self._upserts.links, {"listing_id": listing_id, "links": links_text(stored.links)})
        else:
            db.execute(sql.FORGET_LINKS, {"of_listing": listing_id})

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
            return read_sets(db, rows)

    def manifest_written(self, feed: str, key: str, generation: int) -> None:
        """Step 4: the bucket shows this generation now.

        A holder that was overtaken between its commit and here has put an old manifest over a newer
        one. So it may say that without its lease, and the manifest is due again.
        """
        with self._noting() as db:
            at = {"of_feed": feed, "of_key": key}
            db.execute(sql.MANIFEST_WRITTEN, {**at, "manifest_generation": generation})

    def due_deletions(self, feed: str, now: datetime, limit: int) -> list[str]:
        """Object keys whose grace period has passed, oldest due first.

        Whoever asks will delete them, so sets that need them are forgotten first: `undelete` either
        came before, and its objects are not due any more, or finds nothing.
        """
        with self._writing() as db:
            db.execute(sql.FORGET_KEPT, {"of_feed": feed, "at": now})
            at = {"of_feed": feed, "at": now, "at_most": limit}
            return list(db.execute(sql.DELETIONS_DUE, at).scalars())

    def deleted(self, feed: str, keys: Iterable[str]) -> None:
        """These objects are gone; forget them."""
        with self._writing() as db:
            for chunk in chunks(keys):
                db.execute(sql.FORGET_DELETIONS, {"of_feed": feed, "of_keys": chunk})


def read_sets(db: Connection, rows: Sequence[_Row]) -> list[StoredSet]:
    """The sets of these rows of `listings`, with their photos."""
    if not rows:
        return []
    # Rows are turned into photos some at a time: one by one each costs a call through three layers,
    # and all of them at once double the collector's work.
    came = db.execute(sql.PHOTOS_OF, {"of_listings": [row.id for row in rows]}).partitions(ROWS_AT_ONCE)
    photos = photos_by_listing(row for some in came for row in some)
    return [
        StoredSet(
            key,
            generation,
            stamp,
            tuple(photos.get(id_, ())),
            read_links(links),
            gone,
            updated,
            pin and Pin(pin),
        )
        for id_, key, generation, stamp, links, gone, updated, pin in rows
    ]


def _settle(db: Connection, feed: str, commit: Commit, said: ListingState | None) -> None:
    """Nothing is owed any more; a newer state that came meanwhile is."""
    key = commit.after.key
    if said is None:
        db.execute(sql.UNOWE, {"of_feed": feed, "of_keys": [key]})
    else:
        db.execute(sql.SETTLE, {"of_feed": feed, "of_key": key, "of_said": state_text(said)})
    if commit.before.pin:
        db.execute(sql.UNPIN, {"of_feed": feed, "of_keys": [key]})


def _event_row(feed: str, commit: Commit, now: datetime, kind: str) -> dict[str, Any]:
    return {
        "feed": feed,
        "listing": commit.after.key,
        "at": now,
        "kind": kind,
        "detail": event_detail(commit),
    }
