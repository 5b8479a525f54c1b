"""A multipart answer, part by part, straight from the socket.

A bundle is whole when its closing delimiter came, or when its transfer was vouched for (Q7). What
is cut raises TransferCut, each time it is asked again, so that no cut bundle can look ended.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from parsers.errors import Malformed, ParseError, Truncated
from parsers.mime import Headers, boundaries, parse_content_type
from parsers.multipart import Event, MultipartParser, PartData, PartStart, sniff_boundary
from service.errors import RetryLater, ServiceError, TransferCut
from service.feeds.answer import Answer

MAX_UNWANTED = 2**30
"""Bytes of one answer that nobody reads: what stands around its parts, and the rest of parts that are
too large or that nobody asked for. Whole bundles of 500 MB were seen; beyond it there may be no end."""

LOOK = 1024
"""Bytes looked at for the boundary, where the first line is longer than that or blank."""


@dataclass(frozen=True)
class Part:
    """One part, or a whole answer that is a single object. Read `chunks` before asking for the next."""

    headers: Headers
    chunks: Iterator[bytes | memoryview]


class Bundle:
    """The parts of one answer, of which `max_unwanted` bytes may be dropped."""

    def __init__(
        self, feed: str, answer: Answer, boundary: bytes, *, max_unwanted: int = MAX_UNWANTED
    ) -> None:
        self._feed, self._answer, self._max_unwanted = feed, answer, max_unwanted
        try:
            self._parser = MultipartParser(boundary)
        except Malformed as error:
            raise self._broken(error) from error
        self._events: deque[Event] = deque()
        self._failure: ServiceError | None = None
        self._ended = False
        self._unwanted = 0

    def parts(self) -> Iterator[Part]:
        """Every part; what was left unread of one is dropped before the next."""
        while event := self._next():
            if isinstance(event, PartStart):
                chunks = self._data()
                yield Part(event.headers, chunks)
                for rest in chunks:
                    self._drop(len(rest))

    def _data(self) -> Iterator[memoryview]:
        while isinstance(event := self._next(), PartData):
            yield event.data

    def _next(self) -> Event | None:
        while not self._events:
            if self._failure:
                raise self._failure
            if self._ended:
                return None
            self._read_on()
        return self._events.popleft()

    def _read_on(self) -> None:
        try:
            chunk = self._answer.read()
            if chunk:
                events = self._parser.receive_data(chunk)
                self._events.extend(events)
                self._drop(0 if events else len(chunk))
            else:
                self._ended = True
                self._events.extend(self._parser.close(vouched=self._answer.vouched))
        except TransferCut as cut:
            self._end_early(cut)
        except Truncated as error:
            self._failure = TransferCut(f"the bundle of {self._answer.place}: {error}", feed=self._feed)
        except ParseError as error:
            self._failure = self._broken(error)

    def _drop(self, size: int) -> None:
        self._unwanted += size
        if self._unwanted > self._max_unwanted:
            why = f"more than {self._max_unwanted} bytes came that belong to no photo"
            self._end_early(TransferCut(f"the bundle of {self._answer.place}: {why}", feed=self._feed))

    def _broken(self, error: ParseError) -> RetryLater:
        return RetryLater(f"the bundle of {self._answer.place}: {error}", feed=self._feed)

    def _end_early(self, cut: TransferCut) -> None:
        """The transfer was cut. Behind the closing delimiter that takes nothing away."""
        self._ended = True
        try:
            self._events.extend(self._parser.close())
        except ParseError:
            self._failure = cut


def find_boundary(answer: Answer) -> bytes | None:
    """The boundary of a multipart answer; None for a single object."""
    kind = parse_content_type(answer.headers.get("Content-Type"))
    # Any other type may be a bundle: the word multipart itself is misspelt (Q4).
    if kind.media_type.startswith(("image/", "text/")):
        return None
    head = answer.head(lambda head: b"\n" in head.lstrip() or len(head) >= LOOK)
    if not head or head.lstrip().startswith(b"<"):  # Q27: an error text under a multipart type
        return None
    said = boundaries(kind)
    seen = next((boundary for boundary in said if b"--" + boundary in head), None)
    # A long preamble hides the boundary from here (Q6); then the type is believed.
    return seen or sniff_boundary(head) or next(iter(said), None)
