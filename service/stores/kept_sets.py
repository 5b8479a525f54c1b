"""The part of the catalog about sets that were replaced: what can be undeleted, and what was lost by it.

A set is kept as long as every object of it is sure to exist: until the first of them may be swept.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection

from service.core.guards import Losses
from service.core.photos import Pin, StoredSet
from service.core.plan import Commit
from service.core.ports import KeptSet
from service.errors import SkipItem
from service.stores import statements as sql
from service.stores.catalog_database import chunks
from service.stores.marks import Marks
from service.stores.rows import read_set
from service.stores.stored_sets import StoredSets, read_sets


class KeptSets(StoredSets, Marks):
    """What an operator can bring back, and did."""

    def kept_sets(self, feed: str) -> list[KeptSet]:
        """What can be undeleted, by key, the newest generation of each first."""
        with self._reading() as db:
            return [KeptSet(*row) for row in db.execute(sql.KEPT, {"of_feed": feed})]

    def undelete(
        self, feed: str, key: str, generation: int | None, now: datetime, sweep_after: datetime
    ) -> StoredSet:
        """Bring back an earlier set and pin it, in one transaction. SkipItem when it is not kept."""
        with self._writing() as db:
            before = self._stored_set(db, feed, key)
            after = _take(db, feed, key, generation, now) if before else None
            if before is None or after is None:
                what = "no earlier set" if generation is None else f"generation {generation}"
                raise SkipItem(
                    f"{what} of it is kept: nothing was dropped, or its bytes are gone",
                    feed=feed,
                    listing=key,
                    hint=f"python -m service undelete {feed} lists what is kept",
                )
            back = StoredSet(key, before.generation + 1, after.stamp, after.photos, after.links)
            commit = Commit(before, back, before.names - back.names)
            self._make_true(db, feed, commit, now, sweep_after, event="listing.undeleted")
            pin = Pin.LISTING if before.gone else before.pin or Pin.PHOTOS
            db.execute(self._upserts.pin, {"feed": feed, "listing": key, "kind": pin})
            self._wake(db, feed, now)
        return back

    def release(self, feed: str, key: str, now: datetime) -> bool:
        """The feed's word counts again for a listing that was undeleted; False when it had no pin."""
        with self._writing() as db:
            db.execute(sql.RETRY_ONE, {"of_feed": feed, "of_key": key, "at": now})
            self._wake(db, feed, now)
            return db.execute(sql.UNPIN, {"of_feed": feed, "of_keys": [key]}).rowcount > 0

    def pinned(self, feed: str) -> Mapping[str, Pin]:
        """Listings that were undeleted, and whether as a whole or in their photos."""
        with self._reading() as db:
            return {key: Pin(kind) for key, kind in db.execute(sql.PINS, {"of_feed": feed})}

    def unpin(self, feed: str, keys: Iterable[str]) -> None:
        """The feed has these again."""
        with self._writing() as db:
            for chunk in chunks(keys):
                db.execute(sql.UNPIN, {"of_feed": feed, "of_keys": chunk})

    def losses(self, feed: str, since: datetime) -> Losses:
        """What the feed has, and what its sets lost since then, against what they were before."""
        with self._reading() as db:
            _, photos = db.execute(sql.COUNT_LISTINGS, {"of_feed": feed}).one()
            return Losses(photos, *db.execute(sql.LOSSES, {"of_feed": feed, "since": since}).one())

    def set_back(self, feed: str, latest: datetime, sweep_after: datetime) -> None:
        """The clock was set back: nothing owed is due later than `latest`, nothing swept later than that."""
        with self._writing() as db:
            db.execute(sql.OWED_LATER, {"of_feed": feed, "at": latest})
            db.execute(sql.DELETIONS_LATER, {"of_feed": feed, "at": sweep_after, "due_at": sweep_after})
            db.execute(sql.KEPT_LATER, {"of_feed": feed, "at": sweep_after, "until": sweep_after})

    def _stored_set(self, db: Connection, feed: str, key: str) -> StoredSet | None:
        rows = db.execute(sql.SETS_BY_KEY, {"of_feed": feed, "of_keys": [key]}).all()
        return next(iter(read_sets(db, rows)), None)


def _take(db: Connection, feed: str, key: str, generation: int | None, now: datetime) -> StoredSet | None:
    """A kept set, which is then a current one."""
    at = {"of_feed": feed, "of_key": key}
    if generation is None:
        generation = db.execute(sql.NEWEST_KEPT, at).scalar()
    if generation is None:
        return None
    text = db.execute(sql.TAKE_KEPT, {**at, "of_generation": generation, "at": now}).scalar()
    return None if text is None else read_set(key, generation, text)
