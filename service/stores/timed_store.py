"""An object store whose puts are timed, whatever it is that keeps the time."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from service.core.ports import ObjectInfo, ObjectStore, OpenObject


@dataclass(frozen=True)
class TimedStore:
    """Implements `ObjectStore` over another one; `timer` is entered for every put."""

    store: ObjectStore
    timer: Callable[[], AbstractContextManager[None]]

    def put(
        self, key: str, body: BinaryIO, length: int, sha256: str, *, media_type: str, cache_control: str
    ) -> None:
        """Timed."""
        with self.timer():
            self.store.put(key, body, length, sha256, media_type=media_type, cache_control=cache_control)

    def get(self, key: str) -> bytes:
        """As it is."""
        return self.store.get(key)

    def open(self, key: str) -> AbstractContextManager[OpenObject]:
        """As it is."""
        return self.store.open(key)

    def stat(self, key: str) -> ObjectInfo | None:
        """As it is."""
        return self.store.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """As it is."""
        return self.store.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        """As it is."""
        self.store.delete(keys)
