"""The part of the catalog that only people look at: pages of listings, runs of late, and its own state."""

import json

from sqlalchemy import Engine, select

from service.core.ports import ListingEntry, Run
from service.errors import ConfigError
from service.stores import migrations
from service.stores.catalog_database import CatalogDatabase, storable
from service.stores.databases import MIGRATE_HINT, database_verdicts
from service.stores.tables import listings, runs


class Views(CatalogDatabase):
    """Reads of the status page."""

    def check(self) -> None:
        """Raises RetryLater when the database cannot be reached, ConfigError when a migration is pending."""
        expect_current(self._engine)

    def recent_runs(self, feed: str, limit: int) -> list[Run]:
        """The newest runs, the newest first."""
        columns = (runs.c.started, runs.c.ended, runs.c.counts, runs.c.error)
        newest = select(*columns).where(runs.c.feed == feed).order_by(runs.c.id.desc()).limit(limit)
        with self._reading() as db:
            return [
                Run(started, ended, json.loads(counts or "{}"), error)
                for started, ended, counts, error in db.execute(newest)
            ]

    def listings(self, feed: str, *, part: str = "", after: str = "", limit: int) -> list[ListingEntry]:
        """Stored listings whose key holds `part`, whatever its case, and comes behind `after`; by key."""
        columns = (listings.c.key, listings.c.photo_count, listings.c.updated)
        behind = listings.c.key > storable(after)
        page = select(*columns).where(listings.c.feed == feed, ~listings.c.gone, behind)
        if part:
            page = page.where(listings.c.key.icontains(storable(part), autoescape=True))
        with self._reading() as db:
            rows = db.execute(page.order_by(listings.c.key).limit(limit))
            return [ListingEntry(key, photos, updated) for key, photos, updated in rows]


def expect_current(engine: Engine) -> None:
    """Raises ConfigError unless every migration has been made."""
    with database_verdicts(engine), engine.connect() as connection:
        if not migrations.is_current(connection):
            raise ConfigError("catalog.url: a migration is pending", hint=MIGRATE_HINT)
