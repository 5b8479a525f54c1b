"""Two processes on one catalog: one works on a feed, the other one waits, and inherits it."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, environment, wait_until, write_config
from tests.ingest.support import listing, photo
from tests.reliability.armed import run_service, start_service
from tests.reliability.stage import Gate
from tests.stores.support import fresh_name


@dataclass
class Twins:
    """Two daemons of one configuration; whoever came first waits for its first photos."""

    s3: EmbeddedStore
    config: Path
    server: LoopbackServer
    gate: Gate
    daemons: dict[int, tuple[BaseProcess, Path]]
    feed: str
    catalog: SqlCatalog

    def log(self, pid: int) -> str:
        """What the daemon of this pid has said."""
        return self.daemons[pid][1].read_text()

    def holder(self) -> int:
        """The pid of who has the feed, 0 when nobody has."""
        holder = self.catalog.holder(self.feed)
        return int(holder.who.split()[1]) if holder else 0

    def end(self, pid: int) -> None:
        """Stop this one as an operator does."""
        process, log = self.daemons[pid]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: "daemon.draining" in log.read_text(), "the drain", 60)
        if pid == self.holder():
            self.gate.open.set()
        process.join(60)
        assert process.exitcode == 0, log.read_text()

    def run(self, *words: str) -> int:
        """A command beside them; its exit code."""
        log = self.config.with_name("beside")
        log.unlink(missing_ok=True)
        return run_service([*words, "-c", str(self.config)], environment(self.s3), log)

    def said(self) -> str:
        """What it printed."""
        return self.config.with_name("beside").read_text()

    def logins(self) -> int:
        """How often somebody has logged in."""
        return sum(seen.transaction == "Login" for seen in self.server.requests)


@contextmanager
def running(s3: EmbeddedStore, folder: Path, lease: str, interval: str) -> Iterator[Twins]:
    feed, gate = fresh_name("twins"), Gate(Mls([listing("1001", photo(1), photo(2))]))
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), gate)}) as server:
        url = {feed: server.login_url(feed)}
        config = write_config(
            folder, url, s3.url, more=f'lease = "{lease}"', feed=f'interval = "{interval}"\ntimeout = "60s"'
        )
        catalog = open_catalog(f"sqlite:///{folder / 'catalog.db'}", migrate=True)
        daemons: dict[int, tuple[BaseProcess, Path]] = {}
        try:
            for number in range(2):
                log = folder / f"log-{number}"
                process = start_service(["run", "-c", str(config)], environment(s3), log)
                daemons[process.pid or 0] = process, log
            assert gate.reached.wait(60)
            yield Twins(s3, config, server, gate, daemons, feed, catalog)
        finally:
            gate.open.set()
            for process, _ in daemons.values():
                process.kill()
                process.join()
            catalog.close()


def test_the_second_waits_and_takes_over_when_the_first_is_killed(s3: EmbeddedStore, tmp_path: Path) -> None:
    with running(s3, tmp_path, lease="4s", interval="1s") as twins:
        first = twins.holder()
        (second,) = twins.daemons.keys() - {first}
        wait_until(lambda: "feed.standing_by" in twins.log(second), "the second one's patience")
        assert twins.run("once", "--json") == 1  # it, too, waits, but not for ever
        assert f"process {first} on" in twins.said()
        assert twins.logins() == 1
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: "lease.taken_over" in twins.log(second), "the takeover")
        twins.gate.open.set()
        wait_until(lambda: "listing.synced" in twins.log(second), "the second one's work")
        taken = next(json.loads(line) for line in twins.log(second).splitlines() if "taken_over" in line)
        assert taken["of"].startswith(f"process {first} on")
        assert "listing.synced" not in twins.log(first)


def test_two_daemons_ask_the_feed_no_oftener_than_one(s3: EmbeddedStore, tmp_path: Path) -> None:
    with running(s3, tmp_path, lease="20s", interval="1s") as twins:
        first = twins.holder()
        (second,) = twins.daemons.keys() - {first}
        wait_until(lambda: "feed.standing_by" in twins.log(second), "the second one's patience")
        twins.gate.open.set()
        wait_until(lambda: twins.log(first).count("cycle.ended") >= 5, "five cycles")
        assert "cycle.ended" not in twins.log(second)
        assert twins.logins() <= twins.log(first).count("cycle.ended") + 1
        for pid in (second, first):  # whether waiting or at work
            twins.end(pid)


def test_a_feed_is_given_back_when_a_daemon_is_stopped_in_the_middle(
    s3: EmbeddedStore, tmp_path: Path
) -> None:
    with running(s3, tmp_path, lease="60s", interval="1h") as twins:
        first = twins.holder()
        (second,) = twins.daemons.keys() - {first}
        wait_until(lambda: "feed.standing_by" in twins.log(second), "the second one's patience")
        assert twins.run("status") == 0
        assert f"{twins.feed}: process {first} on" in twins.said()
        twins.end(second)
        assert twins.holder() == first
        twins.end(first)
        assert twins.holder() == 0
