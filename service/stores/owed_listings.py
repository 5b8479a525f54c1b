"""The part of the catalog about listings that are not yet as their feed says: the durable queue."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row

from parsers.records import ListingState
from service.core.guards import Held
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
        # One page may name a listing twice; its last word counts.
        rows = [owed_row(feed, state, now) for state in {state.key: state for state in said}.values()]
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

    def postpone(
        self,
        feed: str,
        key: str,
        *,
        why: str,
        due_at: datetime,
        parked: bool,
        evidence: str = "",
        guard: str = "",
        loses: int = 0,
    ) -> None:
        """One more failed attempt for an owed listing."""
        changed = {"why": storable(why), "due_at": due_at, "parked": parked}
        changed |= {"evidence": storable(evidence), "guard": guard, "loses": loses}
        with self._writing() as db:
            db.execute(sql.POSTPONE, {"of_feed": feed, "of_key": key, **changed})

    def retry(self, feed: str, key: str | None, now: datetime) -> int:
        """What the listing owes is due at once, as if it had never failed; without a key, all of the feed."""
        with self._writing() as db:
            self._wake(db, feed, now)
            if key is not None:
                return db.execute(sql.RETRY_ONE, {"of_feed": feed, "of_key": key, "at": now}).rowcount
            db.execute(sql.CLOSE_BREAKER, {"of_feed": feed})
            return db.execute(sql.RETRY, {"of_feed": feed, "at": now}).rowcount

    def held(self, feed: str) -> Mapping[str, Held]:
        """Which guards keep owed listings as they are, and how much of them."""
        with self._reading() as db:
            rows = db.execute(sql.COUNT_HELD, {"of_feed": feed})
            return {guard: Held(listings, photos) for guard, listings, photos in rows}

    def retry_held(self, feed: str, guard: str, now: datetime) -> None:
        """What this guard kept is due at once."""
        with self._writing() as db:
            db.execute(sql.RETRY_HELD, {"of_feed": feed, "of_guard": guard, "at": now})

    def unowe(self, feed: str, keys: Iterable[str]) -> None:
        """Nothing is owed any more."""
        with self._writing() as db:
            for chunk in chunks(keys):
                db.execute(sql.UNOWE, {"of_feed": feed, "of_keys": chunk})


def owed_row(feed: str, said: ListingState, now: datetime) -> dict[str, Any]:
    """The row of a listing that is owed from now on."""
    row = {"feed": feed, "listing": said.key, "said": state_text(said), "due_at": now}
    return {**row, "attempts": 0, "parked": False, "why": "", "evidence": "", "guard": "", "loses": 0}


def _owed(row: _Row) -> Owed:
    said, *rest = row
    return Owed(read_state(said), *rest)
