"""Two feeds on one account in one daemon: never more sessions at once than the account may have."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, start, wait_until, write_config
from tests.ingest.support import listing, photo

ACCOUNT = "one-account"


class Watching:
    """An MLS that looks, at each search, how many sessions are open, and gives others time to come."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.open_sessions: Callable[[], int] = lambda: 0
        self.seen: list[int] = []
        self.release = threading.Event()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        if transaction == "Search":
            deadline = time.monotonic() + 0.5
            while self.open_sessions() < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            self.seen.append(self.open_sessions())
            self.release.wait(60)
        return self.mls.answer(transaction, params)


@contextmanager
def daemon(
    s3: EmbeddedStore, folder: Path, server: LoopbackServer, feed: str
) -> Iterator[subprocess.Popen[bytes]]:
    names = [f"{folder.name[-40:]}-{letter}" for letter in "ab"]
    login_urls = dict.fromkeys(names, server.login_url(ACCOUNT))
    config = write_config(folder, login_urls, s3.url, more='grace = "40s"', feed=feed)
    process = start("run", "-c", str(config), s3=s3, log=folder / "log")
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def watching() -> Iterator[Watching]:
    answers = Watching(Mls([listing("1001", photo(1), photo(2))]))
    answers.release.set()
    yield answers
    answers.release.set()


def cycles(folder: Path) -> dict[str, int]:
    """How many cycles each feed has ended, by the last letter of its name."""
    lines = (json.loads(line) for line in (folder / "log").read_text().splitlines() if line.startswith("{"))
    feeds = [line["feed"][-1] for line in lines if line["event"] == "cycle.ended"]
    return {feed: feeds.count(feed) for feed in feeds}


@pytest.mark.parametrize("sessions", [1, 2])
def test_q99_two_feeds_share_the_sessions_of_their_account(
    s3: EmbeddedStore, tmp_path: Path, watching: Watching, sessions: int
) -> None:
    with LoopbackServer({ACCOUNT: Site(Account("reader", PASSWORD), watching)}) as server:
        watching.open_sessions = lambda: server.open_sessions(ACCOUNT)
        with daemon(s3, tmp_path, server, f'interval = "1s"\nsessions = {sessions}') as process:
            wait_until(lambda: min(cycles(tmp_path).get(feed, 0) for feed in "ab") >= 1, "a cycle of each")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert max(watching.seen) == sessions
        assert server.open_sessions(ACCOUNT) == 0


def test_a_feed_that_waits_for_a_session_is_stopped_at_once(
    s3: EmbeddedStore, tmp_path: Path, watching: Watching
) -> None:
    with LoopbackServer({ACCOUNT: Site(Account("reader", PASSWORD), watching)}) as server:
        watching.release.clear()
        with daemon(s3, tmp_path, server, 'interval = "1s"') as process:
            wait_until(lambda: watching.seen, "the first feed's search")
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: "daemon.draining" in (tmp_path / "log").read_text(), "the drain")
            watching.release.set()
            assert process.wait(10) == 0
        logins = [seen for seen in server.requests if seen.transaction == "Login"]
        assert len(logins) == 1
