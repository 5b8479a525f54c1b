"""Each contract runs on every adapter; servers are started once per worker, when first asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.catalog import SqlCatalog, migrate, open_catalog
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.stores.support import Postgres, bucket_of, fresh_name, postgres_server

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture
def store(s3: EmbeddedStore) -> Iterator[MinioStore]:
    with bucket_of(s3) as made:
        yield made


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: Postgres) -> str:
    """A PostgreSQL database that tests share, apart by the names of their feeds."""
    url = postgres.fresh_database()
    migrate(url)
    return url


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh_database()


@pytest.fixture(params=DATABASES)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCatalog]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("migrated") if shared else f"sqlite:///{tmp_path / 'catalog.db'}"
    opened = open_catalog(url, migrate=False)
    yield opened
    opened.close()


@pytest.fixture
def feed() -> str:
    return fresh_name("feed")
