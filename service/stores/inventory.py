"""The part of the catalog for audits: what should be in the bucket, and rows put right from outside.

A cycle writes only the difference between two sets. Here it is not certain what the rows hold, so a
set's rows are written anew.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, insert, select, update

from parsers.records import ListingState
from service.core.photos import StoredPhoto, StoredSet, listing_prefix
from service.core.plan import Commit
from service.core.ports import Holding
from service.errors import RetryLater
from service.stores import statements as sql
from service.stores.catalog_database import KEYS_PER_QUERY, CatalogDatabase, chunks, storable
from service.stores.owed_listings import owed_row
from service.stores.rows import event_detail, links_text, photo_row, photos_by_listing, read_links
from service.stores.tables import deletions, kept_sets, links, listings, owed, photos

_Row: TypeAlias = Row[*tuple[Any, ...]]

_feed: BindParameter[str] = bindparam("of_feed")
_keys: BindParameter[list[str]] = bindparam("of_keys", expanding=True)
_listing: BindParameter[int] = bindparam("of_listing")

_OWED = select(owed.c.listing).where(owed.c.feed == _feed, owed.c.listing.in_(_keys))
_ROWS = (
    select(listings, links.c.links)
    .outerjoin(links, links.c.listing_id == listings.c.id)
    .where(listings.c.feed == _feed, listings.c.key.in_(_keys))
)
_QUEUED = select(deletions.c.object_key).where(deletions.c.feed == _feed, deletions.c.object_key.in_(_keys))
_ADD_LISTING = insert(listings).returning(listings.c.id)
_SET_LISTING = update(listings).where(listings.c.id == _listing)
_CUT_PHOTOS = delete(photos).where(photos.c.listing_id == _listing)
_OWE = insert(owed)
_FORGET_KEPT = delete(kept_sets).where(
    kept_sets.c.feed == _feed,
    kept_sets.c.listing == bindparam("of_key"),
    kept_sets.c.kept.contains(bindparam("of_sha256")),
)
_HASTEN = update(owed).where(owed.c.feed == _feed, owed.c.listing == bindparam("of_key"))


class Inventory(CatalogDatabase):
    """Implements `Books` (service/core/ports.py)."""

    def holdings(self, feed: str, found: Mapping[str, AbstractSet[str]]) -> dict[str, Holding]:
        """What the catalog says of these listings, given the names of the objects that they have.

        What is owed is read before the sets. So a listing that is not owed, and of which two readings
        are equal, was not worked on in between, whatever a database's idea of a snapshot is.
        """
        keys = [key for key in found if storable(key) == key]
        with self._reading() as db:
            behind = set(_select(db, _OWED, feed, keys))
            rows = {row.key: row for row in _rows(db, feed, keys)}
            sets = {stored.key: stored for stored in _stored(db, rows.values())}
            wanted = [
                listing_prefix(feed, key) + name
                for key in keys
                for name in (found[key] | sets[key].names if key in sets else found[key])
            ]
            queued = _names_by_prefix(_select(db, _QUEUED, feed, wanted))
        return {
            key: Holding(
                stored=sets.get(key),
                photo_count=rows[key].photo_count if key in rows else 0,
                manifest_due=key in rows and rows[key].manifest_generation != rows[key].generation,
                owed=key in behind,
                queued=frozenset(queued[listing_prefix(feed, key)]),
            )
            for key in found
        }

    def restore(self, feed: str, sets: Iterable[StoredSet], due: AbstractSet[str]) -> frozenset[str]:
        """Write sets that were read from manifests, where the catalog knows nothing newer."""
        new = {stored.key: stored for stored in sets}
        with self._writing() as db:
            rows = {row.key: row for row in _rows(db, feed, new)}
            whole = {
                stored.key
                for stored in _stored(db, rows.values())
                if len(stored.photos) == rows[stored.key].photo_count
            }
            restored = frozenset(
                key
                for key, stored in new.items()
                if key not in rows or rows[key].generation + (key in whole) <= stored.generation
            )
            for key in restored:
                values = {
                    **_values(new[key]),
                    "generation": new[key].generation + (key in due),
                    "manifest_generation": new[key].generation,
                    "updated": new[key].updated,
                }
                if key in rows:
                    listing_id = rows[key].id
                    db.execute(_SET_LISTING, {"of_listing": listing_id, **values})
                else:
                    listing_id = db.execute(_ADD_LISTING, {"feed": feed, "key": key, **values}).scalar_one()
                self._write_rows(db, feed, new[key], listing_id)
        return restored

    def distrust(
        self, feed: str, commit: Commit, said: ListingState | None, now: datetime, sweep_after: datetime
    ) -> None:
        """A set goes on without its damaged photos, and the listing is owed, in one transaction."""
        after, key = commit.after, commit.after.key
        at = {"of_feed": feed, "of_key": key, "of_generation": commit.before.generation}
        dropped = [listing_prefix(feed, key) + name for name in sorted(commit.dropped)]
        event = {"kind": "listing.damaged", "detail": event_detail(commit)}
        with self._writing() as db:
            values = {**_values(after), "updated": now}
            listing_id = db.execute(sql.MOVE_LISTING, {**at, **values}).scalar()
            if listing_id is None:
                raise RetryLater("its stored set changed in the meantime", feed=feed, listing=key)
            self._write_rows(db, feed, after, listing_id)
            self._queue(db, feed, dropped, sweep_after)
            for name in commit.dropped:  # an earlier set that needs it cannot be brought back
                sha256 = name.partition(".")[0]
                db.execute(_FORGET_KEPT, {"of_feed": feed, "of_key": key, "of_sha256": sha256})
            db.execute(sql.ADD_EVENT, {"feed": feed, "listing": key, "at": now, **event})
            if said is not None:
                _owe_now(db, feed, said, now)

    def queue_deletions(self, feed: str, keys: Collection[str], due_at: datetime) -> None:
        """These objects are needed by no set: they are deleted once they are due."""
        with self._writing() as db:
            self._queue(db, feed, keys, due_at)

    def _write_rows(self, db: Connection, feed: str, stored: StoredSet, listing_id: int) -> None:
        """All rows of a set. What it needs is not to be deleted."""
        db.execute(_CUT_PHOTOS, {"of_listing": listing_id})
        if rows := [photo_row(listing_id, position, photo) for position, photo in enumerate(stored.photos)]:
            db.execute(self._upserts.photo, rows)
        db.execute(sql.FORGET_LINKS, {"of_listing": listing_id})
        if stored.links:
            db.execute(self._upserts.links, {"listing_id": listing_id, "links": links_text(stored.links)})
        prefix = listing_prefix(feed, stored.key)
        for chunk in chunks(prefix + name for name in stored.names):
            db.execute(sql.FORGET_DELETIONS, {"of_feed": feed, "of_keys": chunk})

    def _queue(self, db: Connection, feed: str, keys: Collection[str], due_at: datetime) -> None:
        if keys:
            db.execute(
                self._upserts.deletion, [{"feed": feed, "object_key": key, "due_at": due_at} for key in keys]
            )


def _owe_now(db: Connection, feed: str, said: ListingState, now: datetime) -> None:
    """What is owed already is the feed's own and newer word: it is due at once, and stays as it is."""
    if not db.execute(_HASTEN, {"of_feed": feed, "of_key": said.key, "due_at": now}).rowcount:
        db.execute(_OWE, owed_row(feed, said, now))


def _values(stored: StoredSet) -> dict[str, Any]:
    """A set's columns of its listing's row, but for the times."""
    return {
        "generation": stored.generation,
        "stamp": stored.stamp,
        "gone": stored.gone,
        "photo_count": len(stored.photos),
    }


def _select(db: Connection, query: Select[Any], feed: str, keys: Iterable[str]) -> Iterator[str]:
    for chunk in chunks(keys):
        yield from db.execute(query, {"of_feed": feed, "of_keys": chunk}).scalars()


def _rows(db: Connection, feed: str, keys: Iterable[str]) -> Iterator[_Row]:
    for chunk in chunks(keys):
        yield from db.execute(_ROWS, {"of_feed": feed, "of_keys": chunk})


def _stored(db: Connection, rows: Iterable[_Row]) -> Iterator[StoredSet]:
    """The sets of these rows, as far as their photos' rows are there."""
    by_id = {row.id: row for row in rows}
    held: dict[int, list[StoredPhoto]] = {}
    ids = list(by_id)
    for start in range(0, len(ids), KEYS_PER_QUERY):
        held |= photos_by_listing(
            db.execute(sql.PHOTOS_OF, {"of_listings": ids[start : start + KEYS_PER_QUERY]})
        )
    for id_, row in by_id.items():
        kept = tuple(held.get(id_, ()))
        yield StoredSet(
            row.key, row.generation, row.stamp, kept, read_links(row.links), row.gone, row.updated
        )


def _names_by_prefix(keys: Iterable[str]) -> defaultdict[str, set[str]]:
    names: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        prefix, _, name = key.rpartition("/")
        names[f"{prefix}/"].add(name)
    return names
