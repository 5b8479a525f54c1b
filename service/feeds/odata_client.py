"""One Web API server: pages of an OData answer, within the provider's limits.

A next link is the server's own word: it is followed byte for byte, at the feed's own hosts alone,
and never rebuilt (C8). A chain of pages that does not end, or that turns in a circle, is no answer.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from parsers.errors import ParseError
from parsers.mime import Headers
from parsers.odata.page import MOST_BYTES, Page, read_failure, read_page
from service.errors import RetryLater, StopFeed, TransferCut
from service.feeds.answer import Answer
from service.feeds.hosts import place, resolve
from service.feeds.limits import Quota
from service.feeds.transport import WAITS, TooManyRequests, Transport

MOST_PAGES = 1_000_000
"""Of one chain: more than any provider has listings."""

LONGEST_WAIT = 60.0
"""Seconds for which a full window is sat out; for longer the cycle ends, and others go on."""

STORM = 3
"""Refusals for too many requests (HTTP 429) in a row, after which the feed is left alone (X10)."""

STORM_WAIT = 3600.0
"""Seconds. Providers count by the hour; whoever goes on asking is locked out by hand."""

REFUSED_WAIT = 5.0
"""Seconds after a 429 that does not say how long."""

_EXPIRED = (400, 404, 410)
"""What servers answer to a next link that was kept too long (C8)."""

_REMAINING = ("RateLimit-Remaining", "X-RateLimit-Remaining")
_RESET = ("RateLimit-Reset", "X-RateLimit-Reset")


class LinkExpiredError(RetryLater):
    """A next link is good no more: the chain begins anew."""


class ODataClient:
    """Asks one feed's server. Its transport has no waits of its own: the client is the patient one."""

    def __init__(
        self, feed: str, transport: Transport, quota: Quota, waits: tuple[float, ...] = WAITS
    ) -> None:
        self._feed, self._transport, self._quota, self._waits = feed, transport, quota, waits
        self._refusals = 0
        self._over = threading.Event()
        self.date: str | None = None  # of the latest answer, as the server's clock says it

    def abandon(self) -> None:
        """Cut whatever runs, from another thread, and wait for nothing more."""
        self._over.set()
        self._transport.abandon()

    def close(self) -> None:
        """Close idle connections, and keep what was counted."""
        self._transport.close()
        self._quota.save()

    def pages(self, url: str) -> Iterator[Page]:
        """The pages of one answer, from its first URL on; ends only behind the last one.

        Raises LinkExpiredError, RetryLater or StopFeed.
        """
        followed: set[str] = set()
        while len(followed) < MOST_PAGES:
            page = self._page(url, is_link=bool(followed))
            followed.add(url)
            yield page
            if page.is_last or page.next_link is None:
                return
            url = resolve(url, page.next_link)
            if url in followed:
                raise RetryLater(f"the pages of {place(url)} turn in a circle", feed=self._feed)
        raise RetryLater(f"the pages of {place(url)} do not end", feed=self._feed)

    def page(self, url: str) -> Page:
        """One page."""
        return self._page(url, is_link=False)

    def document(self, url: str) -> bytes:
        """The body of a JSON answer at HTTP 200. Raises RetryLater or StopFeed."""
        return self._document(url, is_link=False)

    def send(self, method: str, url: str, document: bytes) -> tuple[int, bytes]:
        """A POST, PUT or DELETE with a JSON body: the answer's status and body. It is sent once."""
        self._admit()
        hint = f"check feeds.{self._feed}.base_url"
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        with self._transport.send(method, url, document, headers, hint) as answer:
            return answer.status, answer.read_small()

    def _page(self, url: str, *, is_link: bool) -> Page:
        try:
            return read_page(self._document(url, is_link=is_link))
        except ParseError as error:
            raise RetryLater(f"the page of {place(url)} cannot be read: {error}", feed=self._feed) from None

    def _document(self, url: str, *, is_link: bool) -> bytes:
        try:
            return self._once(url, is_link=is_link)
        except TransferCut:
            if self._over.is_set():
                raise
        return self._once(url, is_link=is_link)  # one page of a thousand may be cut

    def _once(self, url: str, *, is_link: bool) -> bytes:
        with self._ask(url, self._waits) as answer:
            self._refusals = 0
            self._heed(answer.headers)
            self.date = answer.headers.get("Date")
            if answer.status != 200:
                self._refused(answer, is_link=is_link)
            document = self._read(answer)
        self._quota.came(len(document))
        return document

    def _ask(self, url: str, waits: tuple[float, ...]) -> Answer:
        """The answer, asked for again while that may help."""
        self._admit()
        try:
            return self._transport.get(
                url, headers={"Accept": "application/json"}, hint=f"check feeds.{self._feed}.base_url"
            )
        except TransferCut:
            raise
        except TooManyRequests as refusal:
            self._calm(refusal)
        except RetryLater as error:
            if not waits or (error.after or 0) > LONGEST_WAIT:
                raise
            self._over.wait(error.after or waits[0])
        return self._ask(url, waits[1:])

    def _calm(self, refusal: TooManyRequests) -> None:
        """Wait as long as the server says. Raises RetryLater where that is too long, or once too often."""
        self._refusals += 1
        wait = REFUSED_WAIT if refusal.after is None else refusal.after
        if self._refusals >= STORM:
            wait = max(wait, STORM_WAIT)
        self._quota.rest(wait)
        if wait > LONGEST_WAIT:
            raise RetryLater(refusal.what, feed=self._feed, after=wait, hint=self._limits_hint) from refusal

    def _heed(self, headers: Headers) -> None:
        """Rest where the server says that nothing remains (RateLimit headers; X10)."""
        if _first_number(headers, _REMAINING) == 0.0:
            reset = _first_number(headers, _RESET) or 0.0
            # Some name the moment, some the seconds until then.
            self._quota.rest(max(0.0, reset - datetime.now(UTC).timestamp()) if reset > 1e9 else reset)

    def _admit(self) -> None:
        """Wait for room in every window."""
        while wait := self._quota.wait():
            if wait > LONGEST_WAIT:
                what = "the limits of this feed are used up"
                raise RetryLater(what, feed=self._feed, after=wait, hint=self._limits_hint)
            if self._over.wait(wait):
                return  # the transport refuses from now on, and says why

    @property
    def _limits_hint(self) -> str:
        return f"if the provider allows more, raise feeds.{self._feed}.limits; else lower them"

    def _read(self, answer: Answer) -> bytes:
        body = bytearray()
        while chunk := answer.read():
            body += chunk
            if len(body) > MOST_BYTES:
                raise RetryLater(
                    f"{answer.place} sent a page of more than {MOST_BYTES} bytes",
                    feed=self._feed,
                    hint=f"lower feeds.{self._feed}.page_size",
                )
        return bytes(body)

    def _refused(self, answer: Answer, *, is_link: bool) -> None:
        """Raise what this status means."""
        said = f"{answer.place} answered HTTP {answer.status}"
        if reason := read_failure(answer.read_small()):
            said = f"{said}: {reason}"
        if is_link and answer.status in _EXPIRED:
            raise LinkExpiredError(said, feed=self._feed)
        if answer.status in (401, 403):
            raise StopFeed(said, feed=self._feed, hint=f"check the credentials of feeds.{self._feed}")
        raise StopFeed(said, feed=self._feed, hint=f"check base_url, filter and fields of feeds.{self._feed}")


def _first_number(headers: Headers, names: tuple[str, ...]) -> float | None:
    for name in names:
        value = (headers.get(name) or "").strip()
        if value.isascii() and value.isdecimal():
            return min(float(value), 1e12)
    return None
