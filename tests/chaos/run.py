"""A run of many cycles over a changing world, with faults on the way from the feed and to the store.

Beside the rough feed stands a calm one: the same world, the same cycles, no faults. When the faults
have stopped, a few cycles must bring the rough one to where the calm one is. Until then no cycle may
take anything from readers that the feed still has, and no manifest may name what is not there.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from service.core.audit import Kind as Difference
from service.ingest.audit import AuditReport, audit_feed
from service.ingest.mending import Mending
from service.simulator.faults import Kind
from service.stores.embedded import EmbeddedStore
from tests.chaos.losses import lost, moment
from tests.chaos.readers import Reader
from tests.chaos.stage import CALM, ROUGH, Scene, Stage
from tests.chaos.verdict import State, against_world, differences, state_of

CLEAN_CYCLES = 6
"""Without faults a state is reached in two; more are for a machine that is so slow that requests time out."""

GRACE_CYCLES = 2
"""What an audit has queued for deletion is gone after so many."""


class ChaosRun:
    """One scene, played. `lost` says in words what a cycle took from readers and should not have."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reader = Reader(stage.house.store, stage.names[ROUGH])
        self.lost: list[str] = []
        self._before = moment(stage.worlds[ROUGH], self.state(ROUGH))

    def play(self) -> list[str]:
        """All of it; returns what is wrong, in words."""
        with self.reader:
            # In fair weather the source learns what its server can do: a Location that was never seen
            # to work is given up at the first failure, and URLs bring no captions.
            self.stage.patient()
            for _ in range(self.stage.scene.cycles):
                self.rough_cycle()
                self.stage.calm()
            self.fair_weather()
            wrong = self.converge()
        return wrong + self.lost + self.reader.found

    def rough_cycle(self) -> None:
        """Some changes, some more while the cycle runs, and the weather of the day."""
        stage = self.stage
        for _ in range(stage.chance.randrange(8)):
            stage.worlds[ROUGH].change()
        stage.restless.left = stage.chance.randrange(4)
        stage.draw_weather()
        stage.rough()
        stage.restless.go_on()
        stage.let_all_arrive()
        self._look_for_losses()

    def fair_weather(self) -> None:
        """No more faults. What a feed has lied about it says once more."""
        self.stage.clear_weather()
        for key in self._lied_about():
            for world in self.stage.worlds.values():
                world.touch(key)

    def converge(self) -> list[str]:
        """Clean cycles until both are as their worlds say; what differs then, in words."""
        wrong = ["no cycle was clean"]
        for _ in range(CLEAN_CYCLES):
            wrong = self._clean_cycle()
            if not wrong:
                break
        # Photos of answers that were not believed lie in the bucket, and only an audit knows of them.
        wrong += [found for found in self.audit(repair=True) if not found.startswith(Difference.ORPHANED)]
        for _ in range(GRACE_CYCLES):
            wrong += self._clean_cycle()
        return wrong + self.audit(repair=False) + self.compare()

    def audit(self, *, repair: bool) -> list[str]:
        """What an audit of the rough feed finds, deep, in words."""
        report = AuditReport(self.stage.names[ROUGH])
        mending = Mending(by_sequence=not self.stage.scene.by_set) if repair else None
        feed = self.stage.house.feed(report.feed)
        audit_feed(feed, report, self.stage.stop, deep=True, repair=mending)
        told = [f"{found.kind} {found.key}: {found.why}" for found in report.differences]
        return [*told, *filter(None, [report.error])]

    def compare(self) -> list[str]:
        """Differences between the two, and between the rough one and its world."""
        rough, calm = self.state(ROUGH), self.state(CALM)
        world = self.stage.worlds[ROUGH]
        return differences(rough, calm) + against_world(rough, world.mls, world.keys)

    def state(self, part: str) -> State:
        """What a feed has stored."""
        house = self.stage.house
        return state_of(house.store, house.catalog, self.stage.names[part])

    def _clean_cycle(self) -> list[str]:
        reports = [self.stage.patient(), self.stage.calm()]
        said = (text for report in reports for text in (report.error, report.held, *report.owed.values()))
        return [text for text in said if text]

    def _look_for_losses(self) -> None:
        world = self.stage.worlds[ROUGH]
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
        if not self.stage.scene.by_set:
            return []
        lies = [one for one in self.stage.feed_faults.injected() if one.fault.kind is Kind.PART_ABSENT]
        keys = {ids.partition(":")[0] for one in lies for ids in one.params["ID"].split(",")}
        return sorted(keys & set(self.stage.worlds[ROUGH].keys))


@contextmanager
def chaos(scene: Scene, s3: EmbeddedStore, folder: Path) -> Iterator[ChaosRun]:
    """A run, ready to be played."""
    with ExitStack() as stack:
        yield ChaosRun(Stage(scene, s3, folder, stack))
