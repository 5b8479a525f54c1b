"""The store and the source of a feed for its leaseholder: both end with the lease.

Deleting asks the catalog every time, since it is rare and cannot be taken back; the rest relies on
the heartbeat.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from parsers.records import ListingState
from service.core.ports import (
    IncomingPhoto,
    KeySnapshot,
    ObjectInfo,
    ObjectStore,
    OpenObject,
    Page,
    PhotoSource,
    Wanted,
)


@dataclass(frozen=True)
class LeasedStore:
    """Implements `ObjectStore`. `confirm` and `renew` raise LeaseLost; `renew` asks the catalog."""

    store: ObjectStore
    confirm: Callable[[], None]
    renew: Callable[[], None]

    def put(
        self, key: str, body: BinaryIO, length: int, sha256: str, *, media_type: str, cache_control: str
    ) -> None:
        """An overtaken holder must not put its manifest over the successor's."""
        self.confirm()
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
        """What was to be deleted may be needed again once another process has the feed."""
        self.renew()
        self.store.delete(keys)


@dataclass(frozen=True)
class LeasedSource:
    """Implements `PhotoSource`. An account may have one session, and the successor wants it."""

    source: PhotoSource
    confirm: Callable[[], None]

    @property
    def takes_several(self) -> bool:
        """As it is."""
        return self.source.takes_several

    def open(self) -> None:
        """As it is."""
        self.confirm()
        self.source.open()

    def close(self) -> None:
        """As it is."""
        self.source.close()

    def abandon(self) -> None:
        """As it is."""
        self.source.abandon()

    def changes(self, since: str | None) -> Iterator[Page]:
        """As it is: each page is written down under the fence."""
        return self.source.changes(since)

    def keys(self) -> KeySnapshot:
        """As it is."""
        return self.source.keys()

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """As it is."""
        return self.source.records(keys)

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """No new request without the lease."""
        self.confirm()
        yield from self.source.open_photos(wanted)
