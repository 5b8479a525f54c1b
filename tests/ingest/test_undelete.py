"""What an operator brings back stays, against the feed's word, until the feed has it again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from service.core.photos import StoredSet
from service.errors import SkipItem
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, listing, photo, world

Make = Callable[..., AbstractContextManager[World]]

DAY = timedelta(days=1)


@pytest.fixture(params=["STANDARD-XML", "COMPACT"])
def make(s3: EmbeddedStore, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    return partial(world, s3, tmp_path, request.param)


@pytest.fixture
def loaded(make: Make) -> Iterator[World]:
    with make(delete_after="48h") as house:
        for key, first in (("1001", 1), ("1002", 11), ("1003", 21)):
            house.mls.put(listing(key, *(photo(number, first + number) for number in range(1, 4))))
        assert house.cycle().ok
        yield house


def undelete(house: World, key: str, generation: int | None = None) -> StoredSet:
    now = house.now[0]
    return house.house.catalog.undelete(house.feed, key, generation, now, now + 2 * DAY)


def guards(house: World) -> list[str]:
    return [hold.guard for hold in house.house.catalog.holds(house.feed)]


def remove(house: World, key: str) -> list[str]:
    shas = house.shas(key)
    house.mls.remove(key)
    assert house.cycle().snapshot()["listings_removed"] == 1
    assert house.manifest(key) is None
    return shas


def test_a_removed_listing_is_back_with_the_next_cycle_and_stays_though_the_feed_lacks_it(
    loaded: World,
) -> None:
    shas = remove(loaded, "1002")
    undelete(loaded, "1002")
    for _ in range(4):
        assert loaded.cycle().ok
        assert loaded.shas("1002") == shas
        assert guards(loaded) == ["undeleted"]
    assert loaded.objects() == loaded.named()
    assert not [asked for asked in loaded.asked()[3:] if asked.startswith("1002")]


def test_readers_see_it_again_while_the_feed_is_down(loaded: World) -> None:
    shas = remove(loaded, "1002")
    undelete(loaded, "1002")
    feed = loaded.house.feed(loaded.feed)
    feed.source.abandon()  # it refuses whatever it is asked
    assert run_cycle(feed, Report(loaded.feed), loaded.stop).error
    assert loaded.shas("1002") == shas


def test_once_the_feed_has_it_again_its_word_counts_again(loaded: World) -> None:
    gone = loaded.mls.listing("1002")
    assert gone is not None
    shas = remove(loaded, "1002")
    undelete(loaded, "1002")
    loaded.cycle()
    loaded.mls.put(gone)
    assert loaded.cycle().ok
    assert loaded.cycle().ok
    assert (guards(loaded), loaded.shas("1002")) == ([], shas)
    remove(loaded, "1002")


def test_what_is_released_goes_with_the_next_look(loaded: World) -> None:
    remove(loaded, "1002")
    undelete(loaded, "1002")
    loaded.cycle()
    assert loaded.house.catalog.release(loaded.feed, "1002", loaded.now[0])
    assert loaded.cycle().snapshot()["listings_removed"] == 1
    assert (loaded.manifest("1002"), guards(loaded)) == (None, [])


def test_an_earlier_set_of_photos_is_kept_until_the_feed_has_as_many(loaded: World) -> None:
    shas = loaded.shas("1001")
    loaded.mls.put(listing("1001", photo(1, 2), day=1))
    loaded.cycle()
    assert len(loaded.shas("1001")) == 1
    undelete(loaded, "1001")
    loaded.mls.put(listing("1001", photo(1, 2), photo(2, 3), day=2))
    report = loaded.cycle()
    assert "undeleted" in report.owed["1001"]
    assert loaded.shas("1001") == shas
    (parked,) = loaded.house.catalog.parked(loaded.feed)
    assert parked.guard == "undeleted"
    loaded.mls.put(listing("1001", *(photo(number, 30 + number, day=3) for number in range(1, 4)), day=3))
    assert loaded.cycle().ok
    assert (guards(loaded), loaded.house.catalog.parked(loaded.feed)) == ([], [])
    assert not set(loaded.shas("1001")) & set(shas)


def test_a_photo_may_join_what_was_brought_back(loaded: World) -> None:
    loaded.mls.put(listing("1001", photo(1, 2), day=1))
    loaded.cycle()
    undelete(loaded, "1001")
    loaded.mls.put(
        listing("1001", *(photo(number, number + 1) for number in range(1, 4)), photo(4, day=2), day=2)
    )
    assert loaded.cycle().ok
    assert len(loaded.shas("1001")) == 4
    assert guards(loaded) == []


def test_what_was_swept_cannot_be_brought_back(loaded: World) -> None:
    remove(loaded, "1002")
    for _ in range(2):
        loaded.cycle()
    with pytest.raises(SkipItem, match="its bytes are gone"):
        undelete(loaded, "1002")
    assert loaded.objects() == loaded.named()


def test_undelete_just_before_the_sweep_keeps_every_object(loaded: World) -> None:
    shas = remove(loaded, "1002")
    loaded.now[0] += 2 * DAY - timedelta(seconds=1)
    undelete(loaded, "1002")
    assert loaded.cycle().ok
    assert loaded.shas("1002") == shas
    assert loaded.named() <= loaded.objects()


def test_what_was_brought_back_is_no_part_of_a_purge(make: Make) -> None:
    with make(purge_share=0.35) as house:
        for number in range(4):
            house.mls.put(listing(f"{number}", photo(1, number)))
        house.cycle()
        remove(house, "0")
        undelete(house, "0")
        house.mls.remove("1")
        assert house.cycle().ok
        assert (house.manifest("1"), len(house.shas("0"))) == (None, 1)
