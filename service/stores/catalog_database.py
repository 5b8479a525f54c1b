"""What every part of the catalog stands on: one transaction per call, on SQLite or PostgreSQL.

SQLite has one writer at a time, so writers of this process take turns in a lock, which is fair and
quick; writers of other processes wait in SQLite itself.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine

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

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_verdicts(self._engine), self._engine.connect() as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with database_verdicts(self._engine), self._turn, self._writer.begin() as db:
            yield db


def chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    """Keys, as many as one query takes."""
    every = list(keys)
    for start in range(0, len(every), KEYS_PER_QUERY):
        yield every[start : start + KEYS_PER_QUERY]


def storable(text: str) -> str:
    """Diagnostics may quote anything; no database takes NUL or half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")
