"""One feed in two states, what an undisturbed daemon makes of it, and whether another one made the same."""

import itertools
import json
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from sqlalchemy import select

from service.core.photos import segment
from service.simulator.answers import Answers
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.object_store import MinioStore
from service.stores.tables import events, leases, listings, marks
from tests.acceptance.support import PASSWORD, environment, wait_until
from tests.ingest.support import S3, listing, photo
from tests.reliability.armed import run_service, start_service
from tests.reliability.reader import Reader

_logs = itertools.count()

LEASE_SECONDS = 1

FORMS = {
    "COMPACT": 'search_format = "COMPACT"\nquery = "(ModificationTimestamp={since}+)"',
    "STANDARD-XML": 'search_format = "STANDARD-XML"\nquery = "(ModificationTimestamp={since})"\n'
    'keys_query = "(ListingKey=*)"',
}


def load(mls: Mls) -> None:
    """The first state."""
    mls.put(listing("1001", photo(1), photo(2), photo(3)))
    mls.put(listing("1002", photo(1, 4), photo(2, 5), day=1))
    mls.put(listing("1003", photo(1, 6), day=2))
    mls.put(listing("1004", day=3))


def change(mls: Mls) -> None:
    """A photo replaced, one gone, one new; a listing gone, one new, one that lost all its photos."""
    mls.put(listing("1001", photo(1), photo(2, 22, day=10), photo(4, 7, day=10), day=10))
    mls.remove("1002")
    mls.put(listing("1003", day=11))
    mls.put(listing("1005", photo(1, 8), photo(2, 9), day=12))


@dataclass
class Scenario:
    """A feed, its server, its configuration and its bucket, which a reader watches."""

    feed: str
    mls: Mls
    server: LoopbackServer
    folder: Path
    catalog_url: str
    s3: S3
    store: MinioStore
    reader: Reader
    log: Path = field(init=False)

    def start(self, at: str = "") -> BaseProcess:
        """A daemon, its log in a new file."""
        self.log = self.folder / f"log-{next(_logs)}"
        return start_service(["run", "--config", str(self.config)], environment(self.s3), self.log, at)

    def run(self, *words: str) -> int:
        """A command, its output in a new file; its exit code."""
        log = self.folder / f"log-{next(_logs)}"
        return run_service([*words, "--config", str(self.config)], environment(self.s3), log)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "listing-photos.toml"

    def killed_at(self, step: str) -> bool:
        """Run a daemon that dies at this step; False when it never came there and ended its cycle."""
        process = self.start(step)
        wait_until(lambda: process.exitcode is not None or self._has_ended_a_cycle(), f"the step {step}")
        process.join(2)  # the lease is given back after the cycle's last word
        if process.exitcode is None:
            stop(process)
            return False
        assert process.exitcode == -signal.SIGKILL, self.log.read_text()
        process.join()
        return True

    def killed_after(self, seconds: float) -> bool:
        """Run a daemon and kill it from outside; False when it had ended its cycle by then."""
        process = self.start()
        try:
            process.join(seconds)
            return not self._has_ended_a_cycle()
        finally:
            process.kill()
            process.join()

    def settle(self) -> dict[str, Any]:
        """Run a daemon for one cycle and end it as an operator does; what is then to be seen."""
        process = self.start()
        try:
            wait_until(lambda: self._has_ended_a_cycle() or process.exitcode is not None, "a cycle", 60)
        finally:
            stop(process)
        assert process.exitcode == 0, self.log.read_text()
        return self.seen()

    def _has_ended_a_cycle(self) -> bool:
        return self.log.exists() and '"cycle.ended"' in self.log.read_text()

    def seen(self) -> dict[str, Any]:
        """Bucket, manifests and catalog, without the times and the name of the feed."""
        prefix = segment(self.feed) + "/"
        objects = {info.key.removeprefix(prefix): info.length for info in self.store.list(prefix)}
        manifests = {key: json.loads(self.store.get(prefix + key)) for key in objects if "manifest" in key}
        for manifest in manifests.values():
            del manifest["updated"]
        pictures = {key: size for key, size in objects.items() if "manifest" not in key}
        seen = {"manifests": manifests, "objects": pictures, **self._catalog()}
        return dict(json.loads(json.dumps(seen, sort_keys=True).replace(self.feed, "FEED")))

    def _catalog(self) -> dict[str, Any]:
        catalog = open_catalog(self.catalog_url, migrate=False)
        try:
            status = catalog.status(self.feed)
            return {
                "tables": self._tables(catalog),
                "sets": {key: repr(one) for key, one in self._sets(catalog).items()},
                "counts": [status.listings, status.photos, status.owed, status.parked, status.last_error],
            }
        finally:
            catalog.close()

    def _sets(self, catalog: SqlCatalog) -> dict[str, Any]:
        found = catalog.stored_sets(self.feed, [f"100{number}" for number in range(9)])
        return {key: (one.generation, one.stamp, one.photos, one.gone) for key, one in found.items()}

    def _tables(self, catalog: SqlCatalog) -> dict[str, Any]:
        with catalog._engine.connect() as db:
            rows = {
                "manifests due": select(listings.c.key).where(
                    listings.c.feed == self.feed, listings.c.manifest_generation != listings.c.generation
                ),
                "marks": select(marks.c.clock, marks.c.value).where(
                    marks.c.feed == self.feed, marks.c.clock != "keys.at"
                ),
                "events": select(events.c.listing, events.c.kind, events.c.detail).where(
                    events.c.feed == self.feed
                ),
                "leases": select(leases.c.holder).where(leases.c.feed == self.feed),
            }
            return {name: sorted(map(list, db.execute(query))) for name, query in rows.items()}


def stop(process: BaseProcess) -> None:
    """As an operator does; as the machine does when that takes too long."""
    if process.is_alive() and process.pid is not None:
        process.terminate()
    process.join(60)
    if process.exitcode is None:
        process.kill()
        process.join()


@contextmanager
def scenario(
    s3: S3,
    store: MinioStore,
    folder: Path,
    catalog_url: str,
    form: str,
    *,
    interval: str = "1h",
    store_url: str | None = None,
    before: Callable[[Mls], Answers] = lambda mls: mls,
) -> Iterator[Scenario]:
    """A feed of its own; its reader must never have seen anything wrong.

    `store_url` is the daemon's own way to the bucket; what `before` gives stands before the MLS.
    """
    feed = f"kills-{uuid.uuid4().hex[:12]}"
    mls = Mls()
    with LoopbackServer({feed: Site(Account("reader", PASSWORD), before(mls))}) as server:
        config = f"""
lease = "{LEASE_SECONDS}s"
[catalog]
url = "{catalog_url}"
[store]
url = "{store_url or s3.url}"
access_key_env = "S3_ACCESS_KEY"
secret_key_env = "S3_SECRET_KEY"
uploaders = 4
[feeds.{feed}]
kind = "rets"
login_url = "{server.login_url(feed)}"
username = "reader"
password_env = "MLS_PASSWORD"
class = "ResidentialProperty"
{FORMS[form]}
interval = "{interval}"
keys_interval = "0s"
delete_after = "0s"
purge_share = 1.0
"""
        (folder / "listing-photos.toml").write_text(config, encoding="utf-8")
        with Reader(store, feed) as reader:
            yield Scenario(feed, mls, server, folder, catalog_url, s3, store, reader)
    assert reader.wrong == []
