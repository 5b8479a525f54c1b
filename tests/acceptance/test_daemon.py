"""`run` as a process: intervals, signals, the grace period, the second signal."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, start, wait_until, write_config
from tests.ingest.support import listing, photo


class Stalling:
    """An MLS whose bundles stop in the middle until `release` is set."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.stalled = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        answer = self.mls.answer(transaction, params)
        if transaction != "GetObject" or answer is None or isinstance(answer.body, bytes):
            return answer
        return RawAnswer(answer.status, answer.reason, answer.headers, self._slowly(iter(answer.body)))

    def _slowly(self, body: Iterator[bytes]) -> Iterator[bytes]:
        yield next(body)
        if not self.release.is_set():
            self.stalled.set()
            self.release.wait(60)
        yield from body


@dataclass
class Running:
    """A daemon, its feed and its log."""

    process: subprocess.Popen[bytes]
    answers: Stalling
    server: LoopbackServer
    log: Path
    feed: str
    s3: EmbeddedStore
    config: Path
    extra: dict[str, str] = field(default_factory=dict)

    def events(self, name: str) -> list[dict[str, object]]:
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == name]


@pytest.fixture
def stalled() -> Iterator[Stalling]:
    answers = Stalling(Mls([listing("1001", photo(1), photo(2), photo(3))]))
    yield answers
    answers.release.set()


@pytest.fixture
def running(s3: EmbeddedStore, tmp_path: Path, stalled: Stalling) -> Iterator[Running]:
    feed, log = f"run-{abs(hash(tmp_path)) % 10**9}", tmp_path / "log"
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), stalled)}) as server:
        more = 'grace = "1s"\nlease = "2s"'
        config = write_config(tmp_path, {feed: server.login_url(feed)}, s3.url, more, 'interval = "1s"')
        stalled.release.clear()
        process = start("run", "-c", str(config), s3=s3, log=log)
        try:
            yield Running(process, stalled, server, log, feed, s3, config)
        finally:
            stalled.release.set()
            process.kill()
            process.wait(10)


def test_a_daemon_goes_on_at_its_interval_and_drains_on_sigterm(running: Running) -> None:
    running.answers.release.set()
    wait_until(lambda: len(running.events("cycle.ended")) >= 3, "three cycles")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert running.server.open_sessions(running.feed) == 0
    first, second = running.events("cycle.ended")[:2]
    assert (first["downloaded"], second["downloaded"]) == (3, 0)
    assert len(running.events("listing.synced")) == 1
    assert PASSWORD not in running.log.read_text()


def test_what_is_in_flight_is_finished_within_the_grace_period(running: Running) -> None:
    wait_until(running.answers.stalled.is_set, "a stalled bundle")
    running.process.send_signal(signal.SIGINT)
    wait_until(lambda: running.events("daemon.draining"), "the drain")
    running.answers.release.set()
    assert running.process.wait(10) == 0
    assert running.events("listing.synced")
    assert running.server.open_sessions(running.feed) == 0


def test_what_is_not_finished_in_time_is_abandoned_and_the_session_logged_out(running: Running) -> None:
    wait_until(running.answers.stalled.is_set, "a stalled bundle")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert running.events("daemon.stopped")[0]["abandoned"] == []
    assert not running.events("listing.synced")
    assert running.server.open_sessions(running.feed) == 0


def test_a_second_signal_ends_at_once(running: Running) -> None:
    wait_until(running.answers.stalled.is_set, "a stalled bundle")
    running.process.send_signal(signal.SIGTERM)
    wait_until(lambda: running.events("daemon.draining"), "the drain")
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(1) == 128 + signal.SIGTERM


def test_a_daemon_killed_in_the_middle_is_made_good_by_the_next(running: Running, tmp_path: Path) -> None:
    wait_until(running.answers.stalled.is_set, "a stalled bundle")
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait(10)
    running.answers.release.set()
    log = tmp_path / "second-log"
    again = start("run", "-c", str(running.config), s3=running.s3, log=log)
    try:
        wait_until(lambda: "cycle.ended" in log.read_text(), "the second daemon's cycle")
    finally:
        again.send_signal(signal.SIGTERM)
        assert again.wait(10) == 0
    assert '"downloaded": 3' in log.read_text()


def test_a_feed_that_must_stop_leaves_the_daemon_running(running: Running) -> None:
    running.answers.release.set()
    text = running.config.read_text().replace('username = "reader"', 'username = "stranger"')
    running.config.write_text(text)
    log = running.log.with_name("stopped-log")
    again = start("run", "-c", str(running.config), s3=running.s3, log=log)
    try:
        wait_until(lambda: "feed.stopped" in log.read_text(), "the feed's stop")
        assert again.poll() is None
    finally:
        again.send_signal(signal.SIGTERM)
        assert again.wait(10) == 0
