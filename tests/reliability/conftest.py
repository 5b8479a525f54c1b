"""Servers that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.stores.catalog import migrate
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.reliability.undisturbed import Undisturbed
from tests.stores.support import Postgres, bucket_of, postgres_server


@pytest.fixture
def store(s3: EmbeddedStore) -> Iterator[MinioStore]:
    with bucket_of(s3) as made:
        yield made


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new catalog, migrated."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'catalog.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh_database()
    migrate(url)
    return url


@pytest.fixture(scope="session")
def undisturbed(s3: EmbeddedStore, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """What daemons make of the scenario that nobody kills."""
    return Undisturbed(s3, tmp_path_factory)
