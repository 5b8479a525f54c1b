"""A verdict that finds nothing wrong must be able to find something."""

from pathlib import Path

import pytest

from service.simulator.mls import Listing
from service.stores.embedded import EmbeddedStore
from tests.chaos.losses import Moment, lost
from tests.chaos.readers import Reader
from tests.chaos.run import ChaosRun, chaos
from tests.chaos.scenes import scene
from tests.chaos.stage import ROUGH
from tests.chaos.world import ChangingWorld


def listings(world: ChangingWorld) -> list[Listing | None]:
    return [world.mls.listing(key) for key in world.keys]


@pytest.mark.parametrize("by_set", [True, False])
def test_worlds_of_one_seed_are_equal_after_equally_many_changes(*, by_set: bool) -> None:
    one, same, other = (ChangingWorld(seed, listings=8, by_set=by_set) for seed in (5, 5, 6))
    for _ in range(200):
        one.change()
        same.change()
        other.change()
    assert listings(one) == listings(same) != listings(other)
    assert any(listing and len(listing.photos) > 1 for listing in listings(one))
    assert one.removed


def a_quiet_run(run: ChaosRun) -> list[str]:
    """Loaded, and nothing is wrong."""
    run.stage.calm()
    return run.converge()


def test_what_is_missing_orphaned_or_other_than_in_the_world_is_told(
    s3: EmbeddedStore, tmp_path: Path
) -> None:
    with chaos(scene("sequence", 3, 0), s3, tmp_path) as run:
        assert a_quiet_run(run) == []
        feed, store = run.stage.names[ROUGH], run.stage.house.store
        (first, *_) = sorted(run.state(ROUGH).named())
        with Reader(store, feed) as reader:
            store.delete([f"{feed}/{first}"])
            while not reader.found:
                assert reader.looks < 1000
        assert first in reader.found[0]
        assert any("only without faults" in line for line in run.compare())
        assert any("named and not there" in line for line in run.compare())
        for _ in range(20):
            run.stage.worlds[ROUGH].change()
        assert any("the MLS has" in line for line in run.compare())


def test_what_readers_lose_while_the_feed_has_it_is_told() -> None:
    had = {"1": frozenset("12"), "2": frozenset("1")}
    before = Moment(had, had)
    now = Moment(had, {"1": frozenset("1")})
    assert [line.partition(":")[0] for line in lost(before, now, excused=[])] == ["listing 1", "listing 2"]
    assert lost(before, now, excused=["1", "2"]) == []
    assert lost(before, Moment({"1": frozenset("1")}, now.seen), excused=[]) == []
