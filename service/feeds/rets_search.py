"""Search, page by page or in one answer, and when to believe that no more will come.

Servers count, cap and page in their own ways. A search ends well on the server's own word and in
agreement with its COUNT; what contradicts itself ends in RetryLater, since an answer that is too
short looks just like listings that are gone.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

from parsers.errors import ParseError, Truncated
from parsers.records import ListingState
from parsers.rets.reply import Verdict
from parsers.rets.search import ListingParser, SearchEnd
from service.errors import RetryLater, ServiceError, TransferCut
from service.feeds.endless import Flow
from service.feeds.rets_client import RetsClient
from service.feeds.verdicts import refusal

BATCH = 500
"""Listings handed on at a time: a page may hold 100 000 rows, and each batch is one transaction."""

MAX_ROWS = 5_000_000
"""Rows of one answer: no MLS has as many listings."""

MOST_REPEATS = 10
"""How often one answer may bring each listing, on average, once it has 1000 rows. Real ones repeat a row
or two; one that says the same again and again has no end."""

MORE_ROWS = 20208
"""Maximum records exceeded: the rows are good, and there are more."""

NO_RECORDS = 20201
"""The only code by which a search finds nothing (Q56). 20403 says so of photos; here it is a mistake, and
taken for an empty feed it would remove all of it."""

OFFSET_UNKNOWN = 20203
"""What a server without Offset says to one (Q63); elsewhere a miscellaneous search error."""


class ListingSearch:
    """One search. Once `listings` has ended, the figures are those of the whole.

    `limit` None asks for a result without one. Not `paged`, no Offset is sent, and the result has to
    come in one answer. `count` is the server's own total, if it gave one; `quarantined` how many
    rows could not be read, `reason` why the first of them; `answers` how many pages there were,
    `date` the Date of the first.
    """

    def __init__(
        self,
        client: RetsClient,
        feed: str,
        params: Mapping[str, str],
        new_parser: Callable[[], ListingParser],
        *,
        limit: int | None,
        paged: bool = True,
    ) -> None:
        self.count: int | None = None
        self.quarantined = 0
        self.reason = ""
        self.answers = 0
        self.date: str | None = None
        self._client, self._feed, self._params = client, feed, params
        self._limit, self._paged, self._new_parser = limit, paged, new_parser
        self._first_count: int | None = None
        self._received = 0
        self._page: set[str] = set()

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
            self._note(end)
            more = self._has_more(end, before) if self._paged else self._check_whole(end)

    def is_whole(self, early: int) -> bool:
        """Whether every row that there was when the search began has come.

        `early` is how many different listings came that had not changed since then. In one answer
        no row moves. From page to page rows do (Q65), but as many as were counted at the beginning
        and did not change since are all that there were.
        """
        if self.answers == 1:
            return self._received >= (self.count or 0)
        return self._first_count == early + self.quarantined

    def _read_page(self) -> Generator[ListingState, None, SearchEnd]:
        """One page; what comes back at its end is how it ended."""
        parser = self._new_parser()
        # NONE asks for all that there is (RETS 1.7.2, section 7.4). Without it a server's default holds.
        paging = {"Limit": "NONE" if self._limit is None else str(self._limit)}
        if self._paged:  # by what came, not by Limit: servers cap below it (Q64)
            paging["Offset"] = str(self._received + 1)
        with self._client.search({**self._params, **paging}) as answer:
            self.date = self.date or answer.headers.get("Date")
            flow = Flow(self._feed, "Search")
            while chunk := answer.read():
                found = parser.receive_data(chunk)
                for listing in found:
                    self._page.add(listing.key)
                    yield listing
                most = max(1000, MOST_REPEATS * len(self._page))
                flow.note(len(found), len(chunk), min(most, MAX_ROWS))
        return parser.close()

    def _note(self, end: SearchEnd) -> None:
        self.answers += 1
        if self.answers == 1:
            self._first_count = end.count
        if end.count is not None:
            self.count = end.count
        if end.quarantined:
            self.reason = self.reason or end.quarantined[0]
        self.quarantined += end.rows_quarantined

    def _has_more(self, end: SearchEnd, before: set[str]) -> bool:
        """Whether another page is to be asked for. Raises what this page's end means."""
        rows = end.rows + end.rows_quarantined
        if self._received and end.reply.code == OFFSET_UNKNOWN:
            return self._is_stuck("the server refuses Offset")
        self._check_ended(end)
        if self._page and self._page <= before:
            return self._is_stuck("the server gave the same page again")
        self._received += rows
        if rows == 0 or end.reply.code == NO_RECORDS:  # Q56, Q60
            return self._is_over()
        if self.count is not None:  # Q61, Q62
            return self._received < self.count
        # Without COUNT (Q59): a full page may be followed by another one, and 20201 ends it (Q60).
        return end.max_rows or end.reply.code == MORE_ROWS or rows >= (self._limit or 0)

    def _check_whole(self, end: SearchEnd) -> bool:
        """The end of a result that had to come in one answer."""
        self._check_ended(end)
        self._received += end.rows + end.rows_quarantined
        says_more = end.max_rows or end.reply.code == MORE_ROWS
        if says_more and self._received < (self.count or self._received + 1):
            raise RetryLater(
                f"Search: one answer holds only {self._received} listings; COUNT says {self.count}",
                feed=self._feed,
                hint=f"check feeds.{self._feed}.limit and feeds.{self._feed}.paging",
            )
        return self._is_over()

    def _check_ended(self, end: SearchEnd) -> None:
        if end.reply.verdict is not Verdict.FINE and end.reply.code != NO_RECORDS:
            raise refusal(self._feed, "Search", end.reply)
        if not end.ended:  # Q77
            raise TransferCut("Search: the answer stops before its closing tag", feed=self._feed)

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
                hint=f'if the server knows no Offset, set feeds.{self._feed}.paging to "none" or "keys"',
            )
        return False

    def _missing(self) -> int:
        return (self.count or 0) - self._received

    def _drift(self) -> int:
        """How many listings may come and go while a search runs (Q58)."""
        return max(5, (self.count or 0) // 100)


def in_batches(listings: Iterable[ListingState]) -> Iterator[tuple[ListingState, ...]]:
    """The listings by BATCH. What goes wrong is raised after everything that came before it."""
    batch: list[ListingState] = []
    trouble: ServiceError | None = None
    try:
        for listing in listings:
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
