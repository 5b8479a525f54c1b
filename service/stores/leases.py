"""The part of the catalog about leases: one process at a time works on a feed.

Whose clock? Two machines may differ, so on PostgreSQL it is the database's: every lease is written
and judged by it. SQLite has no other clock than this machine's, and no holder on another machine.
Either may jump. Forward, a living holder may be overtaken, which the fence in its next write finds
out; backward, a lease would seem to be renewed in the future: it counts as lapsed when that is
further away than it lasts, and so a dead holder cannot keep a feed for the length of the jump.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, func, select

from service.core.ports import Holder, Lease
from service.stores import statements as sql
from service.stores.catalog_database import CatalogDatabase

_Row: TypeAlias = Row[*tuple[Any, ...]]


class Leases(CatalogDatabase):
    """Who works on which feed."""

    def take_lease(self, feed: str, who: str, seconds: float) -> Lease | None:
        """The right to work on a feed; None when another process has it."""
        with self._reading() as db:  # whoever waits looks often, and a look must not cost a write
            if not _is_free(db.execute(sql.LEASE, {"of_feed": feed}).first(), _now(db)):
                return None
        with self._noting() as db:
            now = _now(db)
            found = db.execute(sql.LEASE_TO_TAKE, {"of_feed": feed}).first()
            if not _is_free(found, now):
                return None
            if found is not None:
                # A new row, and not a changed one: a write under the old lease keeps its row in place.
                db.execute(sql.END_LEASE, {"of_feed": feed, "of_token": found.token})
            lease = Lease(feed, uuid.uuid4().hex, seconds, found.holder if found else "")
            row = {"feed": feed, "token": lease.token, "holder": who, "seconds": seconds}
            # Two may find a free feed at the same time; the second one's row is not taken.
            taken = db.execute(self._upserts.lease, {**row, "taken": now, "renewed": now}).first()
            return lease if taken else None

    def renew_lease(self, lease: Lease) -> bool:
        """False when it is another's by now. One that nobody took while it had lapsed goes on."""
        with self._noting() as db:
            at = {"of_feed": lease.feed, "of_token": lease.token, "at": _now(db)}
            return db.execute(sql.RENEW_LEASE, at).rowcount == 1

    def end_lease(self, lease: Lease) -> None:
        """The feed is free."""
        with self._noting() as db:
            db.execute(sql.END_LEASE, {"of_feed": lease.feed, "of_token": lease.token})

    def holder(self, feed: str) -> Holder | None:
        """Who has the feed, lapsed or not; None when it is free."""
        with self._reading() as db:
            row = db.execute(sql.LEASE, {"of_feed": feed}).first()
            return row and Holder(row.holder, row.taken, row.renewed, _is_free(row, _now(db)))


def _is_free(row: _Row | None, now: datetime) -> bool:
    return row is None or abs(now - row.renewed) >= timedelta(seconds=row.seconds)


def _now(db: Connection) -> datetime:
    """The database's clock: on PostgreSQL not the beginning of the transaction, which may have waited."""
    if db.dialect.name != "postgresql":
        return datetime.now(UTC)
    now: datetime = db.execute(select(func.clock_timestamp())).scalar_one()
    return now
