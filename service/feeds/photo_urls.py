"""Photos that an answer does not bring but points to: fetched without credentials, from public hosts.

Only a URL's own picture counts. Its absence says nothing about the photo, since a list of URLs is
the feed's word and a missing file is not.
"""

from collections.abc import Iterator

from parsers.records import Denied, Redirect, Retryable
from parsers.rets.objects import is_image_start, judge_image, read_object_head
from service.core.ports import IncomingPhoto
from service.errors import RetryLater, SkipItem, TransferCut
from service.feeds.answer import Answer
from service.feeds.hosts import PublicHosts
from service.feeds.rets_client import Observer
from service.feeds.rets_objects import MAGIC_BYTES
from service.feeds.transport import WAITS, Transport
from service.rets_config import RetsFeed


class PhotoUrls:
    """GETs pictures for one feed. `abandon` may be called from another thread."""

    def __init__(
        self,
        feed: str,
        config: RetsFeed,
        observer: Observer | None = None,
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._observer = observer
        self._transport = Transport(
            feed,
            PublicHosts(feed, config.login_url, config.photo_networks),
            silence=config.timeout.total_seconds(),
            headers={"User-Agent": config.user_agent, "Accept": "image/*, */*"},
            waits=waits,
            ca_file=config.ca_file,
        )

    def abandon(self) -> None:
        """Cut the running transfer and refuse all others."""
        self._transport.abandon()

    def close(self) -> None:
        """Close idle connections."""
        self._transport.close()

    def fetch(self, photo: IncomingPhoto, redirect: Redirect) -> Iterator[IncomingPhoto]:
        """The photo with its picture, or with the reason why there is none. Yields once."""
        try:
            answer = self._get(redirect.url)
        except TransferCut:
            raise
        except RetryLater as error:
            photo.outcome = Retryable(error.what)
            yield photo
            return
        except SkipItem as error:
            photo.outcome = Denied(f"{error.what} ({error.hint})" if error.hint else error.what)
            yield photo
            return
        with answer:
            _read(photo, answer)
            yield photo

    def _get(self, url: str) -> Answer:
        if self._observer is None:
            return self._transport.get(url)
        answer = self._transport.get(self._observer.asked_photo(url))
        answer.look_through(*self._observer.answered(answer.url, answer.status, answer.headers))
        return answer


def _read(photo: IncomingPhoto, answer: Answer) -> None:
    """Magic bytes decide here as everywhere: an error page with HTTP 200 is no picture."""
    photo.outcome = None
    if answer.status != 200:
        photo.outcome = Retryable(f"{answer.place} answered HTTP {answer.status}")
        return
    try:
        first = answer.head(lambda head: len(head) >= MAGIC_BYTES)
    except TransferCut as cut:
        photo.outcome = Retryable(cut.what)
        return
    if is_image_start(read_object_head(answer.headers), first):
        photo.chunks = iter(answer.read, b"")
    else:
        photo.outcome = judge_image(None, len(first), "", first)
