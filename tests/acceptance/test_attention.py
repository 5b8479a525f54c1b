"""status --parked, retry, undelete, allow-purge: an operator's way, by the commands, beside a daemon too."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from service.bootstrap import House, open_house, utc_now
from service.config import load_config
from service.core.photos import manifest_key
from service.core.schedule import Breaker
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, environment, service, start, wait_until, write_config
from tests.ingest.support import listing, photo

PAGE = f"<html>Who are you? {PASSWORD} is not known here</html>".encode()


class Moody:
    """An MLS that answers some transactions otherwise."""

    def __init__(self) -> None:
        self.mls = Mls([listing(str(key), photo(1, key), photo(2, key + 50)) for key in range(1001, 1006)])
        self.instead: dict[str, RawAnswer] = {}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        for what in (params.get("ID"), transaction):
            if what and what in self.instead:
                return self.instead[what]
        return self.mls.answer(transaction, params)


@dataclass
class Office:
    """A configuration, the MLS behind it, and the house that it makes."""

    answers: Moody
    config: Path
    s3: EmbeddedStore
    feed: str
    house: House

    def cycle(self) -> Report:
        return run_cycle(self.house.feed(self.feed), Report(self.feed), threading.Event())

    def run(self, *words: str) -> str:
        """What a command says on standard output; else its exit code and its error."""
        done = service(*words, "-c", str(self.config), s3=self.s3)
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stderr}"

    def shows(self, key: str) -> int | None:
        """How many photos readers see; None without a manifest."""
        try:
            return len(json.loads(self.house.store.get(manifest_key(self.feed, key)))["media"])
        except KeyError:
            return None


@pytest.fixture
def office(s3: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    for name, value in environment(s3).items():
        monkeypatch.setenv(name, value)
    answers = Moody()
    feed = f"att-{abs(hash(tmp_path)) % 10**9}"
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), answers)}) as server:
        config = write_config(
            tmp_path, {feed: server.login_url(feed)}, s3.url, more='grace = "1s"', feed='interval = "1h"'
        )
        with open_house(load_config(config)) as house:
            yield Office(answers, config, s3, feed, house)


@contextmanager
def daemon(office: Office) -> Iterator[Path]:
    """A running daemon; its log."""
    log = office.config.with_name("log")
    process = start("run", "-c", str(office.config), s3=office.s3, log=log)
    try:
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert PASSWORD not in log.read_text()


def test_a_purge_is_held_shown_and_allowed(office: Office) -> None:
    office.cycle()
    for key in ("1001", "1002"):
        office.answers.mls.remove(key)
    assert office.cycle().held
    shown = json.loads(office.run("status", "--json"))
    (hold,) = shown["holds"]
    assert (hold["feed"], hold["guard"]) == (office.feed, "listings")
    assert "2 of 5 listings" in hold["why"]
    assert "2 of 5 listings" in office.run("status")
    assert "2 of 5 listings" in office.run("allow-purge", office.feed)
    assert office.cycle().ok
    assert office.shows("1001") is None
    assert office.house.catalog.holds(office.feed) == []


def test_a_removed_listing_is_listed_brought_back_and_released(office: Office) -> None:
    office.cycle()
    office.answers.mls.remove("1001")
    office.cycle()
    assert office.shows("1001") is None
    (kept,) = json.loads(office.run("undelete", office.feed, "--json"))
    assert (kept["listing"], kept["generation"], kept["photos"]) == ("1001", 1, 2)
    assert "1001" in office.run("undelete", office.feed)
    assert "has its 2 photos again, as generation 3" in office.run("undelete", office.feed, "1001")
    assert office.cycle().ok
    assert office.shows("1001") == 2
    assert "follows the feed again" in office.run("undelete", office.feed, "1001", "--release")
    office.cycle()
    assert office.shows("1001") is None
    assert "exit 1: error: feed" in office.run("undelete", office.feed, "no such listing")


def test_a_parked_listing_is_shown_with_its_evidence_and_a_daemon_retries_it_when_told(
    office: Office,
) -> None:
    denied = text_answer(reply(20407, f"Unauthorized Retrieval by {PASSWORD}"))
    page = RawAnswer(200, "OK", (("Content-Type", "text/html"),), PAGE)
    office.answers.instead = {"1001:*": denied, "1002:*": page}
    office.cycle()
    office.house.catalog.postpone(
        office.feed,
        "1002",
        why="page",
        due_at=utc_now() + timedelta(days=1),
        parked=True,
        evidence="Who are you?",
    )
    waiting = json.loads(office.run("status", "--json"))["parked"][office.feed]
    assert [(entry["listing"], entry["attempts"]) for entry in waiting] == [("1001", 1), ("1002", 2)]
    assert "20407 Unauthorized Retrieval by [hidden]" in waiting[0]["why"]
    assert "Who are you?" in office.run("status", "--parked")
    assert "nothing is owed" in office.run("retry", office.feed, "1003")
    with daemon(office) as log:
        wait_until(lambda: "cycle.ended" in log.read_text(), "the first cycle", 60)
        assert office.shows("1001") is None
        office.answers.instead = {}
        assert "1 listings are due" in office.run("retry", office.feed, "1001")
        wait_until(lambda: office.shows("1001") == 2, "the retried listing", 60)
        assert office.shows("1002") is None


def test_a_stopped_feed_is_tried_again_when_its_operator_says_so(office: Office) -> None:
    office.answers.instead = {"Search": text_answer(reply(20206, "Invalid Query Syntax."))}
    with daemon(office) as log:
        wait_until(lambda: "feed.stopped" in log.read_text(), "the feed's stop", 60)
        assert office.house.catalog.status(office.feed).breaker.stopped
        office.answers.instead = {}
        office.run("retry", office.feed)
        wait_until(lambda: office.shows("1001") == 2, "the feed's photos", 60)
        wait_until(lambda: office.house.catalog.breaker(office.feed) == Breaker(), "a closed breaker", 60)
