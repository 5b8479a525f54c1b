"""One process works on a feed: it holds the feed's lease, and notices when it has lost it.

The heartbeat renews the lease; when it cannot, what it guards asks the catalog itself before it
goes on. The catalog refuses every write of a lost lease in the same transaction, so a process that
was paused, or that lives on a machine whose clock jumped, changes nothing there. A bucket knows no
such fence: `leased.py` asks right before it writes or deletes. What still slips into the moment between
question and request is made good: a manifest by `manifest_written` (service/core/ports.py), a
deletion by the audit.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import structlog

from service.core.ports import Catalog, Lease
from service.errors import FeedBusy, LeaseLost, RetryLater
from service.ingest.feed import Feed
from service.ingest.leased import LeasedSource, LeasedStore

log = structlog.get_logger()

BEATS = 3
"""Renewals in the time that a lease lasts: two may fail, and the third one still comes in time."""

LOOKS = 10
"""How often whoever waits looks in the time that a lease lasts."""

# A clock that goes on while the machine is suspended, where there is one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Tenure:
    """A lease and its heartbeat, from `begin` to `end`; any thread may ask it."""

    def __init__(self, catalog: Catalog, lease: Lease, asked: float) -> None:
        self._catalog = catalog
        self._lease = lease
        self._good_until = asked + lease.seconds
        self._lost = False
        self._crash: BaseException | None = None
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat_on, name=f"lease-{lease.feed}", daemon=True)

    def begin(self) -> None:
        """The heart beats."""
        self._heart.start()

    def end(self) -> None:
        """The feed is free. RuntimeError when the heartbeat broke on a mistake of ours."""
        self._over.set()
        self._heart.join()
        try:
            self._catalog.end_lease(self._lease)
        except RetryLater as error:  # it lapses by itself
            log.warning("lease.not_given_back", feed=self._lease.feed, error=str(error))
        if self._crash is not None:
            raise RuntimeError(f"the heartbeat of feed {self._lease.feed} died") from self._crash

    def confirm(self) -> None:
        """Raises LeaseLost when another process has the feed; asks the catalog when the heart is late."""
        if self._lost or now() >= self._good_until:
            self.renew()

    def renew(self) -> None:
        """Ask the catalog, which knows. LeaseLost when another has the feed, RetryLater when it is silent."""
        asked = now()
        if self._lost or not self._catalog.renew_lease(self._lease):
            self._lost = True
            raise LeaseLost("another process has taken over", feed=self._lease.feed)
        self._good_until = asked + self._lease.seconds

    def _beat_on(self) -> None:
        try:
            while not self._over.wait(self._lease.seconds / BEATS):
                self._beat()
        except LeaseLost as error:
            log.error("lease.lost", feed=self._lease.feed, error=str(error))  # noqa: TRY400 - expected: no trace
        except BaseException as error:
            self._crash = error
            log.exception("lease.heartbeat_died", feed=self._lease.feed)

    def _beat(self) -> None:
        try:
            self.renew()
        except RetryLater as error:  # the next beat tries again, and `confirm` before whatever matters
            log.warning("lease.late", feed=self._lease.feed, error=str(error))


@contextmanager
def working_on(feed: Feed, stop: threading.Event, *, patience: timedelta) -> Iterator[Feed | None]:
    """The feed for the one process that works on it: its catalog, store and source end with the lease.

    None when `stop` was set before the feed was free; FeedBusy when it was not free for so long.
    """
    asked = now()
    lease = _take(feed, stop, asked + patience.total_seconds())
    if lease is None:
        yield None
        return
    tenure = Tenure(feed.catalog, lease, asked)
    tenure.begin()
    try:
        yield replace(
            feed,
            catalog=feed.catalog.fenced(lease),
            store=LeasedStore(feed.store, tenure.confirm, tenure.renew),
            source=LeasedSource(feed.source, tenure.confirm),
        )
    finally:
        tenure.end()


def _take(feed: Feed, stop: threading.Event, until: float) -> Lease | None:
    seconds = feed.lease.total_seconds()
    who = f"process {os.getpid()} on {socket.gethostname()}"
    while not stop.is_set():
        if lease := feed.catalog.take_lease(feed.name, who, seconds):
            if lease.from_dead:
                log.warning("lease.taken_over", feed=feed.name, of=lease.from_dead)
            return lease
        if now() >= until:
            raise _busy(feed)
        stop.wait(seconds / LOOKS)
    return None


def _busy(feed: Feed) -> FeedBusy:
    holder = feed.catalog.holder(feed.name)
    who = f"{holder.who}, since {holder.since.isoformat(timespec='seconds')}" if holder else "another process"
    hint = "its cycle must end first; a process that was killed is forgotten after `lease`"
    return FeedBusy(f"{who}, works on it", feed=feed.name, hint=hint)


def now() -> float:
    """Seconds of a clock that nobody sets."""
    return time.clock_gettime(_CLOCK)
