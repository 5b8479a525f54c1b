"""Photos by their MediaURL, several at once, in whatever order they come.

A media URL may lead anywhere: it is asked without the feed's credentials, but where the feed says
otherwise, and then at the feed's own host alone. Bodies are spooled as they come, so that one that is
cut can be taken up where it ended.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from queue import LifoQueue
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from requests import PreparedRequest

from parsers.records import Absent, Denied, Outcome, PhotoRef, Retryable, Unknown
from service.core.ports import IncomingPhoto
from service.errors import RetryLater, SkipItem, TransferCut
from service.feeds.answer import CHUNK, Answer
from service.feeds.auth import Anonymous
from service.feeds.hosts import resolve
from service.feeds.limits import Quota
from service.feeds.transport import TooManyRequests, Transport

SPOOL_MEMORY = 512 * 2**10
"""Bytes of one photo kept in memory, twice the usual one; a larger one goes to a temporary file."""

AHEAD = 2
"""Downloads under way or waiting to be read, for each connection: enough to keep every one busy."""

RESUMES = 3
"""How often a body that was cut is taken up again before the photo waits for the next cycle."""

LONGEST_WAIT = 60.0
"""Seconds for which a full window, or a 429, is sat out; for longer the cycle ends."""

STORM = 3
"""Refusals for too many requests in a row, over all connections, after which nothing more is asked."""


@dataclass(frozen=True, slots=True)
class ExpiredUrl(Retryable):
    """HTTP 401 or 403 on a photo's URL: its signature is too old, and the metadata has a new one."""


class OwnHost(Anonymous):
    """Credentials for the origin of one URL, and for no other: not when a redirect leads there either."""

    def __init__(self, inner: Anonymous, url: str) -> None:
        self._inner, self._origin = inner, _origin(url)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """The request, with credentials where it goes to that origin."""
        return self._inner(request) if _origin(request.url or "") == self._origin else request

    def learn(self, challenges: Sequence[str], *, refused: bool) -> bool:
        """As the credentials do."""
        return self._inner.learn(challenges, refused=refused)


@dataclass(slots=True)
class _Fetched:
    """One download that has ended: a body at its start, or why there is none."""

    listing: str
    ref: PhotoRef
    outcome: Outcome | None
    body: BinaryIO | None = None

    def photo(self) -> Iterator[IncomingPhoto]:
        if self.body is None:
            yield IncomingPhoto(self.listing, self.ref, self.outcome)
            return
        with self.body as spool:
            yield IncomingPhoto(self.listing, self.ref, chunks=iter(lambda: spool.read(CHUNK), b""))

    def drop(self) -> None:
        if self.body is not None:
            self.body.close()


class MediaDownloads:
    """Downloads of one feed, `connections` at once; `make_transport` gives each of them its own.

    A URL may be relative to `base`.
    """

    def __init__(
        self,
        feed: str,
        make_transport: Callable[[], Transport],
        quota: Quota,
        *,
        connections: int,
        max_bytes: int,
        base: str = "",
    ) -> None:
        self._feed, self._quota, self._max_bytes, self._base = feed, quota, max_bytes, base
        self._transports = [make_transport() for _ in range(connections)]
        self._free: LifoQueue[Transport] = LifoQueue()
        for transport in self._transports:
            self._free.put(transport)
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix=f"media-{feed}")
        self._most = AHEAD * connections
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._refusals = 0

    def abandon(self) -> None:
        """Cut whatever runs, from another thread."""
        self._over.set()
        for transport in self._transports:
            transport.abandon()

    def close(self) -> None:
        """Wait for what was cut, and close idle connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for transport in self._transports:
            transport.close()

    def fetch(self, items: Sequence[tuple[str, PhotoRef]]) -> Iterator[IncomingPhoto]:
        """The photos of (listing, ref), in the order in which they come.

        Raises RetryLater when the limits are used up or the server refuses one request after the
        other, and TransferCut once abandoned.
        """
        rest = iter(items)
        running = {self._begin(item) for item in islice(rest, self._most)}
        try:
            while running:
                ended = wait(running, return_when=FIRST_COMPLETED).done.pop()
                running.remove(ended)
                running |= {self._begin(item) for item in islice(rest, 1)}
                yield from ended.result().photo()
        finally:
            for future in running:
                future.cancel()
                future.add_done_callback(_drop)

    def _begin(self, item: tuple[str, PhotoRef]) -> "Future[_Fetched]":
        return self._pool.submit(self._fetch, *item)

    def _fetch(self, listing: str, ref: PhotoRef) -> _Fetched:
        if not ref.url:
            return _Fetched(listing, ref, Retryable("the feed gives no URL for it yet"))
        transport = self._free.get()
        spool = cast("BinaryIO", SpooledTemporaryFile(max_size=SPOOL_MEMORY))  # noqa: SIM115 - its reader closes it
        try:
            outcome = self._download(transport, resolve(self._base, ref.url), spool)
        except BaseException:
            spool.close()
            raise
        finally:
            self._free.put(transport)
        if outcome is None:
            spool.seek(0)
            return _Fetched(listing, ref, None, spool)
        spool.close()
        return _Fetched(listing, ref, outcome)

    def _download(self, transport: Transport, url: str, spool: BinaryIO) -> Outcome | None:
        """None when the whole body is in the spool."""
        mark = ""  # what the server calls this content: taken up again only while it is the same
        why = Retryable("its transfer was cut again and again")
        for _ in range(1 + RESUMES):
            had = spool.tell() if mark else spool.seek(0)
            headers = {"Range": f"bytes={had}-", "If-Range": mark} if had else {}
            try:
                answer = self._ask(transport, url, headers)
            except SkipItem as error:
                return Denied(f"{error.what} ({error.hint})" if error.hint else error.what)
            if isinstance(answer, Retryable):
                return answer
            with answer:
                if not (had and _goes_on(answer, had)):
                    if answer.status != 200:
                        return _meaning(answer)
                    spool.seek(0)
                    spool.truncate()
                mark = _mark(answer)
                try:
                    return self._read(answer, spool)
                except TransferCut as cut:
                    if self._over.is_set():
                        raise
                    why = Retryable(cut.what)
        return why

    def _ask(self, transport: Transport, url: str, headers: dict[str, str]) -> Answer | Retryable:
        self._admit()
        try:
            answer = transport.get(url, headers=headers)
        except TransferCut:
            raise
        except TooManyRequests as refusal:
            return self._calm(refusal)
        except RetryLater as error:
            return Retryable(error.what)
        with self._lock:
            self._refusals = 0
        return answer

    def _admit(self) -> None:
        while seconds := self._quota.wait():
            if seconds > LONGEST_WAIT:
                raise RetryLater("the limits of this feed are used up", feed=self._feed, after=seconds)
            if self._over.wait(seconds):
                return  # the transport refuses from now on, and says why

    def _calm(self, refusal: TooManyRequests) -> Retryable:
        with self._lock:
            self._refusals += 1
            storm = self._refusals >= STORM
        after = refusal.after or 0.0
        self._quota.rest(after)
        if storm or after > LONGEST_WAIT:
            raise RetryLater(refusal.what, feed=self._feed, after=refusal.after)
        return Retryable(refusal.what)

    def _read(self, answer: Answer, spool: BinaryIO) -> Outcome | None:
        while chunk := answer.read():
            spool.write(chunk)
            self._quota.came(len(chunk))
            if spool.tell() > self._max_bytes:
                return Unknown(f"larger than max_photo_bytes = {self._max_bytes}")
        return None


def _goes_on(answer: Answer, had: int) -> bool:
    """Whether this is the rest (RFC 9110 14.4); a 200 is the whole, from its start."""
    said = answer.headers.get("Content-Range") or ""
    return answer.status == 206 and said.replace(" ", "").lower().startswith(f"bytes{had}-")


def _mark(answer: Answer) -> str:
    """A strong validator (RFC 9110 13.1.5); "" where the rest could be another picture's."""
    etag = answer.headers.get("ETag") or ""
    return etag if etag.startswith('"') else ""


def _meaning(answer: Answer) -> Outcome:
    said = f"{answer.place} answered HTTP {answer.status}"
    if answer.status in (404, 410):
        return Absent(said)
    if answer.status in (401, 403):
        return ExpiredUrl(f"{said}: its URL may be too old")
    return Retryable(said)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _drop(future: "Future[_Fetched]") -> None:
    """Nobody reads it any more."""
    if not future.cancelled() and future.exception() is None:
        future.result().drop()
