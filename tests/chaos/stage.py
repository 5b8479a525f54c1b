"""What a scene is played on: two feeds of one world, a loopback server, an S3 server behind faults.

The rough feed meets faults on both ways; the calm one reads the same world and meets none.
"""

import random
import threading
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from pydantic import SecretStr

from service.bootstrap import MarkedFacts, open_house
from service.feeds.rets import RetsSource
from service.ingest.cycle import run_cycle
from service.ingest.feed import Feed
from service.ingest.report import Report
from service.rets_config import RetsFeed
from service.simulator.faults import FaultPlan, Faults, Kind
from service.simulator.front_desk import Account, Site
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.chaos.world import ChangingWorld, Restless
from tests.faults.s3_front import S3Front, StoreFault
from tests.faults.tcp_proxy import TcpProxy, Trouble
from tests.ingest.support import SETTINGS, config_of

ROUGH, CALM = "rough", "calm"

QUICK = timedelta(milliseconds=400)
"""How long a feed may be silent while there are faults: every stall costs as much."""

QUICK_STORE = urllib3.Timeout(connect=1, read=0.4)

BETWEEN = timedelta(hours=12)
"""From cycle to cycle, by the house's clock. Every backoff is over by then; grace takes some cycles."""

RATES = (0.0, 0.05, 0.2, 0.5)
"""Shares of requests that fail, one drawn for each cycle, for the feed and the store apart."""

STORE_FAULTS = tuple(kind for kind in StoreFault if kind is not StoreFault.PUT_LOST)
"""A put that is acknowledged rightly and lost shows to nobody but an audit."""


@dataclass(frozen=True)
class Scene:
    """What is played. A seed and a scene are all that a run depends on, but for the machine's pace."""

    seed: int
    way: str
    form: str
    cycles: int = 20
    listings: int = 12
    settings: dict[str, Any] = field(default_factory=dict)
    rates: tuple[float, ...] = RATES

    @property
    def by_set(self) -> bool:
        """Whether the feed speaks of whole sets only."""
        return self.form == "COMPACT"


class Stage:
    """Stands as long as `stack` is open. `now` is the house's clock."""

    def __init__(self, scene: Scene, s3: EmbeddedStore, folder: Path, stack: ExitStack) -> None:
        self.scene, self._s3 = scene, s3
        self.chance = random.Random(f"run {scene.seed}")  # noqa: S311 - to be repeatable
        self.worlds = {part: self._world() for part in (ROUGH, CALM)}
        self.restless = Restless(self.worlds[ROUGH], scene.seed)
        self.feed_faults = Faults[Kind]()
        name = f"{scene.way}-{scene.seed}"
        self.names = {part: f"{name}-{part}" for part in (ROUGH, CALM)}
        server = stack.enter_context(LoopbackServer(self._sites()))
        host, _, port = s3.endpoint.partition(":")
        self.front = stack.enter_context(S3Front((host, int(port))))
        self.proxy = stack.enter_context(TcpProxy(("127.0.0.1", self.front.port)))
        self.now = self.worlds[ROUGH].now() + timedelta(days=1)
        config = config_of(s3, f"sqlite:///{folder / f'{name}.db'}", self._tables(server))
        self.house = stack.enter_context(open_house(config, lambda: self.now))
        self._rough_store = self._far_store(timeout=QUICK_STORE, pause=0)
        self._patient_store = self._far_store()
        stack.callback(self._rough_store.close)
        stack.callback(self._patient_store.close)
        self.stop = threading.Event()

    # Cycles.

    def rough(self) -> Report:
        """A cycle of the rough feed that waits for nothing."""
        name = self.names[ROUGH]
        settings = self.house.config.feeds[name].model_copy(update={"timeout": QUICK})
        assert isinstance(settings, RetsFeed)
        facts = MarkedFacts(self.house.catalog, name)
        source = RetsSource(name, settings, facts, self.house.now, waits=(0.0, 0.0))
        return self._cycle(replace(self.house.feed(name), source=source, store=self._rough_store))

    def patient(self) -> Report:
        """A cycle of the rough feed in whatever weather there is, with all patience."""
        return self._cycle(replace(self.house.feed(self.names[ROUGH]), store=self._patient_store))

    def calm(self) -> Report:
        """A cycle of the calm feed, whose world catches up first; the clock stays."""
        calm, rough = self.worlds[CALM], self.worlds[ROUGH]
        while calm.changes < rough.changes:
            calm.change()
        return self._cycle(self.house.feed(self.names[CALM]), at=self.now)

    def _cycle(self, feed: Feed, at: datetime | None = None) -> Report:
        self.now = at or max(self.now, self.worlds[ROUGH].now()) + BETWEEN
        return run_cycle(feed, Report(feed.name), self.stop)

    # Weather.

    def draw_weather(self) -> None:
        """Which faults there will be, and how many."""
        rates, kinds = self.scene.rates, tuple(Kind)
        self.feed_faults.plan = FaultPlan(self._seed(), self.chance.choice(rates), kinds)
        rate = self.chance.choice(rates)
        self.front.faults.plan = FaultPlan(self._seed(), rate, STORE_FAULTS)
        self.proxy.faults.plan = FaultPlan(self._seed(), rate, tuple(Trouble))
        match self.chance.randrange(20):
            case 0:
                self.proxy.refuse()
            case 1:
                self.front.faults.plan = FaultPlan(self._seed(), 1.0, (StoreFault.FULL,))

    def clear_weather(self) -> None:
        """No more faults."""
        for faults in (self.feed_faults, self.front.faults, self.proxy.faults):
            faults.plan = None
        self.proxy.accept()

    def let_all_arrive(self) -> None:
        """Between two cycles hours pass: what is still on its way to the store has come or is lost."""
        self.proxy.refuse()
        self.front.wait_until_idle()
        self.proxy.accept()

    def faults_met(self) -> Counter[str]:
        """How often each kind of fault was met."""
        kinds: list[str] = [one.fault.kind for one in self.feed_faults.injected()]
        kinds += [one.fault.kind for one in self.front.faults.injected()]
        kinds += [one.fault.kind for one in self.proxy.faults.injected()]
        return Counter(kinds)

    # What it is made of.

    def _seed(self) -> int:
        return self.chance.randrange(2**32)

    def _world(self) -> ChangingWorld:
        scene = self.scene
        captions = scene.settings.get("location") != 1
        return ChangingWorld(scene.seed, listings=scene.listings, by_set=scene.by_set, captions=captions)

    def _sites(self) -> dict[str, Site]:
        account = Account("reader", "loopback")
        return {
            self.names[ROUGH]: Site(account, self.restless, faults=self.feed_faults),
            self.names[CALM]: Site(account, self.worlds[CALM].mls),
        }

    def _tables(self, server: LoopbackServer) -> dict[str, dict[str, Any]]:
        table = {
            "kind": "rets",
            "username": "reader",
            "password": SecretStr("loopback"),
            "class": "ResidentialProperty",
            "keys_interval": "0s",
            "delete_after": "6h",
            # A guard would hide a removal that nothing but a fault has asked for.
            "purge_share": 1.0,
            "timeout": "10s",
            **SETTINGS[self.scene.form],
            **self.scene.settings,
        }
        return {name: {**table, "login_url": server.login_url(name)} for name in self.names.values()}

    def _far_store(self, **patience: Any) -> MinioStore:
        s3 = self._s3
        keys = s3.access_key, s3.secret_key, s3.bucket
        return MinioStore(self.proxy.endpoint, *keys, secure=False, uploaders=4, **patience)
