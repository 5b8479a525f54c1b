"""The part of the catalog about marks: one raw text per feed and clock."""

from datetime import datetime

from sqlalchemy import Connection

from service.core.ports import WAKE
from service.stores import statements as sql
from service.stores.catalog_database import CatalogDatabase


class Marks(CatalogDatabase):
    """`changes` is the search cursor."""

    def mark(self, feed: str, clock: str) -> str | None:
        """The raw text kept under a clock."""
        with self._reading() as db:
            return db.execute(sql.GET_MARK, {"of_feed": feed, "of_clock": clock}).scalar()

    def set_mark(self, feed: str, clock: str, value: str) -> None:
        """Keep a raw mark."""
        with self._writing() as db:
            self._set_mark(db, feed, clock, value)

    def _wake(self, db: Connection, feed: str, now: datetime) -> None:
        """A daemon that waits for the feed's next cycle sees that this mark has moved."""
        self._set_mark(db, feed, WAKE, now.isoformat())

    def _set_mark(self, db: Connection, feed: str, clock: str, value: str) -> None:
        db.execute(self._upserts.mark, {"feed": feed, "clock": clock, "value": value})
