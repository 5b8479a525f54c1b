"""The part of the catalog about runs: when each feed was looked at, with what end."""

import json
from collections.abc import Mapping
from datetime import datetime

from service.core.ports import FeedStatus
from service.core.schedule import Breaker
from service.stores import statements as sql
from service.stores.catalog_database import CatalogDatabase, storable

EVENTS_KEPT = 50_000
"""Per feed. A number and not an age, so that the bound holds through a feed's worst day: about 10 MB."""

RUNS_KEPT = 5_000
"""Per feed: some weeks of runs every quarter of an hour."""


class Runs(CatalogDatabase):
    """The journal of runs, and what `status` shows of a feed."""

    def run_started(self, feed: str, now: datetime) -> int:
        """A new run; returns its number."""
        with self._noting() as db:
            run: int = db.execute(sql.START_RUN, {"feed": feed, "started": now}).scalar_one()
            return run

    def run_ended(self, run: int, now: datetime, counts: Mapping[str, int], error: str | None) -> None:
        """The run's counts, and its error when it failed. The feed's old runs and events go."""
        text = None if error is None else storable(error)
        ended = {"ended": now, "counts": json.dumps(dict(counts)), "error": text}
        with self._noting() as db:
            feed = db.execute(sql.END_RUN, {"of_run": run, **ended}).scalar_one()
            db.execute(sql.PRUNE_EVENTS, {"of_feed": feed, "keep": EVENTS_KEPT})
            db.execute(sql.PRUNE_RUNS, {"of_feed": feed, "keep": RUNS_KEPT})

    def last_seen(self, feed: str) -> datetime | None:
        """When the newest run ended, or began if it never ended, by the clock of then."""
        with self._reading() as db:
            return db.execute(sql.LAST_SEEN, {"of_feed": feed}).scalar()

    def status(self, feed: str) -> FeedStatus:
        """For `status`. `owed` counts every owed listing, `parked` those of them that are parked."""
        at = {"of_feed": feed}
        with self._reading() as db:
            listings, photos = db.execute(sql.COUNT_LISTINGS, at).one()
            owed, parked = db.execute(sql.COUNT_OWED, at).one()
            breaker = db.execute(sql.BREAKER, at).first()
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
                first_started=db.execute(sql.FIRST_STARTED, at).scalar(),
                breaker=Breaker(*breaker) if breaker else Breaker(),
            )
