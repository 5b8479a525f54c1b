"""A cycle under its lease: what keeps others out, and what happens when the lease is lost in the middle."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from service.core.ports import Wanted
from service.errors import LeaseLost, RetryLater
from service.ingest.cycle import run_cycle
from service.ingest.feed import Feed
from service.ingest.report import Report
from service.ingest.standby import stand_by
from service.ingest.tenure import working_on
from service.simulator.answers import RawAnswer
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, listing, photo, world
from tests.stores.support import wait_until

SECOND = timedelta(seconds=1)


class Stalling:
    """An MLS that answers GetObject only when it is let go."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.asked, self.go = threading.Event(), threading.Event()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        if transaction == "GetObject":
            self.asked.set()
            self.go.wait(60)
        return self.mls.answer(transaction, params)


class Beating:
    """A catalog whose renewals can be made to fail."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.beats = 0
        self.fail: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def renew_lease(self, lease: Any) -> bool:
        self.beats += 1
        self.fail()
        return bool(self._inner.renew_lease(lease))


class Stage:
    """Two processes' worth of houses on one catalog and one feed; the first one stalls in GetObject."""

    def __init__(self, inner: World, answers: Stalling) -> None:
        self.world, self.answers = inner, answers
        self.catalog = Beating(inner.house.catalog)
        feed = inner.house.feed(inner.feed)
        self.mine = replace(feed, lease=SECOND, catalog=self.catalog)
        self.theirs = replace(inner.house.feed(inner.feed), lease=SECOND)
        self.report = Report(inner.feed)

    @contextmanager
    def cycle(self) -> Iterator[None]:
        """A cycle in the middle of its request for photos; it ends with the block."""
        error: list[BaseException] = []

        def run() -> None:
            try:
                run_cycle(self.mine, self.report, threading.Event())
            except RuntimeError as crash:
                error.append(crash)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert self.answers.asked.wait(20)
            yield
        finally:
            self.answers.go.set()
            thread.join(30)
        if error:
            raise error[0]

    def other_cycle(self, patience: timedelta = timedelta()) -> Report:
        return run_cycle(self.theirs, Report(self.world.feed), threading.Event(), patience=patience)

    def overtake(self) -> None:
        """What another process does after this one was paused for long."""
        catalog = self.world.house.catalog
        wait_until(lambda: catalog.take_lease(self.world.feed, "the successor", 60) is not None)


@pytest.fixture
def stage(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Stage]:
    mls = Mls([listing("1001", photo(1), photo(2)), listing("1002", photo(3), day=1)])
    answers = Stalling(mls)
    with world(s3, tmp_path, "COMPACT", answers=answers, mls=mls, timeout="60s") as made:
        yield Stage(made, answers)
        answers.go.set()


def test_a_cycle_gives_its_feed_back(stage: Stage) -> None:
    stage.answers.go.set()
    assert stage.other_cycle().ok
    assert stage.world.house.catalog.holder(stage.world.feed) is None


def test_a_second_process_leaves_the_feed_alone_and_says_who_has_it(stage: Stage) -> None:
    with stage.cycle():
        logins = len(stage.world.server.requests)
        report = stage.other_cycle()
        assert report.error is not None
        assert "process" in report.error
        assert "works on it" in report.error
        assert report.end == "busy"
        assert len(stage.world.server.requests) == logins
    assert stage.report.ok
    assert stage.other_cycle().ok


def test_the_heart_keeps_the_feed_for_longer_than_a_lease_lasts(stage: Stage) -> None:
    stage.mine = replace(stage.mine, lease=2 * SECOND)
    with stage.cycle():
        beats = stage.catalog.beats
        assert not stage.other_cycle(patience=4 * SECOND).ok
        assert stage.catalog.beats >= beats + 3
    assert stage.report.ok


def test_patience_outlasts_the_other_ones_cycle(stage: Stage) -> None:
    with stage.cycle():
        timer = threading.Timer(0.5, stage.answers.go.set)
        timer.start()
        assert stage.other_cycle(patience=timedelta(seconds=30)).ok
        timer.join()


def test_whoever_waits_is_stopped_at_once(stage: Stage) -> None:
    stop = threading.Event()
    with stage.cycle():
        threading.Timer(0.3, stop.set).start()
        with working_on(stage.theirs, stop, patience=timedelta(hours=1)) as mine:
            assert mine is None


def silence() -> None:
    raise RetryLater("catalog: no answer")


def test_a_holder_that_was_overtaken_commits_puts_and_asks_nothing_more(stage: Stage) -> None:
    stage.catalog.fail = silence  # as if it were paused: the lease lapses
    with stage.cycle():
        stage.overtake()
        asked = len(stage.world.asked())
        stage.catalog.fail = lambda: None
    assert isinstance(stage.report.stopped, LeaseLost)
    assert len(stage.world.asked()) == asked
    assert stage.world.house.catalog.stored_sets(stage.world.feed, ["1001", "1002"]) == {}
    assert stage.world.manifest("1001") is None
    holder = stage.world.house.catalog.holder(stage.world.feed)
    assert holder is not None
    assert holder.who == "the successor"
    assert stage.world.house.catalog.status(stage.world.feed).last_error == stage.report.error


def put_manifest(feed: Feed, key: str) -> None:
    body = b"{}"
    sha = sha256(body).hexdigest()
    feed.store.put(key, BytesIO(body), len(body), sha, media_type="application/json", cache_control="")


OUTWARD: dict[str, Callable[[Feed, str], object]] = {
    "delete": lambda feed, key: feed.store.delete([key]),
    "put": put_manifest,
    "log in": lambda feed, _: feed.source.open(),
    "ask": lambda feed, _: list(feed.source.open_photos([Wanted("1001")])),
}


@pytest.mark.parametrize("act", OUTWARD.values(), ids=OUTWARD)
def test_a_holder_that_was_overtaken_touches_neither_bucket_nor_feed(
    stage: Stage, act: Callable[[Feed, str], object]
) -> None:
    stage.answers.go.set()
    assert stage.other_cycle().ok
    key = f"{stage.world.feed}/1001/manifest.json"
    before = stage.world.house.store.get(key)
    with working_on(stage.mine, threading.Event(), patience=SECOND) as feed:
        assert feed is not None
        stage.catalog.fail = silence
        stage.overtake()
        stage.catalog.fail = lambda: None
        asked = len(stage.world.server.requests)
        with pytest.raises(LeaseLost):
            act(feed, key)
    assert stage.world.house.store.get(key) == before
    assert len(stage.world.server.requests) == asked


def test_a_catalog_that_is_silent_for_a_while_costs_nothing(stage: Stage) -> None:
    stage.catalog.fail = silence
    with structlog.testing.capture_logs() as logs:
        with stage.cycle():
            wait_until(lambda: stage.catalog.beats >= 4)  # longer than the lease lasts
            stage.catalog.fail = lambda: None
        assert stage.report.ok
    assert {line["event"] for line in logs} >= {"lease.late", "cycle.ended"}


def test_a_heartbeat_that_dies_is_loud(stage: Stage) -> None:
    def die() -> None:
        raise ZeroDivisionError("a bug")

    stage.catalog.fail = die
    with structlog.testing.capture_logs() as logs:
        with pytest.raises(RuntimeError, match="heartbeat") as caught, stage.cycle():
            wait_until(lambda: stage.catalog.beats >= 1)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "lease.heartbeat_died" in {line["event"] for line in logs}


def test_a_killed_process_is_named_when_its_feed_is_taken_over(stage: Stage) -> None:
    catalog = stage.world.house.catalog
    assert catalog.take_lease(stage.world.feed, "process 7 on elsewhere", 0.5)
    stage.answers.go.set()
    with structlog.testing.capture_logs() as logs:
        assert stage.other_cycle(patience=timedelta(seconds=20)).ok
    taken = [line for line in logs if line["event"] == "lease.taken_over"]
    assert [line["of"] for line in taken] == ["process 7 on elsewhere"]


# Standing by.


def stands_by(stage: Stage, interval: timedelta, mine: Any) -> threading.Thread:
    feed = replace(stage.theirs, clock=lambda: stage.world.now[0])
    thread = threading.Thread(target=stand_by, args=(feed, interval, mine, stage.world.stop))
    thread.start()
    return thread


def test_a_feed_that_another_process_has_looked_at_is_left_to_it_for_an_interval(stage: Stage) -> None:
    stage.answers.go.set()
    mine = stage.world.now[0]
    stage.world.now[0] += SECOND
    assert stage.other_cycle().ok
    thread = stands_by(stage, timedelta(hours=1), mine)
    thread.join(0.3)
    assert thread.is_alive()
    stage.world.now[0] += timedelta(hours=1)
    thread.join(0.3)
    assert thread.is_alive()  # the other one comes first
    stage.world.now[0] += stage.theirs.lease
    thread.join(20)
    assert not thread.is_alive()


def test_a_feed_that_another_process_works_on_is_left_to_it_until_it_dies(stage: Stage) -> None:
    catalog = stage.world.house.catalog
    lease = catalog.take_lease(stage.world.feed, "process 7 on elsewhere", 1.5)
    assert lease is not None
    thread = stands_by(stage, timedelta(hours=1), stage.world.now[0])
    thread.join(0.3)
    assert thread.is_alive()
    thread.join(20)
    assert not thread.is_alive()


def test_a_daemon_that_is_alone_waits_for_nobody(stage: Stage) -> None:
    stage.answers.go.set()
    assert stage.other_cycle().ok
    for mine in (None, stage.world.now[0] + SECOND):
        thread = stands_by(stage, timedelta(hours=1), mine)
        thread.join(20)
        assert not thread.is_alive()


def test_whoever_stands_by_is_stopped_at_once(stage: Stage) -> None:
    assert stage.world.house.catalog.take_lease(stage.world.feed, "process 7 on elsewhere", 600)
    thread = stands_by(stage, timedelta(hours=1), stage.world.now[0])
    stage.world.stop.set()
    thread.join(20)
    assert not thread.is_alive()
