"""`run`: every feed on its own interval until a signal comes; start and stop, no other logic.

First SIGTERM or SIGINT: no new work, what is in flight gets the grace period, then its transfer is
cut (the listing stays owed), every session logs out, exit 0. Second signal: the process ends at once.
"""

import os
import signal
import threading
import time
from datetime import datetime
from queue import SimpleQueue
from types import FrameType

import structlog

from service.bootstrap import House
from service.errors import FeedBusy, ServiceError, StopFeed
from service.ingest.cycle import run_cycle
from service.ingest.feed import Feed
from service.ingest.pace import Pace
from service.ingest.report import Report
from service.ingest.standby import stand_by
from service.web.desk import Desk
from service.web.routes import make_site
from service.web.server import WebServer

log = structlog.get_logger()

LOGOUT_TIME = 5.0
"""Seconds for the logouts after a cut: a server that is slower than that will expire the session itself."""


class Daemon:
    """Runs the feeds of a house, each on a thread of its own."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._feeds = [house.feed(name) for name in house.config.feeds]
        self._threads: dict[str, threading.Thread] = {}
        self._done: dict[str, datetime] = {}

    def run(self) -> None:
        """Until a signal. A feed that must stop leaves the others, and the process, running."""
        signals = catch_signals(self._stop)
        web = self._web()
        for feed in self._feeds:
            name = f"feed-{feed.name}"
            thread = threading.Thread(target=self._follow, args=(feed,), name=name, daemon=True)
            self._threads[feed.name] = thread
            thread.start()
        if web:
            web.start()
        log.info("daemon.started", feeds=[feed.name for feed in self._feeds], pid=os.getpid())
        signals.get()
        log.info("daemon.draining", grace_seconds=self._house.config.grace.total_seconds())
        threads = list(self._threads.values())
        _join(threads, self._house.config.grace.total_seconds())
        for feed in self._feeds:
            feed.source.abandon()
        left = _join([*threads, *([web.stop()] if web else [])], LOGOUT_TIME)
        log.info("daemon.stopped", abandoned=[thread.name for thread in left])
        if left:  # a thread that will not end must not keep the container from stopping
            os._exit(0)

    def _web(self) -> WebServer | None:
        house = self._house
        if house.config.web is None:
            return None
        desk = Desk(
            config=house.config,
            catalog=house.catalog,
            store=house.store,
            metrics=house.metrics,
            now=house.now,
            dead=self._dead,
            queue=lambda: house.uploaders.depth,
        )
        return WebServer(make_site(desk), house.config.web.address)

    def _dead(self) -> list[str]:
        """Feeds whose thread ended though nobody asked it to: a defect, which a restart may help."""
        ended = [name for name, thread in self._threads.items() if not thread.is_alive()]
        return [] if self._stop.is_set() else ended

    def _follow(self, feed: Feed) -> None:
        pace = Pace(feed, self._house.config.feeds[feed.name].interval, self._stop)
        pace.start()
        while not self._stop.is_set():
            error = self._cycle(feed)
            if isinstance(error, FeedBusy):
                continue  # the next cycle stands by before it begins
            if isinstance(error, StopFeed):
                hint = f"mend it, then restart, or retry {feed.name}"
                log.error("feed.stopped", feed=feed.name, error=str(error), hint=hint)
            pace.rest(error)

    def _cycle(self, feed: Feed) -> Exception | None:
        report = Report(feed.name)
        interval = self._house.config.feeds[feed.name].interval
        try:
            stand_by(feed, interval, self._done.get(feed.name), self._stop)
            with self._house.metrics.cycle(feed.name, report):
                return run_cycle(feed, report, self._stop).stopped
        except ServiceError as error:  # the catalog could not even note the run
            log.error("cycle.failed", feed=feed.name, error=str(error))  # noqa: TRY400 - expected: no trace
            return error
        except Exception as error:
            log.exception("cycle.crashed", feed=feed.name)
            return error
        finally:
            self._done[feed.name] = feed.clock()


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
