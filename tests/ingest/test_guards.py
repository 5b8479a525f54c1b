"""Losses that are not believed: what stops, what readers see meanwhile, and what ends it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.ingest.sweep import sweep
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, at, listing, photo, world

Make = Callable[..., AbstractContextManager[World]]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEYS = "(ListingKey=*)"


@pytest.fixture(params=["STANDARD-XML", "COMPACT"])
def make(s3: EmbeddedStore, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    return partial(world, s3, tmp_path, request.param)


@pytest.fixture
def compact(s3: EmbeddedStore, tmp_path: Path) -> Make:
    return partial(world, s3, tmp_path, "COMPACT")


def fill(house: World, listings: int = 5, photos: int = 4) -> None:
    for number in range(listings):
        shrink(house, number, photos, day=0)
    assert house.cycle().ok


def shrink(house: World, number: int, photos: int, day: int) -> None:
    """Listing `number` has so many photos now."""
    pictures = [photo(id_, 10 * number + id_) for id_ in range(1, photos + 1)]
    house.mls.put(listing(f"L{number}", *pictures, day=day))


def cycle_after(house: World, wait: timedelta, *, allow_purge: bool = False) -> Report:
    house.now[0] += wait - DAY
    return house.cycle(allow_purge=allow_purge)


def holds(house: World) -> dict[str, str]:
    return {hold.guard: hold.why for hold in house.house.catalog.holds(house.feed)}


def shown(house: World) -> int:
    """Photos that readers see."""
    return sum(len(house.shas(f"L{number}")) for number in range(5) if house.manifest(f"L{number}"))


# Photos.


def test_a_feed_that_loses_its_photos_keeps_them_for_readers_until_the_operator_agrees(make: Make) -> None:
    with make(purge_share=0.3) as house:
        fill(house)
        objects = house.objects()
        for number in range(5):
            shrink(house, number, 1, day=1)
        report = house.cycle()
        assert "--allow-purge" in report.held
        assert "photos" in holds(house)
        assert shown(house) >= 14
        for _ in range(4):
            assert not house.cycle().ok
        assert shown(house) >= 14
        assert house.objects() == objects
        assert house.cycle(allow_purge=True).ok
        assert shown(house) == 5
        assert holds(house) == {}
        assert house.cycle().ok
        assert house.objects() == house.named()


def test_a_cycle_that_breaks_off_has_already_said_what_it_holds(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls, purge_share=0.3) as house:
        fill(house)
        before = house.objects()
        for number in range(5):
            shrink(house, number, 1, day=1)
        mls.instead = {KEYS: text_answer(reply(20206, "Invalid Query Syntax."))}
        assert house.cycle().error
        assert "photos" in holds(house)
        for _ in range(3):
            assert house.cycle().error
        assert shown(house) >= 14
        assert house.objects() == before


def test_an_allowed_loss_is_not_held_against_the_feed_later(make: Make) -> None:
    with make(purge_share=0.3) as house:
        fill(house)
        for number in range(5):
            shrink(house, number, 2, day=1)
        house.cycle()
        cycle_after(house, HOUR, allow_purge=True)
        assert shown(house) == 10
        for number in (0, 1):
            shrink(house, number, 1, day=2)
        assert cycle_after(house, HOUR).ok
        assert shown(house) == 8


def test_a_feed_that_recovers_is_believed_again_and_nothing_was_lost(make: Make) -> None:
    with make(purge_share=0.3) as house:
        fill(house)
        for number in range(5):
            shrink(house, number, 0, day=1)
        house.cycle()
        assert "photos" in holds(house)
        for number in range(5):
            shrink(house, number, 4, day=2)
        for _ in range(3):
            house.cycle()
        assert holds(house) == {}
        assert shown(house) == 20
        assert house.named() <= house.objects()


def test_losses_add_up_over_the_cycles_of_a_day_and_not_over_days(make: Make) -> None:
    with make(purge_share=0.2) as house:
        fill(house)
        shrink(house, 0, 1, day=1)
        assert cycle_after(house, HOUR).ok
        shrink(house, 1, 2, day=2)
        assert "20%" in cycle_after(house, HOUR).held
        assert shown(house) == 17
    with make(purge_share=0.2) as house:
        fill(house)
        for number in range(2):
            shrink(house, number, 2, day=number + 1)
            assert cycle_after(house, 2 * DAY).ok


def test_one_listing_with_new_pictures_is_no_purge_however_small_the_feed(make: Make) -> None:
    with make(purge_share=0.2) as house:
        fill(house, listings=1)
        shrink(house, 0, 1, day=1)
        assert house.cycle().ok
        assert shown(house) == 1


def test_replaced_photos_are_no_loss(make: Make) -> None:
    with make(purge_share=0.1) as house:
        fill(house)
        for number in range(5):
            pictures = [photo(id_, 100 + 10 * number + id_, day=1) for id_ in range(1, 5)]
            house.mls.put(listing(f"L{number}", *pictures, day=1))
        assert house.cycle().ok
        assert holds(house) == {}


# Listings.


def test_listings_that_go_one_by_one_within_a_day_are_a_purge_too(compact: Make) -> None:
    with compact(purge_share=0.4) as house:
        fill(house)
        for number in (0, 1):
            house.mls.remove(f"L{number}")
            assert cycle_after(house, HOUR).ok
        house.mls.remove("L2")
        assert "2 more went within a day" in cycle_after(house, HOUR).held
        assert house.manifest("L2") is not None
        assert "listings" in holds(house)


def test_a_hold_lasts_until_the_listings_are_back_however_long_that_takes(compact: Make) -> None:
    with compact(purge_share=0.4) as house:
        fill(house)
        before = house.objects()
        for number in (0, 1, 2):
            house.mls.remove(f"L{number}")
        for _ in range(5):
            assert house.cycle().held
        assert house.objects() == before
        for number in (0, 1):
            shrink(house, number, 4, day=3)
        assert house.cycle().ok
        assert holds(house) == {}
        assert (house.manifest("L2"), shown(house)) == (None, 16)


class Interrupted:
    """An MLS whose answers to one transaction, or to one query, may be others."""

    def __init__(self) -> None:
        self.mls = Mls()
        self.instead: Mapping[str, RawAnswer] = {}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        for what in (params.get("Query"), params.get("ID"), transaction):
            if what and what in self.instead:
                return self.instead[what]
        return self.mls.answer(transaction, params)


def test_a_count_without_rows_removes_nothing_and_no_word_makes_it_evidence(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls) as house:
        fill(house)
        mls.instead = {KEYS: text_answer(b'<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="5"/></RETS>')}
        for allow_purge in (False, True):
            report = house.cycle(allow_purge=allow_purge)
            assert "the list of keys is not complete" in report.held
            assert "keys" in holds(house)
            assert shown(house) == 20
        mls.instead = {}
        assert house.cycle().ok
        assert holds(house) == {}


def test_a_list_of_keys_that_cannot_be_had_does_not_keep_the_sweep_waiting(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls) as house:
        fill(house)
        shrink(house, 0, 3, day=1)
        mls.instead = {KEYS: text_answer(reply(20203, "Miscellaneous Search Error"))}
        house.cycle()
        assert house.cycle().snapshot()["swept"] == 1


# Counts.


def test_a_set_that_empties_against_its_own_count_stays_until_somebody_says_otherwise(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls) as house:
        fill(house)
        mls.instead = {"L0:*": text_answer(reply(20403, "No Object Found."))}
        shrink(house, 0, 3, day=1)
        assert "the listing counts 3" in house.cycle().owed["L0"]
        assert holds(house)["count"].endswith("keep their photos: 1")
        assert len(house.shas("L0")) == 4
        assert house.cycle(allow_purge=True).ok
        assert house.shas("L0") == []
        assert holds(house) == {}


def test_a_set_that_is_whole_again_ends_the_hold(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls) as house:
        fill(house)
        mls.instead = {"L0:*": text_answer(reply(20403, "No Object Found."))}
        shrink(house, 0, 3, day=1)
        house.cycle()
        mls.instead = {}
        assert house.cycle().ok
        assert len(house.shas("L0")) == 3
        assert holds(house) == {}


# Clocks.


def test_a_clock_that_jumps_forward_ends_no_time_of_grace(compact: Make) -> None:
    with compact() as house:
        fill(house)
        before = house.objects()
        shrink(house, 0, 3, day=1)
        house.cycle()
        cycle_after(house, 10 * DAY)
        assert "10 d 0 h" in holds(house)["clock"]
        assert house.objects() == before
        cycle_after(house, HOUR)
        assert house.objects() == before
        assert house.cycle().snapshot()["swept"] == 1
        assert holds(house) == {}


def test_an_operator_may_say_that_the_clock_is_right(compact: Make) -> None:
    with compact() as house:
        fill(house)
        shrink(house, 0, 3, day=1)
        house.cycle()
        cycle_after(house, 10 * DAY)
        assert cycle_after(house, HOUR, allow_purge=True).snapshot()["swept"] == 1


def test_a_feed_that_is_looked_at_once_a_week_is_swept_all_the_same(compact: Make) -> None:
    with compact() as house:
        fill(house)
        shrink(house, 0, 3, day=1)
        swept = [cycle_after(house, 7 * DAY).snapshot()["swept"] for _ in range(3)]
        assert sum(swept) == 1


def test_a_sweep_without_a_cycle_does_not_believe_such_a_clock_either(compact: Make) -> None:
    with compact() as house:
        fill(house)
        shrink(house, 0, 3, day=1)
        house.cycle()
        house.now[0] += 10 * DAY
        report = Report(house.feed)
        with capture_logs() as logs:
            sweep(house.house.feed(house.feed), report)
        assert report.snapshot()["swept"] == 0
        assert [line["event"] for line in logs] == ["sweep.held"]


def test_a_clock_that_is_set_back_keeps_nothing_waiting_and_deletes_nothing_early(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls, keys_interval="1h") as house:
        fill(house)
        objects = house.objects()
        mls.instead = {"L1:*": text_answer(reply(20407, "Unauthorized Retrieval."))}
        shrink(house, 0, 3, day=1)
        shrink(house, 1, 3, day=1)
        house.cycle()
        mls.instead = {}
        house.mls.remove("L2")
        cycle_after(house, -20 * DAY)
        assert "set back" in holds(house)["clock"]
        assert house.manifest("L2") is None
        assert house.objects() == objects
        cycle_after(house, HOUR)
        assert len(house.shas("L1")) == 3
        house.cycle()
        house.cycle()
        assert house.objects() == house.named()
        assert holds(house) == {}


# Where it is seen.


def test_a_hold_has_a_line_in_the_log_when_it_begins_and_when_it_ends(compact: Make) -> None:
    with compact(purge_share=0.3) as house:
        fill(house)
        house.mls.remove("L0")
        house.mls.remove("L1")
        with capture_logs() as logs:
            house.cycle()
            house.cycle()
            house.cycle(allow_purge=True)
        told = [(line["event"], line["guard"]) for line in logs if line["event"].startswith("guard.")]
        assert told == [("guard.holds", "listings"), ("guard.lifted", "listings")]


def test_an_operators_word_counts_once_for_the_next_good_cycle(compact: Make) -> None:
    mls = Interrupted()
    with compact(answers=mls, mls=mls.mls, purge_share=0.3) as house:
        fill(house)
        house.mls.remove("L0")
        house.mls.remove("L1")
        assert house.cycle().held
        house.house.catalog.allow_purge(house.feed, house.now[0])
        mls.instead = {"Search": text_answer(reply(20203, "Miscellaneous Search Error"))}
        assert cycle_after(house, HOUR).error
        mls.instead = {}
        assert cycle_after(house, HOUR).ok
        assert (house.manifest("L0"), house.manifest("L1")) == (None, None)
        house.mls.remove("L2")
        house.mls.remove("L3")
        assert cycle_after(house, HOUR).held


def test_an_operators_word_of_last_week_is_forgotten(compact: Make) -> None:
    with compact(purge_share=0.3) as house:
        fill(house)
        house.mls.remove("L0")
        house.mls.remove("L1")
        house.house.catalog.allow_purge(house.feed, house.now[0])
        assert cycle_after(house, 7 * DAY).held


def test_a_cycle_that_was_stopped_keeps_its_holds(compact: Make) -> None:
    with compact(purge_share=0.3) as house:
        fill(house)
        for number in range(5):
            shrink(house, number, 1, day=1)
        house.cycle()
        before = holds(house)
        house.stop.set()
        run_cycle(house.house.feed(house.feed), Report(house.feed), house.stop)
        assert holds(house) == before


def test_a_photo_share_is_of_photos_and_not_of_listings(compact: Make) -> None:
    with compact(purge_share=0.3) as house:
        fill(house, listings=3, photos=1)
        big = [photo(number, 50 + number) for number in range(1, 13)]
        house.mls.put(listing("L3", *big, day=0))
        house.mls.put(replace(listing("L4", *big[:3], day=0), modified=at(1)))
        house.cycle()
        for number in range(3):
            shrink(house, number, 0, day=2)
        assert house.cycle().ok
        assert shown(house) == 15
