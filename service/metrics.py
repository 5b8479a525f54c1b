"""What Prometheus reads. Every metric's name stands here, and the only import of its library.

Three sources: cycles are counted while they run, so that a first load of hours shows from its first
minute; puts and fetches are timed where they happen; what a feed's catalog holds is read when
somebody scrapes. Labels are feed names and ends, so there are never more series than that.
"""

import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.errors import ServiceError

PREFIX = "listing_photos_"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the exposition; every Prometheus reads this one."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from a put on a local disk to the time at which the client gives up."""

PHOTO_OUTCOMES = ("downloaded", "uploaded", "unchanged", "moved", "removed", "failed")

COUNTED = {
    "listings": ("listings_seen", "Listings that the feed's searches gave."),
    "listings_removed": ("listings_removed", "Listings removed because the feed has them no more."),
    "avoided": ("downloads_avoided", "Photos that were current in the store and not asked for."),
    "retried": ("retries", "Listings tried again after a failed attempt."),
    "bytes": ("received_bytes", "Bytes of photos received from the feed."),
    "manifests": ("manifests", "Manifests written."),
    "swept": ("swept_objects", "Objects deleted after their grace period."),
}
"""A cycle's count -> the counter's name and meaning. Counts of photos are one counter, by outcome."""


class Cycle(Protocol):
    """A cycle of a feed, counted while it runs."""

    @property
    def end(self) -> str:
        """How it ended, in one of a few words."""

    def snapshot(self) -> Mapping[str, int]:
        """The counts as they are now; none of them ever falls."""


@dataclass(frozen=True, slots=True)
class FeedGauges:
    """One feed as its catalog tells it. `lag` is in seconds, None before the first cycle."""

    feed: str
    lag: float | None
    interval: float
    listings: int
    photos: int
    owed: int
    parked: int
    holds: int
    leased: bool
    stopped: bool


GAUGES: tuple[tuple[str, str, Callable[[FeedGauges], float | None]], ...] = (
    ("lag_seconds", "Time since the feed's last successful cycle.", lambda feed: feed.lag),
    ("interval_seconds", "The feed's configured interval.", lambda feed: feed.interval),
    ("stored_listings", "Listings in the bucket.", lambda feed: feed.listings),
    ("stored_photos", "Photos in the bucket.", lambda feed: feed.photos),
    ("owed_listings", "The backlog: listings that are not yet as the feed says.", lambda feed: feed.owed),
    ("parked_listings", "Owed listings that are tried daily only.", lambda feed: feed.parked),
    ("holds", "Guards that keep the feed's deletions back.", lambda feed: feed.holds),
    ("lease_held", "1 when a living process has the feed's lease.", lambda feed: feed.leased),
    ("stopped", "1 when the feed waits for somebody to mend its configuration.", lambda feed: feed.stopped),
)


class Metrics:
    """One registry, and what happens to it. Any thread may call it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._puts = self._histogram("put_seconds", "One object put into the store.", "end")
        self._fetches = self._histogram("fetch_seconds", "From asking to the first answer.", "feed", "end")
        self._runs = Counter(PREFIX + "runs", "Cycles, by end.", ("feed", "end"), registry=self.registry)
        self._cycles = _Cycles()
        self.registry.register(self._cycles)

    def watch(self, feeds: Callable[[], Iterable[FeedGauges]], queue: Callable[[], int]) -> None:
        """Read these at every scrape. `feeds` may raise a ServiceError: catalog_up is 0 then."""
        self.registry.register(_States(feeds, queue))

    @contextmanager
    def cycle(self, feed: str, cycle: Cycle) -> Iterator[None]:
        """Count this cycle for as long as it runs, then its end."""
        end = "crashed"
        with self._cycles.running(feed, cycle):
            try:
                yield
                end = cycle.end
            except ServiceError:
                end = "failed"
                raise
            finally:
                self._runs.labels(feed, end).inc()

    @contextmanager
    def put(self) -> Iterator[None]:
        """Time a put."""
        with _timed(self._puts):
            yield

    @contextmanager
    def fetch(self, feed: str) -> Iterator[None]:
        """Time a request for photos up to its first answer."""
        with _timed(self._fetches, feed):
            yield

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(PREFIX + name, about, labels, registry=self.registry, buckets=BUCKETS)


@contextmanager
def _timed(histogram: Histogram, *labels: str) -> Iterator[None]:
    started, end = time.monotonic(), "failed"
    try:
        yield
        end = "ok"
    finally:
        histogram.labels(*labels, end).observe(time.monotonic() - started)


class _Cycles(Collector):
    """Counts of the cycles that ended, and of those that run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: dict[str, Tally[str]] = {}
        self._running: dict[str, Cycle] = {}

    @contextmanager
    def running(self, feed: str, cycle: Cycle) -> Iterator[None]:
        with self._lock:
            self._running[feed] = cycle
        try:
            yield
        finally:
            with self._lock:
                self._ended[feed] = self._total(feed)
                del self._running[feed]

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            totals = {feed: self._total(feed) for feed in self._ended.keys() | self._running.keys()}
        photos = CounterMetricFamily(PREFIX + "photos", "Photos, by outcome.", labels=("feed", "outcome"))
        for feed, counts in totals.items():
            for outcome in PHOTO_OUTCOMES:
                photos.add_metric((feed, outcome), counts[outcome])
        yield photos
        for count, (name, about) in COUNTED.items():
            counter = CounterMetricFamily(PREFIX + name, about, labels=("feed",))
            for feed, counts in totals.items():
                counter.add_metric((feed,), counts[count])
            yield counter

    def _total(self, feed: str) -> Tally[str]:
        cycle = self._running.get(feed)
        return Tally(self._ended.get(feed, {})) + Tally(cycle.snapshot() if cycle else {})


class _States(Collector):
    """What catalog and queue hold at the moment of a scrape."""

    def __init__(self, feeds: Callable[[], Iterable[FeedGauges]], queue: Callable[[], int]) -> None:
        self._feeds = feeds
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        depth = self._queue()
        yield GaugeMetricFamily(PREFIX + "upload_queue", "Uploads that wait or run.", value=depth)
        try:
            feeds = list(self._feeds())
        except ServiceError:  # a scrape must still tell the rest, and that this is missing
            feeds = None
        up = feeds is not None
        yield GaugeMetricFamily(PREFIX + "catalog_up", "1 when the catalog answered this scrape.", value=up)
        for name, about, value in GAUGES:
            gauge = GaugeMetricFamily(PREFIX + name, about, labels=("feed",))
            for feed in feeds or ():
                if (number := value(feed)) is not None:
                    gauge.add_metric((feed.feed,), number)
            yield gauge
