"""`make soak`: a daemon, a feed of 2,000 listings that keeps changing, and faults on both sides of it.

    python -m tests.soak --minutes 30 --listings 2000 --seed 7

When the time is over the faults stop; then the bucket must be what the MLS has, an audit of every byte
must find no difference, and the daemon must hold no more memory, files, sockets or threads than early on.
"""
# ruff: noqa: T201 - it talks to the person who runs it

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.simulator.front_desk import Account, Site
from service.simulator.server import LoopbackServer
from service.stores.catalog import open_catalog
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import PASSWORD, service, start, write_config
from tests.chaos.verdict import against_world, state_of
from tests.chaos.world import ChangingWorld
from tests.soak.vitals import Vitals, leaks, look
from tests.soak.weather import Weather, weather
from tests.stores.support import bucket_of

FEED = "soak"

SETTINGS = """search_format = "STANDARD-XML"
query = "(ModificationTimestamp={since})"
keys_query = "(ListingKey=*)"
interval = "5s"
delete_after = "20s"
timeout = "3s"
purge_share = 1.0
limit = 500
"""
"""Much happens in half an hour: what a guard holds back on a real day is the point of other tests."""

CHANGES_A_SECOND = 4

LOOKS = 120
"""Of a run, evenly spread."""

CALM_SECONDS = 300
"""After the last fault everything must be right within so long."""


@dataclass
class Soak:
    """What runs, and what was seen of it."""

    folder: Path
    s3: EmbeddedStore
    world: ChangingWorld
    sky: Weather
    config: Path
    daemon: "subprocess.Popen[bytes]"
    looks: list[Vitals] = field(default_factory=list)

    def run(self, seconds: float, seed: int) -> None:
        """The world changes and faults strike; the operator retries what has stopped."""
        self.sky.worsen(seed)
        over = threading.Event()
        changes = threading.Thread(target=self._change, args=(over,))
        changes.start()
        try:
            for number in range(LOOKS):
                over.wait(seconds / LOOKS)
                assert self.daemon.poll() is None, "the daemon has ended"
                self.looks.append(look(self.daemon.pid))
                if number % 5 == 4:
                    self._operate()
                    self._say(number)
        finally:
            over.set()
            changes.join()
            self.sky.clear()

    def settle(self) -> list[str]:
        """Wait until nothing is owed and the bucket shows the world; else what differs, in words."""
        deadline = time.monotonic() + CALM_SECONDS
        wrong = ["nothing was compared"]
        while wrong and time.monotonic() < deadline:
            self._operate()
            time.sleep(6)
            wrong = self._differences()
        return wrong

    def audit(self) -> list[str]:
        """What is wrong after a repair: nothing. Photos that no set came to need are what it mends."""
        first = self._audited("--repair")
        print(f"audit: mended {len(first)} differences: {sorted({one['kind'] for one in first})}")
        wrong = [f"{one['kind']} {one['key']}: {one['why']}" for one in first if one["kind"] != "orphaned"]
        deadline = time.monotonic() + CALM_SECONDS
        while (last := self._audited()) and time.monotonic() < deadline:
            time.sleep(5)
        return wrong + [f"{one['kind']} {one['key']}: {one['why']}" for one in last]

    def _audited(self, *words: str) -> list[dict[str, Any]]:
        done = service("audit", FEED, "--deep", "--json", *words, "-c", str(self.config), s3=self.s3)
        assert done.stdout, done.stderr
        (report,) = json.loads(done.stdout)
        assert not report["error"], report["error"]
        return list(report["differences"])

    def _differences(self) -> list[str]:
        catalog = open_catalog(f"sqlite:///{self.folder / 'catalog.db'}", migrate=False)
        try:
            with bucket_of(self.s3) as store:
                state = state_of(store, catalog, FEED)
        finally:
            catalog.close()
        owed = [f"{state.owed} listings are owed"] if state.owed else []
        return owed + against_world(state, self.world.mls, self.world.keys)

    def _change(self, over: threading.Event) -> None:
        while not over.wait(1 / CHANGES_A_SECOND):
            self.world.change()

    def _operate(self) -> None:
        service("retry", FEED, "-c", str(self.config), s3=self.s3)

    def _say(self, number: int) -> None:
        now = self.looks[-1]
        print(
            f"{100 * (number + 1) // LOOKS:3} %  {now.memory / 2**20:.0f} MB, {now.files} files, "
            f"{now.sockets} sockets, {now.threads} threads, {self.world.changes} changes, "
            f"{self.sky.met()} faults",
            flush=True,
        )


@contextmanager
def soak(listings: int, seed: int) -> Iterator[Soak]:
    """Everything started, nothing changing yet."""
    world = ChangingWorld(seed, listings=listings, by_set=False)
    with (
        TemporaryDirectory() as name,
        EmbeddedStore(Path(name) / "s3") as s3,
        weather(s3.endpoint) as sky,
        LoopbackServer({FEED: Site(Account("reader", PASSWORD), world.mls, faults=sky.feed)}) as server,
    ):
        folder, login = Path(name), {FEED: server.login_url(FEED)}
        store = f"s3://{sky.proxy.endpoint}/{s3.bucket}?secure=false"
        config = write_config(folder, login, store, 'lease = "10s"', SETTINGS)
        text = config.read_text(encoding="utf-8")
        # The helper's own feed speaks COMPACT; each key stands once in a table.
        text = text.replace('search_format = "COMPACT"\n', "", 1)
        text = text.replace('query = "(ModificationTimestamp={since}+)"\nkeys_interval = "0s"\n', "", 1)
        config.write_text(f'{text}keys_interval = "30s"\n', encoding="utf-8")
        daemon = start("run", "-c", str(config), s3=s3, log=folder / "log")
        try:
            yield Soak(folder, s3, world, sky, config, daemon)
        finally:
            daemon.terminate()
            daemon.wait(60)


def main() -> int:
    """Exit 1 when something is wrong at the end."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--minutes", type=float, default=30)
    words.add_argument("--listings", type=int, default=2000)
    words.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311 - chance, not a secret
    given = words.parse_args()
    print(f"seed {given.seed}", flush=True)
    with soak(given.listings, given.seed) as run:
        run.run(given.minutes * 60, given.seed)
        wrong = [*run.settle(), *run.audit(), *leaks(run.looks)]
        print(f"{run.world.changes} changes, {run.sky.met()} faults")
    print("\n".join(wrong) or "no difference, no leak")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
