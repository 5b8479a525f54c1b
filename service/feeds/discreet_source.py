"""A feed whose words leave without secrets: errors and reasons are kept, logged and shown.

Servers, and the proxies before them, repeat a request in their error pages: its credentials, its
cookies, the signed URL that it asked for. What they say is cleaned here, once, on its way out.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from parsers.records import Absent, Denied, ListingState, Outcome, Retryable, Unknown
from service.core.ports import IncomingPhoto, KeySnapshot, Page, PhotoSource, Wanted
from service.errors import ServiceError


@dataclass(frozen=True)
class DiscreetSource:
    """Implements `PhotoSource` over another one; `hide` takes the secrets out of a text."""

    source: PhotoSource
    hide: Callable[[str], str]

    @property
    def takes_several(self) -> bool:
        """As it is."""
        return self.source.takes_several

    def open(self) -> None:
        """As it is, but for the words of its errors."""
        with self._discretion():
            self.source.open()

    def close(self) -> None:
        """As it is."""
        self.source.close()

    def abandon(self) -> None:
        """As it is."""
        self.source.abandon()

    def changes(self, since: str | None) -> Iterator[Page]:
        """As it is, but for the words of its errors."""
        with self._discretion():
            yield from self.source.changes(since)

    def keys(self) -> KeySnapshot:
        """As it is, but for the words of its errors and of `why`."""
        with self._discretion():
            found = self.source.keys()
        return replace(found, why=self.hide(found.why))

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """As it is, but for the words of its errors."""
        with self._discretion():
            yield from self.source.records(keys)

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """As it is, but for the words of its errors and outcomes."""
        with self._discretion():
            for photo in self.source.open_photos(wanted):
                photo.outcome = self._outcome(photo.outcome)
                yield photo

    def _outcome(self, outcome: Outcome | None) -> Outcome | None:
        match outcome:
            case Absent(why) | Denied(why) | Retryable(why):
                return replace(outcome, why=self.hide(why))
            case Unknown(evidence):
                return Unknown(self.hide(evidence))
        return outcome

    @contextmanager
    def _discretion(self) -> Iterator[None]:
        try:
            yield
        except ServiceError as error:
            error.what = self.hide(error.what)
            error.args = (error.what,)
            raise
