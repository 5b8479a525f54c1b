"""The body of one HTTP answer, read from the socket as it comes; its end is vouched for or not.

No text that leaves here holds a query, a cookie or a password: the libraries' own errors hold whole
URLs, so they are put into other words and not chained.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from types import TracebackType
from typing import Protocol, Self

import requests
import urllib3
from urllib3.exceptions import HTTPError

from parsers.mime import Headers, parse_header_block
from service.errors import RetryLater, TransferCut
from service.feeds.hosts import place
from service.feeds.unpacking import UnpackError, unpacked

CHUNK = 256 * 2**10
"""Bytes asked of the socket at once: fewer cost calls, more cost memory, and none come faster."""

SMALL = 4 * 2**20
"""Bytes of the largest login or error text: real ones have a few thousand."""

SLOWEST = 100
"""Bytes a second on average, once `silence` is over: a server that drips is as good as a silent one."""

FAILURES = (OSError, HTTPError, HTTPException, ValueError)
"""What requests, urllib3 and http.client raise: RequestException is an OSError, a bad URL a ValueError."""


class Lens(Protocol):
    """What a body is read through: what comes out takes the place of what was sent."""

    def receive_data(self, chunk: bytes) -> bytes:
        """What may be read by now."""

    def close(self, *, vouched: bool) -> bytes:
        """What was held back, once the body has ended; again it is b"". A cut body is not closed."""


class Answer:
    """One HTTP answer whose body is still on the wire. Close it, or use it as a context.

    `headers` are as sent; `url` is where it came from, for relative URLs in it; `place` is that in
    a form that may be shown.
    """

    def __init__(
        self, response: requests.Response, feed: str, cut: threading.Event, silence: float = 60.0
    ) -> None:
        raw: urllib3.HTTPResponse = response.raw
        self.status = response.status_code
        self.headers = _headers(raw)
        self.url = response.url
        self.place = place(response.url)
        self._response, self._raw, self._feed, self._cut = response, raw, feed, cut
        self._silence, self._waited = silence, 0.0
        self._framed = raw.chunked or raw.length_remaining is not None
        self._body = unpacked(self.headers.get("Content-Encoding"), self._chunks())
        self._head = b""
        self._lens: Lens | None = None
        self._ended = False
        self._failure: TransferCut | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self) -> bytes:
        """The next bytes as they come, about CHUNK of them at most, unpacked (Q21); b"" at the end.

        Raises TransferCut, and does so again when asked again.
        """
        if self._head:
            head, self._head = self._head, b""
            return head
        while chunk := self._receive():
            seen = self._lens.receive_data(chunk) if self._lens else chunk
            if seen:
                return seen
        return self._lens.close(vouched=self.vouched) if self._lens else b""

    def look_through(self, headers: Headers, lens: Lens) -> None:
        """Read these headers instead, and the body through a lens; what `head` took goes through it, too."""
        self.headers, self._lens = headers, lens
        self._head = lens.receive_data(self._head)

    def _chunks(self) -> Iterator[bytes]:
        """As they were sent."""
        return iter(partial(self._raw.read1, CHUNK, decode_content=False), b"")

    def _receive(self) -> bytes:
        if self._failure:  # urllib3 would now say that the body has ended
            raise self._failure
        chunk, why, began = b"", "", time.monotonic()
        try:
            chunk = next(self._body, b"")
        except FAILURES as error:
            why = cause(error)
        # Only the wait for the server counts: a store that is slow must not look like it.
        self._waited += time.monotonic() - began
        if chunk and self._waited > self._silence + self._raw.tell() / SLOWEST:
            why = f"less than {SLOWEST} bytes a second came"
        if self._cut.is_set():
            why = "it was abandoned"
        if why:
            text = f"the answer of {self.place} was cut after {self._raw.tell()} bytes: {why}"
            self._failure = TransferCut(text, feed=self._feed)
            raise self._failure
        self._ended = not chunk
        return chunk

    def head(self, enough: Callable[[bytes], bool]) -> bytes:
        """The first bytes, as many as are enough, or all there are; `read` gives them again."""
        head = b""
        while not enough(head) and (chunk := self.read()):
            head += chunk
        self._head = head
        return head

    def read_small(self) -> bytes:
        """The whole body of a login or an error. Raises RetryLater beyond SMALL bytes."""
        body = bytearray()
        while chunk := self.read():
            body += chunk
            if len(body) > SMALL:
                raise RetryLater(f"{self.place} sent more than {SMALL} bytes of text", feed=self._feed)
        return bytes(body)

    @property
    def vouched(self) -> bool:
        """Whether the body was read to where its sender said that it ends.

        Without a length or chunks the end of a body is the end of the connection, and a cut looks
        the same.
        """
        return self._ended and self._framed

    def close(self) -> None:
        """Let go. A short rest of the body is read, so that the connection lives on."""
        rest = self._raw.length_remaining
        if rest is not None and rest <= CHUNK and not self._cut.is_set():
            with suppress(TransferCut, *FAILURES):
                for _ in iter(self.read, b"") if self._lens else self._chunks():
                    pass
        self._response.close()


def cause(error: BaseException) -> str:
    """What happened, without the URL that the libraries put into their texts."""
    if isinstance(error, UnpackError):
        return str(error)
    links = list(_chain(error))
    for link in links:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    if any(isinstance(link, TimeoutError | urllib3.exceptions.TimeoutError) for link in links):
        return "nothing came for too long"
    if any(isinstance(link, IncompleteRead | RemoteDisconnected) for link in links):
        return "the connection ended"
    return type(links[-1]).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _headers(raw: urllib3.HTTPResponse) -> Headers:
    """Read as the headers of a part are: a single photo's caption stands here."""
    lines = (f"{name}: {value}".encode("latin-1", "replace") for name, value in raw.headers.iteritems())
    return parse_header_block(b"\r\n".join(lines))
