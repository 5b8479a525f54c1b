"""The catalog on SQLite or PostgreSQL: one transaction per call, and no query per photo."""

from sqlalchemy import Engine

from service.errors import ConfigError
from service.stores import migrations
from service.stores.databases import MIGRATE_HINT, database_verdicts, make_engine
from service.stores.owed_listings import OwedListings
from service.stores.runs import Runs
from service.stores.stored_sets import StoredSets


class SqlCatalog(StoredSets, OwedListings, Runs):
    """Implements `Catalog` (service/core/ports.py); any thread may call it."""


def open_catalog(url: str, password: str | None = None, *, migrate: bool) -> "SqlCatalog":
    """The catalog at an SQLAlchemy URL. ConfigError when it cannot be used.

    A catalog in SQLite is this program's own file and migrates by itself. Elsewhere a pending
    migration is an error unless `migrate` is set: several versions may share that database.
    """
    engine = make_engine(url, password)
    try:
        with database_verdicts(engine):
            if migrate or engine.dialect.name == "sqlite":
                migrations.upgrade(engine)
            else:
                _expect_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlCatalog(engine)


def migrate(url: str, password: str | None = None) -> None:
    """Bring the catalog's schema up to date."""
    open_catalog(url, password, migrate=True).close()


def _expect_current(engine: Engine) -> None:
    with engine.connect() as connection:
        if not migrations.is_current(connection):
            raise ConfigError("catalog.url: a migration is pending", hint=MIGRATE_HINT)
