"""What every part of the catalog stands on: one transaction per call, on SQLite or PostgreSQL.

SQLite has one writer at a time, so writers of this process take turns in a lock, which is fair and
quick; writers of other processes wait in SQLite itself.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from threading import Lock
from typing import Any, Self

from sqlalchemy import Connection, Engine

from service.core.ports import Lease
from service.errors import LeaseLost
from service.stores import statements as sql
from service.stores.databases import database_verdicts

KEYS_PER_QUERY = 500
"""Far below every database's bound on parameters, and past the point where a query's cost shows."""


class CatalogDatabase:
    """An engine, and how it is read and written; any thread may call it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(begin="IMMEDIATE")
        self._upserts = sql.upserts(engine.dialect.name)
        one_writer = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = Lock() if one_writer else nullcontext()
        self._lease: Lease | None = None

    def fenced(self, lease: Lease) -> Self:
        """The same database for the lease's holder: its writes raise LeaseLost once the lease is lost."""
        made = copy(self)
        made._lease = lease  # noqa: SLF001 - it is one of us
        return made

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_verdicts(self._engine), self._engine.connect() as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._noting() as db:
            if self._lease is not None:
                _expect_held(db, self._lease)
            yield db

    @contextmanager
    def _noting(self) -> Iterator[Connection]:
        """For what is true whoever holds the feed: the journal, the leases, what the bucket shows."""
        with database_verdicts(self._engine), self._turn, self._writer.begin() as db:
            yield db


def _expect_held(db: Connection, lease: Lease) -> None:
    """The fence: in the same transaction as the write, so nobody can take the feed over in between."""
    at = {"of_feed": lease.feed, "of_token": lease.token}
    if db.execute(sql.FENCE, at).first() is None:
        raise LeaseLost("another process has taken over", feed=lease.feed)


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    """Keys, as many as one query takes."""
    every = list(keys)
    for start in range(0, len(every), KEYS_PER_QUERY):
        yield every[start : start + KEYS_PER_QUERY]


def storable(text: str) -> str:
    """Diagnostics may quote anything; no database takes NUL or half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
