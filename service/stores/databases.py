"""Engines for SQLite and PostgreSQL, and what their failures mean.

Every database error leaves here as a verdict: RetryLater, ConfigError or, for a value that the
database cannot hold, SkipItem. No text of ours holds a password.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from service.errors import ConfigError, RetryLater, ServiceError, SkipItem

BUSY_SECONDS = 30
"""How long one process waits for another one's write (`status` beside the daemon): writes take ms."""

CONNECT_SECONDS = 10
"""A database that does not even accept within this is down."""

IDLE_SECONDS = 60
"""Within a transaction nothing else is done, so between two statements pass microseconds."""

ALLOWED = "allowed: sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"

MIGRATE_HINT = "run python -m service migrate"

# SQLite error names, as sqlite3 gives them, that no waiting mends.
_SQLITE_CONFIG = ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CORRUPT")

# While connecting libpq gives words and no SQLSTATE.
_POSTGRES_CONFIG = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "pg_hba.conf",
    "permission denied",
)


def make_engine(url: str, password: str | None) -> Engine:
    """An engine whose writers ask for `execution_options(begin="IMMEDIATE")` on SQLite."""
    place = _read_url(url, password)
    if place.drivername == "sqlite":
        return _sqlite_engine(place)
    # Times come back in UTC whatever the server's zone is. A process that was paused inside a
    # transaction must not hold up the one that takes its feed over.
    options = f"-c timezone=utc -c idle_in_transaction_session_timeout={IDLE_SECONDS}s"
    arguments = {"connect_timeout": CONNECT_SECONDS, "options": options}
    return create_engine(place, connect_args=arguments, hide_parameters=True)


def _read_url(url: str, password: str | None) -> URL:
    try:
        place = make_url(url)
    except ArgumentError as error:
        raise ConfigError("catalog.url: not a database address", hint=ALLOWED) from error
    if place.drivername not in ("sqlite", "postgresql+psycopg"):
        raise ConfigError(f"catalog.url: {place.drivername} is not supported", hint=ALLOWED)
    if place.password:
        raise ConfigError("catalog.url holds a password", hint="use catalog.password_env or _file")
    if password is None:
        return place
    if place.drivername == "sqlite":
        raise ConfigError("catalog.password is given, but SQLite takes none")
    return place.set(password=password)


def _sqlite_engine(place: URL) -> Engine:
    if place.database in (None, "", ":memory:"):
        raise ConfigError("catalog.url names no file", hint=ALLOWED)
    path = Path(place.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"catalog.url: {path.parent} cannot be made: {error.strerror}") from error
    engine = create_engine(place, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver would begin by itself, and late: transactions are begun by _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # A manifest is put only after its commit. With NORMAL a power cut could take back a commit
    # whose manifest readers have already seen: the same generation would then be published twice
    # with different photos, and a photo that came back could still stand in the deletion queue.
    # FULL makes each commit durable first, for one fsync per listing.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: a reader that becomes a writer later cannot wait for it.
    mode = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {mode}")


@contextmanager
def database_verdicts(engine: Engine) -> Iterator[None]:
    """Errors of the database leave as verdicts; mistakes in our own SQL stay what they are."""
    try:
        yield
    except PoolTimeoutError as error:
        raise RetryLater("catalog: every connection is busy") from error
    except (UnicodeEncodeError, OverflowError) as error:
        # sqlite3 refuses half a surrogate pair, and numbers over 64 bits, in words of its own.
        raise SkipItem(f"the catalog cannot hold a value: {error}") from error
    except DBAPIError as error:
        verdict = _verdict(error, engine.url)
        if verdict is None:
            raise
        raise verdict from error


def _verdict(error: DBAPIError, place: URL) -> ServiceError | None:
    said = " ".join(str(error.orig).split())
    what = f"catalog {place.render_as_string(hide_password=True)}: {said}"
    sqlite_name = str(getattr(error.orig, "sqlite_errorname", ""))
    sqlstate = getattr(error.orig, "sqlstate", None)
    if "no such table" in said or sqlstate == "42P01":
        return ConfigError(what, hint=MIGRATE_HINT)
    if sqlite_name.startswith(_SQLITE_CONFIG):
        return ConfigError(what, hint="catalog.url must name a file that can be written")
    if not sqlite_name and any(words in said for words in _POSTGRES_CONFIG):
        return ConfigError(what, hint="check catalog.url and catalog.password_env or _file")
    kind = type(error).__name__
    if kind == "DataError":
        return SkipItem(what)
    return None if kind == "ProgrammingError" else RetryLater(what)
