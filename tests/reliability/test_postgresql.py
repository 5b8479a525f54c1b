"""The commands on PostgreSQL, as a user runs them: migrate, plan, once, run, status."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.catalog import open_catalog
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, service, start, wait_until, write_config
from tests.ingest.support import at, listing, photo
from tests.stores.support import Postgres, fresh_name


@dataclass
class Desk:
    """A configuration with a catalog in PostgreSQL, and the MLS behind it."""

    mls: Mls
    config: Path
    feed: str
    url: str


@pytest.fixture
def desk(s3: EmbeddedStore, postgres: Postgres, tmp_path: Path) -> Iterator[Desk]:
    mls = Mls([listing("1001", photo(1), photo(2)), listing("1002", photo(3), day=1)])
    feed, url = fresh_name("postgres"), postgres.fresh_database()
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), mls)}) as server:
        settings = 'interval = "1s"\npurge_share = 1.0'
        config = write_config(tmp_path, {feed: server.login_url(feed)}, s3.url, feed=settings)
        sqlite = f"sqlite:///{tmp_path / 'catalog.db'}"
        config.write_text(config.read_text().replace(sqlite, url), encoding="utf-8")
        yield Desk(mls, config, feed, url)


def test_a_feed_lives_on_postgresql_from_its_first_migration_to_a_daemons_end(
    s3: EmbeddedStore, desk: Desk, tmp_path: Path
) -> None:
    words = ("-c", str(desk.config))
    pending = service("once", *words, s3=s3)
    assert pending.returncode == 2
    assert "run python -m service migrate" in pending.stderr
    assert service("migrate", *words, s3=s3).returncode == 0
    (report,) = json.loads(service("once", *words, "--json", s3=s3).stdout)
    assert (report["ok"], report["counts"]["uploaded"]) == (True, 3)
    desk.mls.put(listing("1001", photo(1), photo(2, 22, day=5), day=5))
    desk.mls.remove("1002")
    log = tmp_path / "log"
    daemon = start("run", *words, s3=s3, log=log)
    try:
        wait_until(lambda: log.read_text().count("cycle.ended") >= 2, "two cycles")
    finally:
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    catalog = open_catalog(desk.url, migrate=False)
    status, stored = catalog.status(desk.feed), catalog.stored_sets(desk.feed, ["1001", "1002"])
    assert (status.listings, status.photos, status.owed, status.last_error) == (1, 2, 0, None)
    assert catalog.holder(desk.feed) is None
    catalog.close()
    assert stored["1001"].stamp == at(5).replace(tzinfo=None).isoformat(timespec="milliseconds")
    assert stored["1002"].gone
