"""What fails is tried again with patience: within a budget, with a breaker, and parked with its evidence."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from service.core.schedule import OPEN_AFTER, Breaker
from service.errors import RetryLater
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, at, listing, photo, world
from tests.ingest.test_commit_order import Watched

Make = Callable[..., AbstractContextManager[World]]

BUSY = RawAnswer(503, "Service Unavailable", (("Retry-After", "3600"),), b"busy")


class Moody:
    """An MLS that fails where it is told to, and that is asked for records by their keys."""

    def __init__(self) -> None:
        self.mls = Mls()
        self.instead: dict[str, RawAnswer] = {}
        self.spoil: Callable[[RawAnswer], RawAnswer] = lambda answer: answer
        self.by_key: list[str] = []

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        for what in (params.get("ID"), transaction):
            if what and what in self.instead:
                return self.instead[what]
        keyed = re.fullmatch(r"\(ListingKey=(\w+)\)", params.get("Query", ""))
        if keyed is None:
            answer = self.mls.answer(transaction, params)
            return answer and self.spoil(answer) if transaction == "Search" else answer
        self.by_key.append(keyed[1])
        found = self.mls.listing(keyed[1])
        query = "(ModificationTimestamp=1970-01-01T00:00:00Z)"
        return Mls([found] if found else []).answer(transaction, {**params, "Query": query})


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
def make(s3: EmbeddedStore, tmp_path: Path, moody: Moody) -> Make:
    def make(form: str = "COMPACT", **settings: object) -> AbstractContextManager[World]:
        return partial(world, s3, tmp_path)(form, answers=moody, mls=moody.mls, **settings)

    return make


def breaker(house: World) -> Breaker:
    return house.house.catalog.breaker(house.feed)


def later(house: World, **wait: float) -> None:
    house.now[0] += timedelta(**wait) - timedelta(days=1)


# Items.


@pytest.mark.parametrize("media_type", ["text/html", "image/jpeg"])
def test_a_parked_listing_keeps_the_scrubbed_head_of_what_came_instead(
    make: Make, moody: Moody, media_type: str
) -> None:
    page = b"<html>Welcome reader, your password loopback is no good</html>" + b" padding" * 400
    head = (("Content-Type", media_type), ("Content-Length", str(len(page))))
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        moody.instead = {"1001:*": RawAnswer(200, "OK", head, page)}
        for _ in range(8):
            report = house.cycle()
        (parked,) = house.house.catalog.parked(house.feed)
        assert parked.attempts == 8
        assert "Welcome reader, your password [hidden] is no good" in parked.evidence
        assert 900 < len(parked.evidence.encode()) <= 1024
        assert len(parked.why) < 300
        for text in (parked.why, parked.evidence, report.owed["1001"]):
            assert "loopback" not in text


def test_a_retried_listing_is_worked_on_at_once(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        moody.instead = {"1001:*": text_answer(reply(20407, "Unauthorized Retrieval."))}
        house.cycle()
        moody.instead = {}
        later(house, minutes=1)
        house.cycle()
        assert house.manifest("1001") is None
        assert house.house.catalog.retry(house.feed, "1001", house.now[0]) == 1
        later(house, minutes=1)
        assert house.cycle().ok
        assert len(house.shas("1001")) == 1


@pytest.mark.parametrize("form", ["COMPACT", "STANDARD-XML"])
def test_a_record_that_was_wrong_is_asked_for_again_though_no_search_gives_it(
    make: Make, moody: Moody, form: str
) -> None:
    with make(form) as house:
        moody.mls.put(listing("1001", photo(1), photo(2)))
        moody.mls.put(listing("1002", photo(1, 11), day=50))
        count = (b"\t2\t", b"\t3\t") if form == "COMPACT" else (b"<SequenceId>2<", b"<SequenceId>1<")
        moody.spoil = lambda answer: RawAnswer(
            answer.status,
            answer.reason,
            answer.headers,
            bytes(answer.body).replace(*count),  # type: ignore[arg-type]
        )
        report = house.cycle()
        assert "1001" in report.owed
        moody.spoil = lambda answer: answer
        assert house.cycle().ok
        assert moody.by_key == ["1001"]
        assert len(house.shas("1001")) == 2


def test_a_server_that_takes_no_such_question_is_left_in_peace(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1), photo(2)))
        house.cycle()
        moody.mls.put(listing("1001", photo(1), photo(2, 3), day=1))
        moody.instead = {"1001:*": text_answer(reply(20403, "No Object Found."))}
        house.cycle()
        moody.instead |= {"(ListingKey=1001)": text_answer(reply(20206, "Invalid Query Syntax."))}
        report = house.cycle()
        assert report.error is None
        assert "the listing counts 2" in report.owed["1001"]


# Budgets.


def test_a_server_that_fails_now_and_then_costs_a_bounded_time(make: Make, moody: Moody) -> None:
    with make() as house:
        for number in range(60):
            moody.mls.put(listing(f"{number:04}", photo(1, number)))
            if number % 2:
                moody.instead[f"{number:04}:*"] = RawAnswer(500, "Internal Server Error", (), b"")
        report = house.cycle()
        assert report.error is not None
        assert "requests failed, the rest waits" in report.error
        assert 40 <= len(house.asked()) < 60
        moody.instead = {}
        while not (report := house.cycle()).ok:
            assert report.error is None
        assert len(house.house.catalog.known_keys(house.feed)) == 60


# Breakers.


def test_a_feed_that_keeps_failing_opens_its_breaker_and_one_success_closes_it(
    make: Make, moody: Moody
) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        moody.instead = {"Search": text_answer(reply(20203, "Miscellaneous Search Error"))}
        for failures in range(1, OPEN_AFTER + 1):
            assert house.cycle().error
            assert breaker(house).failures == failures
        assert breaker(house).on_trial
        assert "20203" in breaker(house).why
        moody.instead = {}
        assert house.cycle().ok
        assert breaker(house) == Breaker()


def test_the_servers_own_wait_is_kept_for_the_feed(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        moody.instead = {"Search": BUSY}
        house.cycle()
        until = breaker(house).until
        assert until is not None
        assert until - house.now[0] == timedelta(hours=1)


def test_a_trial_ends_with_its_first_failure(make: Make, moody: Moody) -> None:
    with make() as house:
        for number in range(5):
            moody.mls.put(listing(f"{number}", photo(1, number)))
        moody.instead = {"GetObject": BUSY}
        house.house.catalog.set_breaker(house.feed, Breaker(OPEN_AFTER, at(0)))
        assert house.cycle().error
        assert len(house.asked()) == 1
        assert breaker(house).failures == OPEN_AFTER + 1


def test_a_stopped_feed_is_kept_as_stopped_with_what_to_mend(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        moody.instead = {"Search": text_answer(reply(20206, "Invalid Query Syntax."))}
        house.cycle()
        assert breaker(house).stopped
        moody.instead = {}
        house.cycle()
        assert breaker(house) == Breaker()


def test_a_transfer_that_was_cut_on_purpose_is_no_failure_of_the_feed(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        feed = house.house.feed(house.feed)
        trial = Breaker(OPEN_AFTER, at(0))
        house.house.catalog.set_breaker(house.feed, trial)

        def drain() -> bytes:
            house.stop.set()
            feed.source.abandon()
            return b""

        head = (("Content-Type", "multipart/mixed; boundary=b"), ("Transfer-Encoding", "chunked"))
        moody.instead = {"1001:*": RawAnswer(200, "OK", head, (drain() for _ in range(1)))}
        assert run_cycle(feed, Report(house.feed), house.stop).error
        assert breaker(house) == trial


def test_a_store_that_fails_is_no_failure_of_the_feed(make: Make, moody: Moody) -> None:
    with make() as house:
        moody.mls.put(listing("1001", photo(1)))
        store = Watched(house.house.store, [])
        store.fail = {"manifest.json": RetryLater("the store answered SlowDown")}
        feed = replace(house.house, store=store).feed(house.feed)
        for _ in range(2):
            report = run_cycle(feed, Report(house.feed), house.stop)
        assert "SlowDown" in (report.error or "")
        assert breaker(house) == Breaker()
