"""`run`: every feed on its own interval until a signal comes; start and stop, no other logic.

First SIGTERM or SIGINT: no new work, what is in flight gets the grace period, then its transfer is
cut (the listing stays owed), every session logs out, exit 0. Second signal: the process ends at once.
"""

import os
import signal
import threading
import time
from datetime import timedelta
from queue import SimpleQueue
from types import FrameType

import structlog

from service.bootstrap import House
from service.core.schedule import next_attempt
from service.errors import ServiceError, StopFeed
from service.ingest.cycle import run_cycle
from service.ingest.feed import Feed
from service.ingest.report import Report

log = structlog.get_logger()

LOGOUT_TIME = 5.0
"""Seconds for the logouts after a cut: a server that is slower than that will expire the session itself."""


class Daemon:
    """Runs the feeds of a house, each on a thread of its own."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._feeds = [house.feed(name) for name in house.config.feeds]

    def run(self) -> None:
        """Until a signal. A feed that must stop leaves the others, and the process, running."""
        signals = catch_signals(self._stop)
        threads = [
            threading.Thread(target=self._follow, args=(feed,), name=f"feed-{feed.name}", daemon=True)
            for feed in self._feeds
        ]
        for thread in threads:
            thread.start()
        log.info("daemon.started", feeds=[feed.name for feed in self._feeds], pid=os.getpid())
        signals.get()
        log.info("daemon.draining", grace_seconds=self._house.config.grace.total_seconds())
        _join(threads, self._house.config.grace.total_seconds())
        for feed in self._feeds:
            feed.source.abandon()
        left = _join(threads, LOGOUT_TIME)
        log.info("daemon.stopped", abandoned=[thread.name for thread in left])
        if left:  # a thread that will not end must not keep the container from stopping
            os._exit(0)

    def _follow(self, feed: Feed) -> None:
        interval = self._house.config.feeds[feed.name].interval
        failures = 0
        while not self._stop.is_set():
            error = self._cycle(feed)
            if isinstance(error, StopFeed):
                log.error("feed.stopped", feed=feed.name, error=str(error), hint="mend it, then restart")
                return
            failures = failures + 1 if error else 0
            wait = interval if not failures else min(interval, self._backoff(feed, failures))
            self._stop.wait(wait.total_seconds())

    def _cycle(self, feed: Feed) -> Exception | None:
        try:
            return run_cycle(feed, Report(feed.name), self._stop).stopped
        except ServiceError as error:  # the catalog could not even note the run
            log.error("cycle.failed", feed=feed.name, error=str(error))  # noqa: TRY400 - expected: no trace
            return error
        except Exception as error:
            log.exception("cycle.crashed", feed=feed.name)
            return error

    def _backoff(self, feed: Feed, failures: int) -> timedelta:
        now = feed.clock()
        return next_attempt(failures, now, feed.jitter()) - now


def catch_signals(stop: threading.Event) -> SimpleQueue[int]:
    """The first SIGTERM or SIGINT sets `stop`, the second ends the process with 128 + its number.

    The main thread may wait on the queue, never on `stop` itself: a handler runs inside the main
    thread, and would deadlock on an event whose lock that thread holds. A SimpleQueue is reentrant.
    """
    signals: SimpleQueue[int] = SimpleQueue()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        signals.put(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return signals


def _join(threads: list[threading.Thread], seconds: float) -> list[threading.Thread]:
    """The threads that still run after that time."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in threads if thread.is_alive()]
