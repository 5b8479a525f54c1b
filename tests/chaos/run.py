"""A run of many cycles over a changing world, with faults on the way from the feed and to the store.

Beside the rough feed stands a calm one: the same world, the same cycles, no faults. When the faults
have stopped, a few cycles must bring the rough one to where the calm one is.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from pydantic import SecretStr

from service.bootstrap import House, MarkedFacts, open_house
from service.core.audit import Kind as Difference
from service.feeds.rets import RetsSource
from service.ingest.audit import AuditReport, audit_feed
from service.ingest.cycle import run_cycle
from service.ingest.feed import Feed
from service.ingest.mending import Mending
from service.ingest.report import Report
from service.rets_config import RetsFeed
from service.simulator.faults import FaultPlan, Faults, Kind
from service.simulator.front_desk import Account, Site
from service.simulator.server import LoopbackServer
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.chaos.losses import lost, moment
from tests.chaos.readers import Reader
from tests.chaos.verdict import State, against_world, differences, state_of
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

CLEAN_CYCLES = 6
"""Without faults a state is reached in two; more are for a machine that is so slow that requests time out."""

GRACE_CYCLES = 2
"""What an audit has queued for deletion is gone after so many."""

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

    @property
    def by_set(self) -> bool:
        """Whether the feed speaks of whole sets only."""
        return self.form == "COMPACT"

    @property
    def command(self) -> str:
        """What plays it again."""
        return f"python -m tests.chaos --cycles {self.cycles} --way {self.way} --seed {self.seed}"


class ChaosRun:
    """One scene between a simulated MLS and a real S3 server. `now` is the house's clock."""

    def __init__(self, scene: Scene, s3: EmbeddedStore, folder: Path, name: str, stack: ExitStack) -> None:
        self.scene, self._s3 = scene, s3
        self._chance = random.Random(f"run {scene.seed}")  # noqa: S311 - to be repeatable
        self.worlds = {feed: self._world() for feed in (ROUGH, CALM)}
        self._restless = Restless(self.worlds[ROUGH], scene.seed)
        self.feed_faults = Faults[Kind]()
        self.names = {feed: f"{name}-{feed}" for feed in (ROUGH, CALM)}
        self.server = stack.enter_context(LoopbackServer(self._sites()))
        host, _, port = s3.endpoint.partition(":")
        self.front = stack.enter_context(S3Front((host, int(port))))
        self.proxy = stack.enter_context(TcpProxy(("127.0.0.1", self.front.port)))
        self.now = self.worlds[ROUGH].now() + timedelta(days=1)
        config = config_of(s3, f"sqlite:///{folder / f'{name}.db'}", self._tables())
        self.house: House = stack.enter_context(open_house(config, lambda: self.now))
        self._rough_store = self._far_store(timeout=QUICK_STORE, pause=0)
        self._patient_store = self._far_store()
        stack.callback(self._rough_store.close)
        stack.callback(self._patient_store.close)
        self.reader = Reader(self.house.store, self.names[ROUGH])
        self.reports: list[Report] = []
        self.lost: list[str] = []
        self._before = moment(self.worlds[ROUGH], self.state(ROUGH))
        self._stop = threading.Event()

    # Playing.

    def play(self) -> list[str]:
        """All of it; returns what is wrong, in words."""
        with self.reader:
            # In fair weather the source learns what its server can do: a Location that was never seen
            # to work is given up at the first failure, and URLs bring no captions.
            self._cycle(self._patient_feed())
            for _ in range(self.scene.cycles):
                self.rough_cycle()
                self.calm_cycle()
            self.fair_weather()
            wrong = self.converge()
        return wrong + self.lost + self.reader.found

    def rough_cycle(self) -> Report:
        """Some changes, some more while the cycle runs, and the weather of the day."""
        changes = self._chance.randrange(8)
        for _ in range(changes):
            self.worlds[ROUGH].change()
        self._restless.left = self._chance.randrange(4)
        self._draw_weather()
        report = self._cycle(self._rough_feed())
        self._restless.left = 0
        self._let_all_arrive()
        self._look_for_losses()
        self.reports.append(report)
        return report

    def calm_cycle(self) -> Report:
        """The same changes, in fair weather."""
        calm, rough = self.worlds[CALM], self.worlds[ROUGH]
        while calm.changes < rough.changes:
            calm.change()
        return self._cycle(self.house.feed(self.names[CALM]), at=self.now)

    def fair_weather(self) -> None:
        """No more faults. What a feed has lied about it says once more."""
        for faults in (self.feed_faults, self.front.faults, self.proxy.faults):
            faults.plan = None
        self.proxy.accept()
        for key in self._lied_about():
            for world in self.worlds.values():
                world.touch(key)

    def converge(self) -> list[str]:
        """Clean cycles until both are as their worlds say; what differs then, in words."""
        wrong = ["no cycle was clean"]
        for _ in range(CLEAN_CYCLES):
            wrong = self._clean_cycle()
            if not wrong:
                break
        # Photos of answers that were not believed lie in the bucket, and only an audit knows of them.
        wrong += [found for found in self._audit(repair=True) if not found.startswith(Difference.ORPHANED)]
        for _ in range(GRACE_CYCLES):
            wrong += self._clean_cycle()
        return wrong + self._audit(repair=False) + self.compare()

    def _clean_cycle(self) -> list[str]:
        reports = [self._cycle(self._patient_feed()), self.calm_cycle()]
        said = (text for report in reports for text in (report.error, report.held, *report.owed.values()))
        return [text for text in said if text]

    def _audit(self, *, repair: bool) -> list[str]:
        """What an audit of the rough feed finds, deep, in words."""
        report = AuditReport(self.names[ROUGH])
        mending = Mending(by_sequence=not self.scene.by_set) if repair else None
        audit_feed(self.house.feed(report.feed), report, self._stop, deep=True, repair=mending)
        told = [f"{found.kind} {found.key}: {found.why}" for found in report.differences]
        return [*told, *filter(None, [report.error])]

    def compare(self) -> list[str]:
        """Differences between the two, and between the rough one and its world."""
        rough, calm = self.state(ROUGH), self.state(CALM)
        world = self.worlds[ROUGH]
        return differences(rough, calm) + against_world(rough, world.mls, world.keys)

    def state(self, feed: str) -> State:
        """What a feed has stored."""
        return state_of(self.house.store, self.house.catalog, self.names[feed])

    @property
    def changes(self) -> int:
        """How often the world changed."""
        return self.worlds[ROUGH].changes

    def faults_met(self) -> Counter[str]:
        """How often each kind of fault was met."""
        kinds: list[str] = [one.fault.kind for one in self.feed_faults.injected()]
        kinds += [one.fault.kind for one in self.front.faults.injected()]
        kinds += [one.fault.kind for one in self.proxy.faults.injected()]
        return Counter(kinds)

    # What it is made of.

    def _world(self) -> ChangingWorld:
        scene = self.scene
        return ChangingWorld(
            scene.seed,
            listings=scene.listings,
            by_set=scene.by_set,
            captions=scene.settings.get("location") != 1,
        )

    def _sites(self) -> dict[str, Site]:
        account = Account("reader", "loopback")
        return {
            self.names[ROUGH]: Site(account, self._restless, faults=self.feed_faults),
            self.names[CALM]: Site(account, self.worlds[CALM].mls),
        }

    def _tables(self) -> dict[str, dict[str, Any]]:
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
        return {name: {**table, "login_url": self.server.login_url(name)} for name in self.names.values()}

    def _far_store(self, **patience: Any) -> MinioStore:
        s3 = self._s3
        keys = s3.access_key, s3.secret_key, s3.bucket
        return MinioStore(self.proxy.endpoint, *keys, secure=False, uploaders=4, **patience)

    def _rough_feed(self) -> Feed:
        name = self.names[ROUGH]
        settings = self.house.config.feeds[name].model_copy(update={"timeout": QUICK})
        assert isinstance(settings, RetsFeed)
        facts = MarkedFacts(self.house.catalog, name)
        source = RetsSource(name, settings, facts, self.house.now, waits=(0.0, 0.0))
        return self._feed(name, source=source, store=self._rough_store)

    def _patient_feed(self) -> Feed:
        return self._feed(self.names[ROUGH], store=self._patient_store)

    def _feed(self, name: str, **parts: Any) -> Feed:
        return replace(self.house.feed(name), jitter=self._chance.random, **parts)

    def _cycle(self, feed: Feed, at: datetime | None = None) -> Report:
        self.now = at or max(self.now, self.worlds[ROUGH].now()) + BETWEEN
        return run_cycle(feed, Report(feed.name), self._stop)

    def _draw_weather(self) -> None:
        def seed() -> int:
            return self._chance.randrange(2**32)

        self.feed_faults.plan = FaultPlan(seed(), self._chance.choice(RATES), tuple(Kind))
        rate = self._chance.choice(RATES)
        self.front.faults.plan = FaultPlan(seed(), rate, STORE_FAULTS)
        self.proxy.faults.plan = FaultPlan(seed(), rate, tuple(Trouble))
        match self._chance.randrange(20):
            case 0:
                self.proxy.refuse()
            case 1:
                self.front.faults.plan = FaultPlan(seed(), 1.0, (StoreFault.FULL,))

    def _let_all_arrive(self) -> None:
        """Between two cycles hours pass: what is still on its way to the store has come or is lost."""
        self.proxy.refuse()
        self.front.wait_until_idle()
        self.proxy.accept()

    def _look_for_losses(self) -> None:
        world = self.worlds[ROUGH]
        now = moment(world, self.state(ROUGH))
        excused = {*world.removed, *self._lied_about()}
        world.removed.clear()
        self.lost += lost(self._before, now, excused=excused)
        self._before = now

    def _lied_about(self) -> list[str]:
        """Listings of which a well-formed answer has said that a photo is absent which is not.

        By sequence the record says otherwise. Of a whole set the answer is all that there is, so
        only the next change mends it.
        """
        if not self.scene.by_set:
            return []
        lies = [one for one in self.feed_faults.injected() if one.fault.kind is Kind.PART_ABSENT]
        keys = {ids.partition(":")[0] for one in lies for ids in one.params["ID"].split(",")}
        return sorted(keys & set(self.worlds[ROUGH].keys))


@contextmanager
def chaos(scene: Scene, s3: EmbeddedStore, folder: Path) -> Iterator[ChaosRun]:
    """A run, ready to be played."""
    with ExitStack() as stack:
        yield ChaosRun(scene, s3, folder, f"{scene.way}-{scene.seed}", stack)
