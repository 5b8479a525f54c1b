"""A feed that speaks the RESO Web API: changes by clock, media by listing, pictures by URL.

A listing is looked at in two phases. A pass over Property tells which listings have changed; what
they have is asked for when their turn comes (`records`), so that it is as new as it can be, and is
not asked for at all where the stored stamp is still right. With $expand both come at once, and only a
set that disagrees with its listing's count is asked for again (X12).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import structlog

from parsers.odata.media import by_listing
from parsers.odata.page import Page as Answer
from parsers.odata.page import Row, rows_of, text, whole
from parsers.records import WHOLE_SET, ListingState, PhotoRef, Retryable
from service.core.ports import Facts, IncomingPhoto, KeySnapshot, Page, Wanted
from service.errors import RetryLater, ServiceError, StopFeed
from service.feeds.media_downloads import ExpiredUrl
from service.feeds.odata_client import LinkExpiredError
from service.feeds.reso.dialect import Clock, dialect_of
from service.feeds.reso.media_sets import MediaSets
from service.feeds.reso.queries import Queries
from service.feeds.reso.watch import Pass, read_marks, write_marks
from service.feeds.transport import WAITS
from service.feeds.web_api import WebApi
from service.reso_config import ODataFeed

log = structlog.get_logger()

RESTARTS = 2
"""How often a chain of pages begins anew when its next link has expired (C8)."""

ONE_BY_ONE = "media.one_by_one"
"""The fact that a server does not take several listings in one query."""


class ResoSource:
    """One feed, read by one thread. Once abandoned it can only be closed.

    `facts` outlive it (else what it learns is forgotten with it); `waits` are the client's.
    """

    def __init__(
        self,
        feed: str,
        config: ODataFeed,
        facts: Facts | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._feed, self._now = feed, now
        self._facts: Facts = {} if facts is None else facts
        self._api = WebApi(feed, config, self._facts, now, waits)
        self._dialect = dialect_of(config)
        self._queries = Queries(self._dialect, config)
        self._media = MediaSets(self._dialect, config)
        self._several = 1 if self._facts.get(ONE_BY_ONE) else config.listings_per_query

    @property
    def takes_several(self) -> bool:
        """Every photo is a request of its own."""
        return True

    def open(self) -> None:
        """Have a token."""
        self._api.open()

    def close(self) -> None:
        """Close connections; never raises."""
        self._api.close()

    def abandon(self) -> None:
        """Cut whatever runs, from another thread; it then raises TransferCut."""
        self._api.abandon()

    def hide(self, words: str) -> str:
        """The text without secrets; see discreet_source.py."""
        return self._api.hide(words)

    def changes(self, since: str | None) -> Iterator[Page]:
        """Listings that one of the clocks has moved; behind each chain comes the cursor that it makes safe.

        Raises RetryLater for a chain that does not end well, after the listings that it gave.
        """
        clocks = self._dialect.clocks
        marks = read_marks(since, clocks)
        if marks is None:
            yield from self._everything()
            return
        for clock in clocks:
            over = Pass(self._feed, self._now(), self._facts)
            for answer in self._chain(self._queries.since(clock, marks[clock.name]), over):
                yield Page(self._seen(answer, clock, over))
            marks[clock.name] = over.settle(clock.name, marks[clock.name]) or marks[clock.name]
            yield Page((), write_marks(marks, clocks))

    def keys(self) -> KeySnapshot:
        """Every key; complete only when the chain came to its end and holds all that it counts (P5)."""
        over, keys, pages = Pass(self._feed, self._now(), self._facts), set[str](), 0
        try:
            for answer in self._chain(self._queries.keys(), over):
                pages += 1
                for row in answer.rows:
                    key = text(row, self._dialect.listing)
                    over.see(key, {})
                    keys |= {key} if key else set()
        except RetryLater as trouble:
            if self._api.abandoned:
                raise
            return KeySnapshot(frozenset(keys), complete=False, why=str(trouble))
        paged = pages > 1 and not self._dialect.steady
        return KeySnapshot(frozenset(keys), complete=not over.trouble, why=over.trouble, paged=paged)

    def records(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """These listings with their media, as they are now. Raises RetryLater or StopFeed."""
        rest = list(keys)
        while rest:
            batch = rest[: self._several]
            try:
                yield from self._described(batch)
            except StopFeed:
                if len(batch) == 1:
                    raise
                yield from self._described(batch[:1])
                self._several, batch = 1, batch[:1]
                self._facts[ONE_BY_ONE] = "yes"
                log.info("media.one_by_one", feed=self._feed)
            rest = rest[len(batch) :]

    def open_photos(self, wanted: Sequence[Wanted]) -> Iterator[IncomingPhoto]:
        """The photos, as they come. One whose URL has expired is asked for once more, with a new one (X1)."""
        try:
            for one in wanted:
                if not one.refs:
                    why = Retryable("the feed has no record of this listing now")
                    yield IncomingPhoto(one.listing, PhotoRef(WHOLE_SET, 0), why)
            expired: list[IncomingPhoto] = []
            for photo in self._api.downloads.fetch(
                [(one.listing, ref) for one in wanted for ref in one.refs]
            ):
                if isinstance(photo.outcome, ExpiredUrl):
                    expired.append(photo)
                else:
                    yield photo
            yield from self._renewed(expired)
        except ServiceError as error:
            if len(wanted) == 1:
                error.listing = error.listing or wanted[0].listing
            raise

    # Changes.

    def _everything(self) -> Iterator[Page]:
        clocks = self._dialect.clocks
        over = Pass(self._feed, self._now(), self._facts)
        for answer in self._chain(self._queries.everything(), over):
            yield Page(self._seen(answer, clocks[0], over))
        safe = {clock.name: over.settle(clock.name, None) for clock in clocks}
        marks = {name: mark for name, mark in safe.items() if mark is not None}
        yield Page((), write_marks(marks, clocks) if len(marks) == len(clocks) else None)

    def _chain(self, url: str, over: Pass) -> Iterator[Answer]:
        """The pages from this URL on, and from there again when a link has expired."""
        for left in reversed(range(1 + RESTARTS)):
            try:
                for answer in self._api.client.pages(url):
                    over.date(self._api.client.date)
                    over.count(answer.total)
                    yield answer
            except LinkExpiredError as error:
                if not left:
                    raise
                log.info("pages.restarted", feed=self._feed, why=error.what)
            else:
                return

    def _seen(self, answer: Answer, clock: Clock, over: Pass) -> tuple[ListingState, ...]:
        """The listings of a page."""
        if clock.entity == "Media":
            return self._named(answer, clock, over)
        fields = {one.name: one.field for one in self._dialect.clocks if one.entity == "Property"}
        found: list[ListingState] = []
        for row in answer.rows:
            key = text(row, self._dialect.listing)
            over.see(key, {name: text(row, field) for name, field in fields.items()})
            if key:
                found.append(self._state(key, row, rows_of(row, "Media") if clock.expands else None))
        return tuple(found)

    def _named(self, answer: Answer, clock: Clock, over: Pass) -> tuple[ListingState, ...]:
        """The listings that rows of Media name (C12). What they are is asked for when their turn comes."""
        names, found = self._dialect.names, dict[str, ListingState]()
        for row in answer.rows:
            key = text(row, names.listing)
            over.see(text(row, names.key), {clock.name: text(row, clock.field)})
            if key:
                found[key] = ListingState(key)
        return tuple(found.values())

    def _state(self, key: str, row: Row, media: Sequence[Row] | None) -> ListingState:
        """A listing as it came: with its photos only where they are certainly all of them."""
        count = whole(row, self._dialect.count)
        said = ListingState(key, self._stamp(row), text(row, self._dialect.clocks[0].field), None, count)
        if media is None:
            return said
        had = self._media.read(media)
        return said._replace(photos=had.refs, links=had.links) if had.agrees(count) else said

    def _stamp(self, row: Row) -> str | None:
        """The times by which media are compared, as sent; several are joined."""
        times = [text(row, field) for field in self._dialect.stamps]
        if len(times) == 1 or not any(times):
            return times[0]
        return " ".join(time or "-" for time in times)

    # Records.

    def _described(self, keys: Sequence[str]) -> Iterator[ListingState]:
        """Property first: media that change in between are then newer than their stamp, never older."""
        listings = {
            key: row
            for row in self._rows(self._queries.listings(keys))
            if (key := text(row, self._dialect.listing))
        }
        if not listings:
            return
        media = by_listing(self._rows(self._queries.media(list(listings))), self._dialect.names)
        for key, row in listings.items():
            had = self._media.read(media.get(key, []))
            said = self._state(key, row, None)
            complete = had.suffices(said.expected_count)
            yield said._replace(photos=had.refs, links=had.links, complete=complete)

    def _rows(self, url: str) -> list[Row]:
        """All rows of a whole chain. RetryLater where fewer came than were counted (X7)."""
        over = Pass(self._feed, self._now(), self._facts)
        rows: list[Row] = []
        total = 0
        for answer in self._chain(url, over):
            rows += answer.rows
            total = max(total, answer.total or 0)
        if len(rows) < total:
            raise RetryLater(f"{total} rows were counted, {len(rows)} came", feed=self._feed)
        return rows

    # Photos.

    def _renewed(self, expired: Sequence[IncomingPhoto]) -> Iterator[IncomingPhoto]:
        """Once more, where the record has another URL by now."""
        if not expired:
            return
        keys = list(dict.fromkeys(photo.listing for photo in expired))
        now = {(said.key, ref.id): ref for said in self.records(keys) for ref in said.photos or ()}
        again: list[tuple[str, PhotoRef]] = []
        for photo in expired:
            ref = now.get((photo.listing, photo.ref.id))
            if ref is None or ref.url == photo.ref.url:
                yield photo
            else:
                again.append((photo.listing, photo.ref._replace(url=ref.url)))
        yield from self._api.downloads.fetch(again)
