"""The catalog on SQLite or PostgreSQL: one transaction per call, and no query per photo."""

from service.stores import migrations
from service.stores.databases import database_verdicts, make_engine
from service.stores.holds import Holds
from service.stores.inventory import Inventory
from service.stores.kept_sets import KeptSets
from service.stores.leases import Leases
from service.stores.owed_listings import OwedListings
from service.stores.runs import Runs
from service.stores.views import Views, expect_current


class SqlCatalog(KeptSets, OwedListings, Holds, Runs, Views, Leases, Inventory):
    """Implements `Catalog` (service/core/ports.py); any thread may call it."""


def open_catalog(url: str, password: str | None = None, *, migrate: bool) -> "SqlCatalog":
    """The catalog at an SQLAlchemy URL. ConfigError when it cannot be used.

    A catalog in SQLite is this program's own file and migrates by itself. Elsewhere a pending
    migration is an error unless `migrate` is set: several versions may share that database.
    """
    engine = make_engine(url, password)
    try:
        if migrate or engine.dialect.name == "sqlite":
            with database_verdicts(engine):
                migrations.upgrade(engine)
        else:
            expect_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlCatalog(engine)


def migrate(url: str, password: str | None = None) -> None:
    """Bring the catalog's schema up to date."""
    open_catalog(url, password, migrate=True).close()
