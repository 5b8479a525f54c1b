"""What every catalog knows for an audit, and how its rows are put right from outside."""

from dataclasses import replace

import pytest

from parsers.records import ListingState
from service.core.audit import distrust
from service.core.photos import StoredPhoto, StoredSet, listing_prefix
from service.core.ports import Holding
from service.errors import LeaseLost, RetryLater
from service.stores.catalog import SqlCatalog
from tests.stores.support import DAY, NOW, first_commit, next_commit, stored_photo

ONE, TWO, THREE = stored_photo(1), stored_photo(2), stored_photo(3)


def load(catalog: SqlCatalog, feed: str, key: str, *photos: StoredPhoto) -> StoredSet:
    catalog.commit(feed, first_commit(key, *photos), NOW, NOW + DAY)
    return stored(catalog, feed, key)


def stored(catalog: SqlCatalog, feed: str, key: str) -> StoredSet:
    return catalog.stored_sets(feed, [key])[key]


def holding(catalog: SqlCatalog, feed: str, key: str, *found: str) -> Holding:
    return catalog.holdings(feed, {key: set(found)})[key]


def lose_rows(catalog: SqlCatalog, key: str, feed: str) -> None:
    with catalog._writing() as db:
        listing = f"(SELECT id FROM listings WHERE key = '{key}' AND feed = '{feed}')"  # noqa: S608 - our names
        db.exec_driver_sql(f"DELETE FROM photos WHERE position = 0 AND listing_id = {listing}")  # noqa: S608


# Holdings.


def test_a_listing_that_is_stored_is_held_with_all_that_is_known_of_it(
    catalog: SqlCatalog, feed: str
) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO)
    found = holding(catalog, feed, "1")
    assert found == Holding(set_, photo_count=2, manifest_due=True)
    assert found.stored
    assert found.stored.updated == NOW
    catalog.manifest_written(feed, "1", 1)
    catalog.owe(feed, [ListingState("1", "s2")], None, NOW)
    assert holding(catalog, feed, "1") == Holding(set_, photo_count=2, owed=True)


def test_a_listing_that_is_not_stored_is_in_the_answer_too(catalog: SqlCatalog, feed: str) -> None:
    load(catalog, feed, "1", ONE)
    awkward = ["never", "\0", "half \ud800", ""]
    assert catalog.holdings(feed, {key: {"a.jpg"} for key in awkward}) == {key: Holding() for key in awkward}
    assert holding(catalog, feed + "x", "1") == Holding()
    assert catalog.holdings(feed, {}) == {}


def test_objects_that_wait_for_their_deletion_are_named_needed_or_not(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO, THREE)
    load(catalog, feed, "12", ONE)
    catalog.commit(feed, next_commit(set_, TWO), NOW, NOW + DAY)
    catalog.queue_deletions(feed, [listing_prefix(feed, "1") + TWO.name], NOW)
    found = catalog.holdings(feed, {"1": {ONE.name, "other.jpg"}, "12": {ONE.name}})
    assert found["1"].queued == {ONE.name, TWO.name}
    assert found["12"].queued == frozenset()


def test_more_listings_than_one_query_takes_are_all_held(catalog: SqlCatalog, feed: str) -> None:
    stored_at = (0, 499, 500, 999, 1099)
    sets = {f"L{number}": load(catalog, feed, f"L{number}", stored_photo(1, number)) for number in stored_at}
    found = catalog.holdings(feed, {f"L{number}": set() for number in range(1100)})
    assert {key: held.stored for key, held in found.items() if held.stored} == sets


def test_photo_rows_that_are_not_there_are_counted(catalog: SqlCatalog, feed: str) -> None:
    load(catalog, feed, "1", ONE, TWO, THREE)
    assert holding(catalog, feed, "1").lost_rows == 0
    lose_rows(catalog, "1", feed)
    assert holding(catalog, feed, "1").lost_rows == 1


# Restoring.


def test_a_set_is_restored_with_its_generation_and_its_time(catalog: SqlCatalog, feed: str) -> None:
    set_ = StoredSet("A/1 ..", 7, " raw ", (ONE, TWO), updated=NOW)
    assert catalog.restore(feed, [set_], frozenset()) == {"A/1 .."}
    found = holding(catalog, feed, "A/1 ..")
    assert found == Holding(set_, photo_count=2)
    assert found.stored
    assert found.stored.updated == NOW
    assert catalog.manifests_due(feed, 10) == []


@pytest.mark.parametrize(("generation", "restored"), [(2, False), (3, False), (4, True)])
def test_only_a_newer_set_is_restored_over_a_row(
    catalog: SqlCatalog, feed: str, generation: int, *, restored: bool
) -> None:
    catalog.restore(feed, [StoredSet("1", 3, "s3", (ONE, TWO), updated=NOW)], frozenset())
    other = StoredSet("1", generation, "s9", (THREE,), updated=NOW)
    assert catalog.restore(feed, [other], frozenset()) == ({"1"} if restored else frozenset())
    assert (stored(catalog, feed, "1") == other) is restored


def test_a_gone_listing_is_restored_by_a_newer_set_alone(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE)
    catalog.commit(feed, next_commit(set_, gone=True), NOW, NOW + DAY)
    assert not catalog.restore(feed, [replace(set_, generation=2)], frozenset())
    assert catalog.restore(feed, [replace(set_, generation=3)], frozenset())
    assert not stored(catalog, feed, "1").gone


def test_rows_that_were_lost_are_restored_by_the_same_generation(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO, THREE)
    lose_rows(catalog, "1", feed)
    assert not catalog.restore(feed, [replace(set_, generation=0)], frozenset())
    assert catalog.restore(feed, [set_], frozenset()) == {"1"}
    assert holding(catalog, feed, "1") == Holding(set_, photo_count=3)


def test_a_set_that_is_not_its_manifests_becomes_the_next_generation(catalog: SqlCatalog, feed: str) -> None:
    catalog.restore(feed, [StoredSet("1", 3, None, (ONE,), updated=NOW)], due={"1"})
    assert catalog.manifests_due(feed, 10) == [StoredSet("1", 4, None, (ONE,))]
    assert not catalog.restore(feed, [StoredSet("1", 3, None, (ONE,), updated=NOW)], due={"1"})


def test_what_a_restored_set_needs_is_not_deleted(catalog: SqlCatalog, feed: str) -> None:
    keys = [listing_prefix(feed, "1") + photo.name for photo in (ONE, TWO)]
    catalog.queue_deletions(feed, keys, NOW)
    catalog.restore(feed, [StoredSet("1", 1, None, (ONE,), updated=NOW)], frozenset())
    assert catalog.due_deletions(feed, NOW, 10) == keys[1:]


def test_a_restored_listing_goes_on_like_any_other(catalog: SqlCatalog, feed: str) -> None:
    set_ = StoredSet("1", 5, "s5", (ONE, TWO), updated=NOW)
    catalog.restore(feed, [set_, StoredSet("2", 1, None, (), updated=NOW)], frozenset())
    commit = next_commit(set_, TWO, THREE)
    catalog.commit(feed, commit, NOW, NOW + DAY)
    assert stored(catalog, feed, "1") == commit.after
    status = catalog.status(feed)
    assert (status.listings, status.photos) == (2, 2)


# Distrust.


def test_a_damaged_photo_leaves_its_set_and_the_listing_is_owed_in_one_step(
    catalog: SqlCatalog, feed: str
) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO, THREE)
    said = ListingState("1", "s1", photos=tuple(photo.ref for photo in set_.photos))
    catalog.distrust(feed, distrust(set_, frozenset([TWO.name])), said, NOW, NOW + DAY)
    assert stored(catalog, feed, "1") == StoredSet("1", 2, None, (ONE, THREE))
    (owed,) = catalog.owed(feed, NOW, 10)
    assert (owed.said, owed.attempts, owed.parked) == (said, 0, False)
    assert catalog.due_deletions(feed, NOW + DAY, 10) == [listing_prefix(feed, "1") + TWO.name]
    assert catalog.manifests_due(feed, 10)


def test_what_is_owed_already_is_due_at_once_as_it_was(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE)
    catalog.owe(feed, [ListingState("1", "newer")], None, NOW)
    catalog.postpone(feed, "1", why="denied", due_at=NOW + DAY, parked=True)
    catalog.distrust(feed, distrust(set_, frozenset([ONE.name])), ListingState("1", "s1"), NOW, NOW + DAY)
    (owed,) = catalog.owed(feed, NOW, 10)
    assert (owed.said.stamp, owed.attempts, owed.why) == ("newer", 1, "denied")


def test_without_a_word_of_the_feed_nothing_is_owed(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO)
    lose_rows(catalog, "1", feed)
    left = stored(catalog, feed, "1")
    catalog.distrust(feed, distrust(left, frozenset()), None, NOW, NOW + DAY)
    assert catalog.owed(feed, NOW, 10) == []
    found = holding(catalog, feed, "1")
    assert found.stored == StoredSet("1", set_.generation + 1, None, (TWO,))
    assert found.lost_rows == 0


def test_a_set_that_has_changed_meanwhile_is_not_distrusted(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE)
    newer = next_commit(set_, ONE, TWO)
    catalog.commit(feed, newer, NOW, NOW + DAY)
    commit = distrust(set_, frozenset([ONE.name]))
    with pytest.raises(RetryLater, match="changed in the meantime"):
        catalog.distrust(feed, commit, ListingState("1", "s1"), NOW, NOW + DAY)
    assert stored(catalog, feed, "1") == newer.after
    assert catalog.owed(feed, NOW, 10) == []


def test_an_earlier_set_with_a_damaged_photo_cannot_be_brought_back(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE, TWO)
    second = next_commit(set_, TWO)
    catalog.commit(feed, second, NOW, NOW + DAY)
    third = next_commit(second.after, THREE)
    catalog.commit(feed, third, NOW, NOW + DAY)
    assert [kept.generation for kept in catalog.kept_sets(feed)] == [2, 1]
    back = catalog.undelete(feed, "1", 1, NOW, NOW + DAY)
    catalog.distrust(feed, distrust(back, frozenset([ONE.name])), None, NOW, NOW + DAY)
    assert all(kept.generation not in (1, back.generation) for kept in catalog.kept_sets(feed))


def test_nobody_mends_without_the_lease(catalog: SqlCatalog, feed: str) -> None:
    set_ = load(catalog, feed, "1", ONE)
    lease = catalog.take_lease(feed, "one", 60)
    assert lease
    fenced = catalog.fenced(lease)
    catalog.end_lease(lease)
    with pytest.raises(LeaseLost):
        fenced.restore(feed, [replace(set_, generation=9)], frozenset())
    with pytest.raises(LeaseLost):
        fenced.distrust(feed, distrust(set_, frozenset([ONE.name])), None, NOW, NOW)
    with pytest.raises(LeaseLost):
        fenced.queue_deletions(feed, ["x"], NOW)
    assert stored(catalog, feed, "1") == set_
