"""Listings that seem to be gone, because the list of keys moved while it was read page by page."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, listing, photo, world

KEYS = "(ListingKey=*)"


class Moving:
    """An MLS in which something happens before a page of the list of keys; `pages` counts them."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.pages = 0
        self.happens: dict[int, Callable[[], None]] = {}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        if params.get("Query") == KEYS:
            self.pages += 1
            self.happens.get(self.pages, lambda: None)()
        return self.mls.answer(transaction, params)


@pytest.fixture
def moving() -> Moving:
    return Moving(Mls())


def load(house: World, moving: Moving) -> None:
    for day, key in enumerate("abcd"):
        moving.mls.put(listing(key, photo(1, day), day=day))
    assert house.cycle().ok
    moving.pages = 0


@pytest.mark.parametrize("form", ["STANDARD-XML", "COMPACT"])
def test_q65_a_key_that_slipped_between_pages_is_not_gone(
    s3: EmbeddedStore, tmp_path: Path, moving: Moving, form: str
) -> None:
    with world(s3, tmp_path, form, answers=moving, mls=moving.mls, limit=2) as house:
        load(house, moving)

        def swap() -> None:
            """`a` leaves the first page, so `c` slips onto it; `e` makes up the number."""
            moving.mls.remove("a")
            moving.mls.put(listing("e", photo(1, 5), day=5))

        moving.happens = {2: swap}
        report = house.cycle()
        assert (report.ok, report.snapshot()["listings_removed"]) == (True, 0)
        assert moving.pages == 4
        assert house.manifest("c") is not None
        assert house.cycle().snapshot()["listings_removed"] == 1
        assert house.manifest("a") is None
        assert house.manifest("c") is not None


def test_what_two_scans_miss_is_gone_and_a_second_scan_is_made_only_for_it(
    s3: EmbeddedStore, tmp_path: Path, moving: Moving
) -> None:
    with world(s3, tmp_path, "COMPACT", answers=moving, mls=moving.mls, limit=2) as house:
        load(house, moving)
        assert house.cycle().ok
        assert moving.pages == 2
        moving.mls.remove("b")
        assert house.cycle().snapshot()["listings_removed"] == 1
        assert moving.pages == 6
        assert house.manifest("b") is None


def test_a_list_of_keys_in_one_answer_needs_no_second(
    s3: EmbeddedStore, tmp_path: Path, moving: Moving
) -> None:
    with world(s3, tmp_path, "COMPACT", answers=moving, mls=moving.mls) as house:
        load(house, moving)
        moving.mls.remove("b")
        assert house.cycle().snapshot()["listings_removed"] == 1
        assert moving.pages == 1


def test_a_second_scan_that_fails_removes_nothing(s3: EmbeddedStore, tmp_path: Path, moving: Moving) -> None:
    with world(s3, tmp_path, "COMPACT", answers=moving, mls=moving.mls, limit=2) as house:
        load(house, moving)
        moving.mls.remove("b")

        def fail() -> None:
            moving.mls.remove("c")  # COUNT no longer agrees with what came

        moving.happens = {4: fail}
        report = house.cycle()
        assert "the list of keys is not complete" in report.held
        assert house.manifest("b") is not None
