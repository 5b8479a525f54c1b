"""The part of the catalog about listings that are not yet as their feed says: the durable queue."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row

from parsers.records import ListingState
from service.core.ports import Owed
from service.stores import statements as sql
from service.stores.catalog_database import chunks, storable
from service.stores.marks import Marks
from service.stores.rows import read_state, state_text

_Row: TypeAlias = Row[*tuple[Any, ...]]


class OwedListings(Marks):
    """What is owed moves together with the search cursor, which is a mark."""

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
        changed = {"why": storable(why), "due_at": due_at, "parked": parked}
        with self._writing() as db:
            db.execute(sql.POSTPONE, {"of_feed": feed, "of_key": key, **changed})

    def unowe(self, feed: str, keys: Iterable[str]) -> None:
        """Nothing is owed any more."""
        with self._writing() as db:
            for chunk in chunks(keys):
                db.execute(sql.UNOWE, {"of_feed": feed, "of_keys": chunk})


def _owed(row: _Row) -> Owed:
    said, attempts, due_at, parked, why = row
    return Owed(read_state(said), attempts, due_at, parked, why)
