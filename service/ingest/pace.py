"""How long a daemon waits before it looks at a feed again.

An operator's word (`retry`, `undelete`, `allow-purge`, the page's button) is a mark in the catalog, and
ends every wait within seconds. A feed that must stop waits for nothing else.
"""

import threading
import time
from datetime import timedelta

import structlog

from service.core.ports import WAKE
from service.core.schedule import Breaker, next_attempt
from service.errors import ServiceError
from service.ingest.feed import Feed

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""How often a waiting daemon looks for an operator's word: one small read."""


class Pace:
    """The waits of one feed, on its own thread."""

    def __init__(self, feed: Feed, interval: timedelta, stop: threading.Event) -> None:
        self._feed, self._interval, self._stop = feed, interval, stop
        self._failures = 0
        self._heard: str | None = None
        self._heard = self._word()

    def start(self) -> None:
        """Before the first cycle: a restart does not ask a server that an open breaker protects."""
        breaker = self._breaker()
        if breaker.on_trial and not breaker.stopped:
            self._sleep(breaker.wait(self._feed.clock(), self._interval))

    def rest(self, error: Exception | None) -> None:
        """After a cycle that ended so."""
        self._failures = self._failures + 1 if error else 0
        self._sleep(self._wait(error))
        self._heard = self._word()

    def _wait(self, error: Exception | None) -> timedelta | None:
        """None waits for a word."""
        now, breaker = self._feed.clock(), self._breaker()
        if error is None:
            return self._interval
        if breaker.stopped:
            return None
        if breaker.until and breaker.until > now:
            return breaker.wait(now, self._interval)
        # The store or the catalog failed, and not the feed: it is not kept waiting for them.
        return min(self._interval, next_attempt(self._failures, now, self._feed.jitter()) - now)

    def _sleep(self, wait: timedelta | None) -> None:
        until = None if wait is None else time.monotonic() + wait.total_seconds()
        while True:
            left = LOOK_SECONDS if until is None else until - time.monotonic()
            if left <= 0 or self._stop.wait(min(left, LOOK_SECONDS)):
                return
            if self._word() != self._heard:
                log.info("feed.called", feed=self._feed.name)
                return

    def _breaker(self) -> Breaker:
        try:
            return self._feed.catalog.breaker(self._feed.name)
        except ServiceError as error:  # the cycle tells the same, loudly
            log.debug("feed.blind", feed=self._feed.name, error=str(error))
            return Breaker()

    def _word(self) -> str | None:
        try:
            return self._feed.catalog.mark(self._feed.name, WAKE)
        except ServiceError as error:
            log.debug("feed.deaf", feed=self._feed.name, error=str(error))
            return self._heard
