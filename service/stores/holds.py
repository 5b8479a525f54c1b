"""The part of the catalog about what stops a feed: guards that hold its deletions, and its breaker."""

from datetime import datetime

from service.core.ports import PURGE_ALLOWED, Hold
from service.core.schedule import Breaker
from service.stores import statements as sql
from service.stores.catalog_database import storable
from service.stores.marks import Marks


class Holds(Marks):
    """An operator's word to a guard is a mark, and so wakes a waiting daemon."""

    def hold(self, feed: str, guard: str, why: str, now: datetime) -> None:
        """A guard stops the feed's deletions. One that does so already keeps its `since`."""
        with self._writing() as db:
            row = {"feed": feed, "guard": guard, "why": storable(why), "since": now}
            db.execute(self._upserts.hold, row)

    def lift(self, feed: str, guard: str) -> bool:
        """The guard stops nothing any more; False when it did not."""
        with self._writing() as db:
            return db.execute(sql.LIFT, {"of_feed": feed, "of_guard": guard}).rowcount > 0

    def holds(self, feed: str) -> list[Hold]:
        """The guards that stop something, the oldest first."""
        with self._reading() as db:
            return [Hold(*row) for row in db.execute(sql.HOLDS, {"of_feed": feed})]

    def allow_purge(self, feed: str, now: datetime) -> None:
        """The feed's next good cycle may lose what its guards hold."""
        with self._writing() as db:
            self._set_mark(db, feed, PURGE_ALLOWED, now.isoformat())
            self._wake(db, feed, now)

    def breaker(self, feed: str) -> Breaker:
        """Whether the feed is asked at all; closed for one that never failed."""
        with self._reading() as db:
            row = db.execute(sql.BREAKER, {"of_feed": feed}).first()
            return Breaker(*row) if row else Breaker()

    def set_breaker(self, feed: str, breaker: Breaker) -> None:
        """Keep it over restarts."""
        with self._writing() as db:
            row = {"failures": breaker.failures, "until": breaker.until, "stopped": breaker.stopped}
            db.execute(self._upserts.breaker, {"feed": feed, "why": storable(breaker.why), **row})
