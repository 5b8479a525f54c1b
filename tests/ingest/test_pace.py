"""How long a daemon waits, and what ends its wait."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from service.core.schedule import OPEN_AFTER, Breaker
from service.errors import RetryLater
from service.ingest import pace
from service.ingest.pace import Pace
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, world

HOUR = timedelta(hours=1)
WAITS, ENDS = 0.3, 30.0
"""Seconds: a wait of an hour is still waiting after this; and what has ended is seen long before that."""


@pytest.fixture
def house(s3: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(pace, "LOOK_SECONDS", 0.02)
    with world(s3, tmp_path, "COMPACT") as made:
        yield made
        made.stop.set()


@pytest.fixture
def feed_pace(house: World) -> Pace:
    return Pace(house.house.feed(house.feed), HOUR, house.stop)


def begin(wait: threading.Thread) -> threading.Thread:
    wait.start()
    wait.join(WAITS)
    return wait


def resting(feed_pace: Pace, error: Exception | None = None) -> threading.Thread:
    return begin(threading.Thread(target=feed_pace.rest, args=(error,), daemon=True))


def is_over(wait: threading.Thread) -> bool:
    wait.join(ENDS)
    return not wait.is_alive()


def test_a_feed_rests_for_its_interval_and_an_operators_word_ends_that(house: World, feed_pace: Pace) -> None:
    wait = resting(feed_pace)
    assert wait.is_alive()
    house.house.catalog.retry(house.feed, None, house.now[0])
    assert is_over(wait)
    assert resting(feed_pace).is_alive()  # the same word counts once


def test_a_word_that_is_said_during_a_cycle_is_not_missed(house: World, feed_pace: Pace) -> None:
    house.house.catalog.allow_purge(house.feed, house.now[0])
    assert is_over(resting(feed_pace))


def test_a_signal_ends_every_wait(house: World, feed_pace: Pace) -> None:
    house.house.catalog.set_breaker(house.feed, Breaker(stopped=True))
    wait = resting(feed_pace, RetryLater("login refused", feed=house.feed))
    assert wait.is_alive()
    house.stop.set()
    assert is_over(wait)


def test_a_stopped_feed_waits_for_a_word_alone(house: World) -> None:
    short = Pace(house.house.feed(house.feed), timedelta(), house.stop)
    house.house.catalog.set_breaker(house.feed, Breaker(stopped=True))
    wait = resting(short, RetryLater("login refused", feed=house.feed))
    assert wait.is_alive()
    house.house.catalog.retry(house.feed, None, house.now[0])
    assert is_over(wait)


def test_an_open_breaker_outlasts_a_short_interval_and_a_restart(house: World) -> None:
    short = Pace(house.house.feed(house.feed), timedelta(), house.stop)
    house.house.catalog.set_breaker(house.feed, Breaker(OPEN_AFTER, house.now[0] + HOUR))
    assert resting(short, RetryLater("HTTP 503", feed=house.feed)).is_alive()
    restarted = begin(threading.Thread(target=short.start, daemon=True))
    assert restarted.is_alive()
    house.house.catalog.set_breaker(house.feed, Breaker(OPEN_AFTER, house.now[0] - HOUR))
    house.stop.set()
    assert is_over(restarted)


@pytest.mark.parametrize(
    "breaker",
    [Breaker(), Breaker(OPEN_AFTER, None, stopped=True), Breaker(1)],
    ids=["closed", "stopped", "failed"],
)
def test_a_restart_tries_whatever_is_not_open(house: World, feed_pace: Pace, breaker: Breaker) -> None:
    house.house.catalog.set_breaker(house.feed, breaker)
    assert is_over(begin(threading.Thread(target=feed_pace.start, daemon=True)))


def test_a_failure_of_the_store_is_waited_for_with_backoff_and_not_in_a_tight_loop(
    house: World, feed_pace: Pace
) -> None:
    house.house.catalog.set_breaker(house.feed, Breaker(1, house.now[0] - HOUR))
    wait = resting(feed_pace, RetryLater("the store answered SlowDown"))
    assert wait.is_alive()


def test_a_catalog_that_is_down_ends_no_wait_and_breaks_no_thread(house: World, feed_pace: Pace) -> None:
    file = Path(house.house.config.catalog.url.removeprefix("sqlite:///"))
    house.house.catalog.close()  # type: ignore[attr-defined]
    file.rename(file.with_suffix(".away"))
    file.mkdir()
    wait = resting(feed_pace, RetryLater("catalog: disk I/O error"))
    assert wait.is_alive()
    file.rmdir()
    file.with_suffix(".away").rename(file)
    began = time.monotonic()
    house.house.catalog.retry(house.feed, None, house.now[0])
    assert is_over(wait)
    assert time.monotonic() - began < ENDS
