"""A RETS account as a PhotoSource: what changed, which keys there are, the photos of listings."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import structlog

from parsers.records import ListingState, Redirect
from service.core.ports import Facts, IncomingPhoto, KeySnapshot, Page, Wanted
from service.errors import RetryLater, ServiceError
from service.feeds.cursor import Cursor
from service.feeds.photo_urls import PhotoUrls
from service.feeds.rets_client import Observer, RetsClient
from service.feeds.rets_photos import PhotoRequests
from service.feeds.rets_queries import Queries
from service.feeds.rets_search import in_batches
from service.feeds.transport import WAITS
from service.rets_config import RetsFeed

log = structlog.get_logger()


class RetsSource:
    """One feed, read by one thread. Once abandoned it can only be closed.

    `facts` outlive it (else what it learns is forgotten with it); `now` is the clock that a
    server's Date is held against; `waits` are the transport's.
    """

    def __init__(
        self,
        feed: str,
        config: RetsFeed,
        facts: Facts | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        observer: Observer | None = None,
        *,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        facts = {} if facts is None else facts
        self._feed, self._config = feed, config
        self._client = RetsClient(feed, config, observer=observer, waits=waits)
        self._urls = PhotoUrls(feed, config, observer, waits)
        self._queries = Queries(self._client, feed, config)
        self._cursor = Cursor(feed, config, facts, now)
        self._photos = PhotoRequests(feed, config, self._client, facts)

    def open(self) -> None:
        """Log in."""
        self._photos.begin_session()
        self._client.login()

    def close(self) -> None:
        """Log out; never raises."""
        self._client.logout()
        self._urls.close()

    def abandon(self) -> None:
        """Cut whatever transfer is running, from another thread; it then raises TransferCut."""
        self._client.abandon()
        self._urls.abandon()

    def hide(self, text: str) -> str:
        """The text without secrets; see discreet_source.py."""
        return self._client.hide(text)

    @property
    def takes_several(self) -> bool:
        """False for the rest of a session in which a request for several listings was refused (Q48)."""
        return self._photos.takes_several

    def changes(self, since: str | None) -> Iterator[Page]:
        """Listings changed since the mark; the last page carries the mark that is safe behind them.

        Raises RetryLater for a search that does not end well, after the listings that it gave.
        """
        search = self._queries.changes(self._cursor.since(since))
        over = self._cursor.begin(since)
        for listings in in_batches(search.listings()):
            over.see(listings, search.date)
            yield Page(listings)
        if search.quarantined:
            first = self.hide(search.reason)
            log.warning("search.rows_unread", feed=self._feed, rows=search.quarantined, first=first)
        yield Page((), over.mark(whole=search.is_whole(over.early)))

    def keys(self) -> KeySnapshot:
        """Every key; complete only when all pages ended well, every row was read and COUNT agrees."""
        search = self._queries.keys()
        keys: set[str] = set()
        try:
            keys.update(said.key for said in search.listings())
        except RetryLater as trouble:
            if self._client.abandoned:
                raise
            return KeySnapshot(frozenset(keys), complete=False, why=str(trouble))
        why = ""
        if search.quarantined:
            why = f"{search.quarantined} rows could not be read: {search.reason}"
        elif search.count is not None and search.count != len(keys):  # Q57, Q58
            why = f"COUNT says {search.count} listings, {len(keys)} keys came"
        return KeySnapshot(frozenset(keys), complete=not why, why=why, paged=search.answers > 1)

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """What the server says of these listings now. Raises RetryLater or StopFeed."""
        return self._queries.records(keys)

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """The photos, as they come; those that are only pointed to follow once the answers have ended.

        Raises StopFeed or RetryLater for the request as a whole, TransferCut when it was cut.
        """
        try:
            redirected: list[tuple[IncomingPhoto, Redirect]] = []
            for photo in self._photos.photos(wanted):
                if isinstance(photo.outcome, Redirect):
                    redirected.append((photo, photo.outcome))
                else:
                    yield photo
            for photo, redirect in redirected:
                yield from self._urls.fetch(photo, redirect)
        except ServiceError as error:
            if len(wanted) == 1:
                error.listing = error.listing or wanted[0].listing
            raise
