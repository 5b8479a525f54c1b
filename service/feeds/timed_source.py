"""A feed whose requests for photos are timed up to their first answer.

Not to their end: what comes after it is read at the pace of the uploads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from parsers.records import ListingState
from service.core.ports import IncomingPhoto, KeySnapshot, Page, PhotoSource, Wanted


@dataclass(frozen=True)
class TimedSource:
    """Implements `PhotoSource` over another one; `timer` is entered for every request for photos."""

    source: PhotoSource
    timer: Callable[[], AbstractContextManager[None]]

    @property
    def takes_several(self) -> bool:
        """As it is."""
        return self.source.takes_several

    def open(self) -> None:
        """As it is."""
        self.source.open()

    def close(self) -> None:
        """As it is."""
        self.source.close()

    def abandon(self) -> None:
        """As it is."""
        self.source.abandon()

    def changes(self, since: str | None) -> Iterator[Page]:
        """As it is."""
        return self.source.changes(since)

    def keys(self) -> KeySnapshot:
        """As it is."""
        return self.source.keys()

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """As it is."""
        return self.source.records(keys)

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """Timed up to the first photo, or up to the end of an answer without one."""
        photos = self.source.open_photos(wanted)
        with self.timer():
            first = next(photos, None)
        if first is not None:
            yield first
            yield from photos
