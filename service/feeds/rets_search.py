"""Search, page by page, and when to believe that the last page was the last.

Servers count, cap and page in their own ways. A search ends well on the server's own word and in
agreement with its COUNT; what contradicts itself ends in RetryLater, since an answer that is too
short looks just like listings that are gone.
"""

from collections.abc import Callable, Generator, Iterator, Mapping

from parsers.errors import ParseError, Truncated
from parsers.records import ListingState
from parsers.rets.reply import Verdict
from parsers.rets.search import ListingParser, SearchEnd
from service.errors import RetryLater, ServiceError, TransferCut
from service.feeds.rets_client import RetsClient
from service.feeds.verdicts import refusal

BATCH = 500
"""Listings handed on at a time: a page may hold 100 000 rows, and each batch is one transaction."""

MORE_ROWS = 20208
"""Maximum records exceeded: the rows are good, and there are more."""

OFFSET_UNKNOWN = 20203
"""What a server without Offset says to one (Q63); elsewhere a miscellaneous search error."""


class ListingSearch:
    """One search over all its pages. Once `listings` has ended, the figures are those of the whole.

    `count` is the server's own total, if it gave one; `quarantined` how many rows could not be
    read, `reason` why the first of them.
    """

    def __init__(
        self,
        client: RetsClient,
        feed: str,
        params: Mapping[str, str],
        limit: int,
        new_parser: Callable[[], ListingParser],
    ) -> None:
        self.count: int | None = None
        self.quarantined = 0
        self.reason = ""
        self._client, self._feed, self._params = client, feed, params
        self._limit, self._new_parser = limit, new_parser
        self._received = 0
        self._page: set[str] = set()

    def batches(self) -> Iterator[tuple[ListingState, ...]]:
        """The listings by BATCH. What goes wrong is raised after everything that came before it."""
        batch: list[ListingState] = []
        trouble: ServiceError | None = None
        try:
            for listing in self.listings():
                batch.append(listing)
                if len(batch) == BATCH:
                    yield tuple(batch)
                    batch = []
        except ServiceError as error:
            trouble = error
        if batch:
            yield tuple(batch)
        if trouble:
            raise trouble

    def listings(self) -> Iterator[ListingState]:
        """The listings, as they come off the wire. Raises RetryLater or StopFeed."""
        more = True
        while more:
            before, self._page = self._page, set()
            try:
                end = yield from self._read_page()
            except Truncated as error:
                raise TransferCut(f"Search: {error}", feed=self._feed) from error
            except ParseError as error:
                hint = f"check feeds.{self._feed}.search_format"
                raise RetryLater(f"Search: {error}", feed=self._feed, hint=hint) from error
            more = self._has_more(end, before)

    def _read_page(self) -> Generator[ListingState, None, SearchEnd]:
        """One page; what comes back at its end is how it ended."""
        parser = self._new_parser()
        # Steps by what came, not by Limit: servers cap below it (Q64).
        paging = {"Limit": str(self._limit), "Offset": str(self._received + 1)}
        with self._client.search({**self._params, **paging}) as answer:
            while chunk := answer.read():
                for listing in parser.receive_data(chunk):
                    self._page.add(listing.key)
                    yield listing
        return parser.close()

    def _has_more(self, end: SearchEnd, before: set[str]) -> bool:
        """Whether another page is to be asked for. Raises what this page's end means."""
        self._note(end)
        verdict, rows = end.reply.verdict, end.rows + len(end.quarantined)
        if self._received and end.reply.code == OFFSET_UNKNOWN:
            return self._is_stuck("the server refuses Offset")
        if verdict is not Verdict.FINE and verdict is not Verdict.NOTHING:
            raise refusal(self._feed, "Search", end.reply)
        if not end.ended:  # Q77
            raise TransferCut("Search: the answer stops before its closing tag", feed=self._feed)
        if self._page and self._page <= before:
            return self._is_stuck("the server gave the same page again")
        self._received += rows
        if rows == 0 or verdict is Verdict.NOTHING:  # Q56, Q60
            return self._is_over()
        if self.count is not None:  # Q61, Q62
            return self._received < self.count
        # Without COUNT (Q59): a full page may be followed by another one, and 20201 ends it (Q60).
        return end.max_rows or end.reply.code == MORE_ROWS or rows >= self._limit

    def _note(self, end: SearchEnd) -> None:
        if end.count is not None:
            self.count = end.count
        if end.quarantined:
            self.reason = self.reason or end.quarantined[0]
            self.quarantined += len(end.quarantined)

    def _is_over(self) -> bool:
        """No more: the server says so, and COUNT does not say otherwise (Q57)."""
        if self._received == 0 < (self.count or 0) or self._missing() > self._drift():
            raise RetryLater(
                f"Search: COUNT says {self.count} listings, {self._received} rows came", feed=self._feed
            )
        return False

    def _is_stuck(self, why: str) -> bool:
        """No more can be had (Q63); that is an end only where hardly any is missing."""
        if self.count is None or self._missing() > self._drift():
            raise RetryLater(
                f"Search: {why} after {self._received} listings; COUNT says {self.count}",
                feed=self._feed,
                hint=f"if the server knows no Offset, raise feeds.{self._feed}.limit above the whole count",
            )
        return False

    def _missing(self) -> int:
        return (self.count or 0) - self._received

    def _drift(self) -> int:
        """How many listings may come and go while a search runs (Q58)."""
        return max(5, (self.count or 0) // 100)
